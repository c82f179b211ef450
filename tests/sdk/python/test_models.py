"""The endpoints that run a model: chat, responses, embeddings, and the list of models."""

import openai
import pytest
from passage import assert_through_gate

MODEL = "gpt-4o-mini"
MESSAGES = [{"role": "user", "content": "Say hello."}]

pytestmark = pytest.mark.anyio


def test_a_chat_completion_answers(client):
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    assert_through_gate(raw, "models")
    completion = raw.parse()
    assert completion.object == "chat.completion"
    assert completion.model == MODEL
    assert completion.choices[0].message.role == "assistant"
    assert completion.choices[0].message.content
    assert completion.usage.total_tokens > 0


async def test_a_chat_completion_answers_asynchronously(aclient):
    raw = await aclient.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    assert_through_gate(raw, "models")
    assert raw.parse().choices[0].message.content


def test_a_chat_completion_streams_the_same_words(client):
    whole = client.chat.completions.create(model=MODEL, messages=MESSAGES).choices[0].message.content
    raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES, stream=True)
    assert_through_gate(raw, "models")
    assert raw.headers["content-type"].startswith("text/event-stream")
    choices = [chunk.choices[0] for chunk in raw.parse() if chunk.choices]
    assert len(choices) > 2
    assert "".join(choice.delta.content or "" for choice in choices) == whole
    assert choices[-1].finish_reason == "stop"


async def test_a_chat_completion_streams_asynchronously(aclient):
    stream = await aclient.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    words = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    assert len(words) > 2
    assert "".join(words)


def test_a_response_answers(client):
    raw = client.responses.with_raw_response.create(model=MODEL, input="Say hello.")
    assert_through_gate(raw, "models")
    response = raw.parse()
    assert response.object == "response"
    assert response.status == "completed"
    assert response.output_text


async def test_a_response_answers_asynchronously(aclient):
    response = await aclient.responses.create(model=MODEL, input="Say hello.")
    assert response.output_text


def test_a_response_streams_its_events_in_order(client):
    with client.responses.stream(model=MODEL, input="Say hello.") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [events[0].type, events[-1].type] == ["response.created", "response.completed"]
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == final.output_text != ""


async def test_a_response_streams_asynchronously(aclient):
    stream = await aclient.responses.create(model=MODEL, input="Say hello.", stream=True)
    events = [event async for event in stream]
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text


def test_embeddings_come_one_for_each_input(client):
    raw = client.embeddings.with_raw_response.create(model="text-embedding-3-small", input=["one", "two"])
    assert_through_gate(raw, "models")
    embeddings = raw.parse().data
    assert [embedding.index for embedding in embeddings] == [0, 1]
    assert all(isinstance(value, float) for value in embeddings[0].embedding)


async def test_embeddings_come_asynchronously(aclient):
    answer = await aclient.embeddings.create(model="text-embedding-3-small", input="one")
    assert len(answer.data[0].embedding) > 0


def test_models_are_listed_and_found(client):
    raw = client.models.with_raw_response.list()
    assert_through_gate(raw)
    first = raw.parse().data[0]
    assert client.models.retrieve(first.id).id == first.id


async def test_models_are_listed_asynchronously(aclient):
    assert [model.id async for model in aclient.models.list()]


def test_a_base_url_without_v1_takes_the_same_route(client, client_of, gate_with, mock):
    usual = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    gate = gate_with("", f"{mock.url}/v1")
    forgetful = client_of(gate, base_url=gate.url)
    raw = forgetful.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    assert raw.headers["x-tidegate-route"] == usual.headers["x-tidegate-route"]
    assert raw.parse().choices[0].message.content


def test_an_error_of_the_upstream_passes_unchanged(client):
    with pytest.raises(openai.NotFoundError) as refused:
        client.models.retrieve("no-such-model")
    assert refused.value.response.headers["x-tidegate-source"] == "upstream"
