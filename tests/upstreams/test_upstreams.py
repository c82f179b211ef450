"""Tidegate before servers that people really have: what a client gets through the gate is what it gets from them."""

import concurrent.futures
import contextlib
import http.client
import itertools
import json
import random
import time

import pytest
from programs import Gate
from servers import SERVERS

BASE = "/api/v3"
# The clients, the requests of all, and how long each pauses between two, in seconds.
CLIENTS, REQUESTS, PAUSES = 10, 5_000, (0.010, 0.030)
CHAT = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]})
JSON = {"content-type": "application/json"}


@pytest.fixture(params=SERVERS)
def port(request):
    with SERVERS[request.param]() as port:
        yield port


@pytest.fixture
def gate(port, tmp_path):
    config = tmp_path / "tidegate.toml"
    config.write_text('[store]\npath = "off"\n')
    with Gate(f"http://127.0.0.1:{port}{BASE}/", "--config", str(config), "--log", "error") as gate:
        yield gate


def ask(port, method, path, body=None, headers=JSON):
    """Status, headers and body of one answer, over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        # Like httpx: what the server takes no more of is no error, as it may have answered.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def port_of(gate):
    return int(gate.url.rsplit(":", 1)[1])


def test_base_path_is_put_before_each_request(gate):
    for path in ["/v1/chat/completions", "/chat/completions", f"{BASE}/chat/completions"]:
        status, headers, body = ask(port_of(gate), "POST", path, CHAT)
        assert (status, json.loads(body)["model"]) == (200, "m"), path
        assert headers["x-tidegate-pools"] == "models", path


def test_redirect_leads_back_to_the_gate(gate):
    status, headers, _ = ask(port_of(gate), "GET", "/v1/models")
    assert status in (307, 308)
    assert headers["location"] == "/v1/models/"
    assert ask(port_of(gate), "GET", headers["location"])[0] == 200


def test_keepalive_race_fails_no_get(gate, record_property):
    """The upstream closes connections that are idle for as long as the clients pause."""

    def client(seed):
        random_, connection, failed = random.Random(seed), None, []
        for _ in range(REQUESTS // CLIENTS):
            connection = connection or http.client.HTTPConnection("127.0.0.1", port_of(gate), timeout=60)
            connection.request("GET", "/v1/models/")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status != 200:
                failed.append((answer.status, body))
            time.sleep(random_.uniform(*PAUSES))
        return failed

    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as clients:
        failed = list(itertools.chain.from_iterable(clients.map(client, range(CLIENTS))))
    print(f"{len(failed)} of {REQUESTS} GETs failed")
    assert failed == []


def test_early_answer_to_an_upload_reaches_its_client(gate, port):
    """The server answers before the upload is over, and reads no more of it."""
    status, _, _ = ask(port_of(gate), "POST", "/v1/files", b"x" * (20 << 20), {"content-type": "application/octet-stream"})
    assert status == 413


@pytest.mark.parametrize("size", [4_000, 12_000, 20_000, 30_000])
def test_long_headers_have_the_same_answer_as_directly(gate, port, size):
    headers = {**JSON, "x-long": "x" * size}
    directly = ask(port, "GET", f"{BASE}/models/", None, headers)[0]
    through = ask(port_of(gate), "GET", "/v1/models/", None, headers)[0]
    assert through == directly, "the gate has no limit of its own below that"
