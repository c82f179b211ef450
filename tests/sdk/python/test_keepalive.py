"""A stream that waits long on a route with a keepalive: it goes on as any, and fails as an APIError."""

import openai
import pytest
from programs import Mock

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello."}]}

KEPT = """
extends = "none"

[pools.chat]
requests = ["1/2s"]
margin = "500ms"
max_wait = "{max_wait}"

[[routes]]
match = "POST /v1/chat/completions"
pools = ["chat"]
keepalive = "1s"
"""


def kept_stream(client, **options):
    """A stream whose head came while it waited. If this machine is so slow that the window is over, nothing has to wait,
    and the window begins anew with each request: it is asked for until it waits."""
    while True:
        try:
            raw = client.chat.completions.with_raw_response.create(**{**CHAT, **options}, stream=True)
        except openai.BadRequestError:
            continue
        if raw.headers["x-tidegate-source"] == "tidegate":
            assert int(raw.headers["x-tidegate-wait-ms"]) >= 1000
            return raw.parse()
        list(raw.parse())


def test_a_stream_that_waited_is_the_same(mock, gate_with, client_of):
    client = client_of(gate_with(KEPT.format(max_wait="1m"), mock.url))
    choices = [chunk.choices[0] for chunk in kept_stream(client) if chunk.choices]
    assert "".join(choice.delta.content or "" for choice in choices)
    assert choices[-1].finish_reason == "stop"


def test_an_error_of_the_upstream_is_raised_from_the_stream(mock, gate_with, client_of):
    client = client_of(gate_with(KEPT.format(max_wait="1m"), mock.url))
    stream = kept_stream(client, model="", messages=[], extra_body={"model": None})
    with pytest.raises(openai.APIError) as raised:
        list(stream)
    assert type(raised.value) is openai.APIError
    assert raised.value.message and raised.value.type == "invalid_request_error"


def test_a_refusal_of_the_gates_is_raised_from_the_stream(mock, gate_with, client_of):
    gate = gate_with(KEPT.format(max_wait="1h").replace("1/2s", "1/min"), mock.url)
    stream = kept_stream(client_of(gate))
    gate.terminate()
    with pytest.raises(openai.APIError) as raised:
        list(stream)
    assert type(raised.value) is openai.APIError
    assert raised.value.code == "tidegate_draining"
