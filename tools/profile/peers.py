"""The two ends of the gate under measurement: an upstream that answers at once, and a client that asks in turn."""

import socket
import threading


class Upstream:
    """Answers every request on every connection with the same bytes, over connections that stay open."""

    def __init__(self, answer):
        self.answer = answer
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self.listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb")
        while message(stream):
            connection.sendall(self.answer)


def message(stream):
    """Reads one message to its end and returns its first line; nothing where the connection has ended."""
    first = stream.readline()
    length = 0
    while (line := stream.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    stream.read(length)
    return first


def post(port, request, times):
    """Sends the request so many times, one after the other on one connection; each must be answered with 200."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = connection.makefile("rb")
        for _ in range(times):
            connection.sendall(request)
            first = message(stream)
            if not first.startswith(b"HTTP/1.1 200 "):
                raise SystemExit(f"profile: the gate answers {first!r}")


def with_body(first, headers, body):
    """An HTTP/1.1 message of these parts, as bytes."""
    lines = [first, *(f"{name}: {value}" for name, value in headers.items()), f"content-length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
