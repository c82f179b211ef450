"""The Assistants API: assistants, threads, messages, and runs created, polled and streamed."""

import pytest
from passage import assert_through_gate

MODEL = "gpt-4o-mini"
RUN_POOLS = ("assistants-runs", "assistants-post")

pytestmark = pytest.mark.anyio


@pytest.fixture
def thread(client):
    """A thread with one question in it."""
    return client.beta.threads.create(messages=[{"role": "user", "content": "Say hello."}])


@pytest.fixture
def assistant(client):
    """An assistant to run."""
    return client.beta.assistants.create(model=MODEL, name="Greeter")


def test_an_assistant_is_created_found_and_deleted(client):
    raw = client.beta.assistants.with_raw_response.create(model=MODEL, name="Greeter")
    assert_through_gate(raw, "assistants-post")
    created = raw.parse()
    found = client.beta.assistants.with_raw_response.retrieve(created.id)
    assert_through_gate(found, "assistants-get")
    assert found.parse().name == "Greeter"
    deleted = client.beta.assistants.with_raw_response.delete(created.id)
    assert_through_gate(deleted, "assistants-delete")
    assert deleted.parse().deleted


def test_a_thread_takes_messages(client):
    raw = client.beta.threads.with_raw_response.create()
    assert_through_gate(raw, "assistants-post")
    thread = raw.parse()
    message = client.beta.threads.messages.create(thread.id, role="user", content="Say hello.")
    assert message.thread_id == thread.id
    assert message.content[0].text.value == "Say hello."


def test_a_run_is_charged_to_its_own_pool_and_to_the_posts(client, assistant, thread):
    raw = client.beta.threads.runs.with_raw_response.create(thread.id, assistant_id=assistant.id)
    assert_through_gate(raw, *RUN_POOLS)
    assert raw.parse().thread_id == thread.id


def test_a_run_is_created_and_polled_to_its_end(client, assistant, thread):
    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=50
    )
    assert run.status == "completed"
    answers = [message for message in client.beta.threads.messages.list(thread.id) if message.role == "assistant"]
    assert answers[0].content[0].text.value


def test_a_thread_and_its_run_are_created_in_one_call(client, assistant):
    raw = client.beta.threads.with_raw_response.create_and_run(assistant_id=assistant.id)
    assert_through_gate(raw, *RUN_POOLS)
    assert raw.parse().assistant_id == assistant.id


def test_a_run_streams_its_text(client, assistant, thread):
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        text = "".join(stream.text_deltas)
        run = stream.get_final_run()
    assert text
    assert run.status == "completed"


async def test_a_run_is_created_and_polled_asynchronously(aclient):
    assistant = await aclient.beta.assistants.create(model=MODEL)
    thread = await aclient.beta.threads.create(messages=[{"role": "user", "content": "Say hello."}])
    run = await aclient.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=50
    )
    assert run.status == "completed"


async def test_a_run_streams_asynchronously(aclient):
    assistant = await aclient.beta.assistants.create(model=MODEL)
    thread = await aclient.beta.threads.create(messages=[{"role": "user", "content": "Say hello."}])
    async with aclient.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        text = "".join([delta async for delta in stream.text_deltas])
    assert text
