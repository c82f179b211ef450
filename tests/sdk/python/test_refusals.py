"""Each refusal of the gate's own, as the exception that the SDK's users expect."""

import socket
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest
from programs import HANGS, Mock

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello."}]}

ONE_AN_HOUR = """
extends = "none"

[pools.chat]
requests = ["1/h"]
max_wait = "{max_wait}"
max_waiting = {max_waiting}

[[routes]]
match = "POST /v1/chat/completions"
pools = ["chat"]
"""

NEVER_FITS = """
extends = "none"

[pools.attached]
requests = ["3/min"]

[[routes]]
match = "POST /v1/vector_stores"
pools = ["attached:body.file_ids"]
"""

CLIENT_QUOTA = """
[clients]
quota = "1/h"
by = ["authorization"]
"""

IMPATIENT = """
[upstream]
response_timeout = "200ms"
"""


def refusal(kind, call):
    """The SDK's exception from `call`, which the gate refused by itself."""
    with pytest.raises(kind) as refused:
        call()
    assert refused.value.response.headers["x-tidegate-source"] == "tidegate"
    return refused.value


def assert_hints(error):
    """Asserts that a refusal says when to come back: between 1 and 60 seconds, both ways of saying it agreeing."""
    seconds = int(error.response.headers["retry-after"])
    assert 1 <= seconds <= 60
    assert abs(int(error.response.headers["retry-after-ms"]) / 1000 - seconds) <= 1


def assert_names_pool(error, pool, limit):
    """Asserts that a refusal names the pool that refused, and its limit, to people and to programs."""
    assert error.type == "rate_limit_error"
    assert error.body["tidegate"]["pool"] == pool
    assert error.body["tidegate"]["limit"] == limit
    assert pool in error.message


def test_a_wait_too_long_is_refused_on_arrival(mock, gate_with, client_of):
    gate = gate_with(ONE_AN_HOUR.format(max_wait="30s", max_waiting=10), mock.url)
    client = client_of(gate, timeout=25)
    client.chat.completions.create(**CHAT)
    error = refusal(openai.RateLimitError, lambda: client.chat.completions.create(**CHAT))
    assert error.code == "tidegate_wait_too_long"
    assert_names_pool(error, "chat", "1/h")
    assert_hints(error)
    assert error.body["tidegate"]["eta_ms"] > 30_000
    assert error.body["tidegate"]["position"] == 1
    assert "you wait at most 25 s" in error.message
    assert gate.status()["waiting"] == 0


def test_a_full_queue_is_refused(mock, gate_with, client_of):
    gate = gate_with(ONE_AN_HOUR.format(max_wait="2h", max_waiting=1), mock.url)
    client = client_of(gate, timeout=7200)
    client.chat.completions.create(**CHAT)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.chat.completions.create, **CHAT)
        gate.wait_for_waiting(1)
        error = refusal(openai.RateLimitError, lambda: client.chat.completions.create(**CHAT))
        gate.stop()
        assert isinstance(waiting.exception(HANGS), openai.APIConnectionError)
    assert error.code == "tidegate_queue_full"
    assert error.body["tidegate"]["waiting"] == 1
    assert_names_pool(error, "chat", "1/h")
    assert_hints(error)


def test_what_never_fits_is_refused_for_good(mock, gate_with, client_of):
    gate = gate_with(NEVER_FITS, mock.url)
    client = client_of(gate)
    files = [f"file-{n}" for n in range(4)]
    error = refusal(openai.RateLimitError, lambda: client.vector_stores.create(file_ids=files))
    assert error.code == "tidegate_never_fits"
    assert error.response.headers["x-should-retry"] == "false"
    assert_names_pool(error, "attached", "3/min")


def test_a_client_over_its_quota_is_refused_and_others_are_not(mock, gate_with, client_of):
    gate = gate_with(CLIENT_QUOTA, mock.url)
    wild, calm = client_of(gate, api_key="sk-wild"), client_of(gate, api_key="sk-calm")
    wild.chat.completions.create(**CHAT)
    error = refusal(openai.RateLimitError, lambda: wild.chat.completions.create(**CHAT))
    assert error.code == "tidegate_client_quota"
    assert_hints(error)
    assert calm.chat.completions.create(**CHAT).choices


def test_an_upstream_that_cannot_be_reached_is_a_502(gate_with, client_of):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        gate = gate_with("", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        client = client_of(gate)
        error = refusal(openai.InternalServerError, lambda: client.chat.completions.create(**CHAT))
    assert error.status_code == 502
    assert error.code == "tidegate_upstream_unreachable"


def test_an_upstream_that_does_not_answer_is_a_504(gate_with, client_of):
    # Where its SDK says how long it waits, the gate waits no less; without a timeout it says nothing.
    with Mock("--latency", "1h") as slow:
        client = client_of(gate_with(IMPATIENT, slow.url), timeout=None)
        error = refusal(openai.InternalServerError, lambda: client.chat.completions.create(**CHAT))
    assert error.status_code == 504
    assert error.code == "tidegate_upstream_timeout"


def test_the_waiting_are_told_when_the_gate_drains(mock, gate_with, client_of):
    gate = gate_with(ONE_AN_HOUR.format(max_wait="2h", max_waiting=10), mock.url)
    client = client_of(gate, timeout=7200)
    client.chat.completions.create(**CHAT)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(client.chat.completions.create, **CHAT)
        gate.wait_for_waiting(1)
        gate.terminate()
        error = waiting.exception(HANGS)
    assert isinstance(error, openai.InternalServerError)
    assert error.status_code == 503
    assert error.code == "tidegate_draining"
    assert_hints(error)
    assert gate.process.wait(HANGS) == 0
