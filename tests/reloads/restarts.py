"""Restarts behind a socket that stays open, as systemd holds one, under 200 requests a second on connections of their own."""

import http.client
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from programs import BINARY, Mock

RATE, RESTARTS, BETWEEN = 200, 5, 3.0
CONFIG = """
extends = "none"
[store]
path = "off"
[pools.posts]
requests = ["100000/s"]
[[routes]]
match = "POST /v1/threads"
pools = ["posts"]
"""


def start(listener, upstream, config):
    """A gate that gets the socket as systemd gives it: as file 3, named by the environment of the process that it is for."""
    serve = (
        f'exec env LISTEN_FDS=1 LISTEN_FDNAMES=apps LISTEN_PID=$$ "$0" serve --config "{config}" --admin off '
        f"--upstream {upstream} --log warn 3<&{listener.fileno()}"
    )
    return subprocess.Popen(["sh", "-c", serve, BINARY], pass_fds=[listener.fileno()], stdout=subprocess.PIPE)


class Asked:
    """What became of the requests."""

    def __init__(self, port):
        self.port, self.lock, self.answers, self.told, self.failed = port, threading.Lock(), 0, 0, []

    def ask(self):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            headers = {"content-type": "application/json", "connection": "close"}
            connection.request("POST", "/v1/threads", b"{}", headers)
            status = connection.getresponse().status
            told, failed = status == 503, [] if status in (200, 503) else [status]
        except (OSError, http.client.HTTPException) as error:
            told, failed = False, [repr(error)]
        with self.lock:
            self.failed += failed
            self.told += told
            self.answers += not failed and not told


def main():
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    asked, threads, gates = Asked(listener.getsockname()[1]), [], []
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "tidegate.toml")
        config.write_text(CONFIG)
        with Mock("--config", str(config)) as mock:
            gates.append(start(listener, mock.url, config))
            gates[0].stdout.readline()
            began = time.monotonic()
            while (now := time.monotonic() - began) < (RESTARTS + 1) * BETWEEN:
                if now > len(gates) * BETWEEN and len(gates) <= RESTARTS:
                    gates[-1].send_signal(signal.SIGTERM)
                    gates.append(start(listener, mock.url, config))
                threads.append(threading.Thread(target=asked.ask))
                threads[-1].start()
                time.sleep(max(0, began + len(threads) / RATE - time.monotonic()))
            for thread in threads:
                thread.join()
            took = time.monotonic() - began
            for gate in gates:
                gate.terminate()
                gate.wait(90)
    print(f"restarts: {len(gates) - 1} in {took:.0f} s, {len(threads)} requests, {len(threads) / took:.0f} a second")
    print(f"clients: {asked.answers} answers, {asked.told} told by a gate that ends to come back, {len(asked.failed)} failures {asked.failed[:3]}")
    assert len(gates) == RESTARTS + 1 and not asked.failed and asked.answers + asked.told == len(threads)
    # Those that a gate had accepted in the instant in which it was told to end.
    assert asked.told <= len(threads) / 100


main()
