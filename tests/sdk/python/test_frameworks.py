"""Frameworks and other vendors' SDKs, unmodified but for their base URL: a call, a stream and a tool each."""

import asyncio
import subprocess

import anthropic
import openai
import pytest
from conftest import KEY
from passage import assert_through_gate

MODEL = "gpt-4o-mini"
QUESTION = "What time is it?"
MESSAGES = [{"role": "user", "content": QUESTION}]


@pytest.fixture
def base(gate):
    return f"{gate.url}/v1"


@pytest.fixture
def pooled(gate):
    """Asserts at the end that the models' pool has counted requests of the test: nothing went past it."""
    before = sent_by_models(gate)
    yield
    assert sent_by_models(gate) > before


def sent_by_models(gate):
    """How many requests the gate has sent on routes that take from the pool of the models."""
    return sum(route["passed"] for route in gate.status()["routes"] if "models" in route["pools"])


def test_langchain_answers_streams_and_calls_a_tool(base, pooled):
    from langchain_core.messages import HumanMessage
    from langchain_core.tools import tool
    from langchain_openai import ChatOpenAI, OpenAIEmbeddings

    @tool
    def clock() -> str:
        """Tells the time."""
        return "noon"

    chat = ChatOpenAI(model=MODEL, base_url=base, api_key=KEY, max_retries=0)
    assert chat.invoke(QUESTION).content
    assert "".join(chunk.content for chunk in chat.stream(QUESTION))
    asks = chat.bind_tools([clock]).invoke([HumanMessage(QUESTION)])
    assert asks.tool_calls[0]["name"] == "clock"
    told = chat.bind_tools([clock]).invoke([HumanMessage(QUESTION), asks, clock.invoke(asks.tool_calls[0])])
    assert told.content and not told.tool_calls
    embeddings = OpenAIEmbeddings(
        model="text-embedding-3-small", base_url=base, api_key=KEY, check_embedding_ctx_length=False
    )
    assert len(embeddings.embed_documents(["one", "two"])) == 2


def test_litellm_answers_and_streams(base, pooled):
    import litellm

    options = {"model": f"openai/{MODEL}", "messages": MESSAGES, "api_base": base, "api_key": KEY, "num_retries": 0}
    assert litellm.completion(**options).choices[0].message.content
    chunks = litellm.completion(**options, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_openai_agents_run_a_tool(base, pooled):
    from agents import Agent, OpenAIChatCompletionsModel, OpenAIResponsesModel, Runner, function_tool
    from agents import set_tracing_disabled

    set_tracing_disabled(True)
    called = []

    @function_tool
    def clock() -> str:
        """Tells the time."""
        called.append("clock")
        return "noon"

    async def run(model):
        async with openai.AsyncOpenAI(base_url=base, api_key=KEY, max_retries=0) as client:
            agent = Agent(name="watch", model=model(model=MODEL, openai_client=client), tools=[clock])
            result = await Runner.run(agent, QUESTION)
            streamed = Runner.run_streamed(agent, QUESTION)
            events = [event async for event in streamed.stream_events()]
            return result.final_output, streamed.final_output, len(events)

    for model in OpenAIResponsesModel, OpenAIChatCompletionsModel:
        whole, streamed, events = asyncio.run(run(model))
        assert whole and streamed and events
    assert len(called) == 4


def test_pydantic_ai_runs_a_tool(base, pooled):
    from pydantic_ai import Agent
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    called = []
    agent = Agent(OpenAIChatModel(MODEL, provider=OpenAIProvider(base_url=base, api_key=KEY)))

    @agent.tool_plain
    def clock() -> str:
        """Tells the time."""
        called.append("clock")
        return "noon"

    async def run():
        return (await agent.run(QUESTION)).output

    assert asyncio.run(run())
    assert called == ["clock"]


def test_anthropic_answers_streams_and_calls_a_tool(gate):
    with anthropic.Anthropic(base_url=gate.url, api_key="sk-ant-test", max_retries=0) as client:
        asked = {"model": "claude-sonnet-5", "max_tokens": 64, "messages": MESSAGES}
        raw = client.messages.with_raw_response.create(**asked)
        assert_through_gate(raw, "models")
        assert raw.parse().content[0].text
        with client.messages.stream(**asked) as stream:
            assert "".join(stream.text_stream)
        tools = [{"name": "clock", "description": "Tells the time.", "input_schema": {"type": "object"}}]
        call = client.messages.create(**asked, tools=tools)
        assert (call.stop_reason, call.content[0].name) == ("tool_use", "clock")


@pytest.mark.parametrize("upstream", ["", "/openai"])
def test_azure_answers_on_its_deployment(gate_with, mock, upstream):
    gate = gate_with("", f"{mock.url}{upstream}")
    with openai.AzureOpenAI(
        azure_endpoint=gate.url, api_key="azure-key", api_version="2024-10-21", max_retries=0
    ) as client:
        raw = client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
        assert_through_gate(raw, "models")
        assert raw.parse().model == MODEL
        chunks = client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        assert client.embeddings.create(model="text-embedding-3-small", input="one").data[0].embedding
    keys = [pool["key"] for pool in gate.status()["pools"]]
    assert any(key and key.startswith(f"{MODEL} ") for key in keys), keys


def test_an_openai_app_reaches_an_azure_deployment(gate_with, mock, client_of):
    url = f"{mock.url}/openai/deployments/{MODEL}?api-version=2024-10-21"
    client = client_of(gate_with("", url))
    raw = client.chat.completions.with_raw_response.create(model="whatever", messages=MESSAGES)
    assert_through_gate(raw, "models")
    assert raw.parse().model == MODEL


def test_curl_speaks_http_2(base):
    body = f'{{"model": "{MODEL}", "messages": [{{"role": "user", "content": "{QUESTION}"}}]}}'
    asks = ["curl", "--silent", "--show-error", "--http2-prior-knowledge", "--include", f"{base}/chat/completions"]
    headers = ["--header", f"authorization: Bearer {KEY}", "--header", "content-type: application/json"]
    said = subprocess.run([*asks, *headers, "--data", body], capture_output=True, text=True, check=True).stdout
    assert said.startswith("HTTP/2 200") and "x-tidegate-pools: models" in said and '"chat.completion"' in said, said
