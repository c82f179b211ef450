"""The realtime WebSocket, relayed by the gate."""

import pytest

MODEL = "gpt-realtime"
MESSAGE = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Say hello."}],
}

pytestmark = pytest.mark.anyio


def assert_conversation(events):
    """Asserts that the session opened and that an answer came to its end, with words in it."""
    assert events[0].type == "session.created"
    assert events[-1].type == "response.done"
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta")


def test_a_realtime_session_converses(client):
    events = []
    with client.realtime.connect(model=MODEL) as connection:
        connection.conversation.item.create(item=MESSAGE)
        connection.response.create()
        for event in connection:
            events.append(event)
            if event.type == "response.done":
                break
    assert_conversation(events)


async def test_a_realtime_session_converses_asynchronously(aclient):
    events = []
    async with aclient.realtime.connect(model=MODEL) as connection:
        await connection.conversation.item.create(item=MESSAGE)
        await connection.response.create()
        async for event in connection:
            events.append(event)
            if event.type == "response.done":
                break
    assert_conversation(events)
