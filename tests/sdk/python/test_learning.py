"""Limits that nobody wrote down, and refusals of the upstream: what an app sees of them, which is nothing."""

import asyncio

import openai
import pytest
from programs import Mock

THREADS = """
extends = "none"

[pools.posts]
requests = ["300/{minute}"]
margin = "25ms"

[[routes]]
match = "POST /v1/threads"
pools = ["posts"]
"""

pytestmark = pytest.mark.anyio

CHAT = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Say hello."}]}


async def all_of(gate, call, count, at_once=40):
    """The outcomes of `call(client)`, so many times, by an app that never tries again."""
    turns = asyncio.Semaphore(at_once)
    async with openai.AsyncOpenAI(base_url=f"{gate.url}/v1", api_key="sk-test", max_retries=0) as client:

        async def one(turn):
            async with turns:
                return await call(client, turn)

        return await asyncio.gather(*(one(turn) for turn in range(count)), return_exceptions=True)


def assert_all(outcomes):
    failed = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert not failed, failed[:3]


async def test_a_hidden_limit_reaches_no_app(gate_with):
    with Mock("--scale", "0.6", "--minute", "3s", "--window", "sliding") as mock:
        # The stand-in counts what Tidegate ships: 300 POSTs in its minute of three seconds, of which six tenths are there.
        gate = gate_with(THREADS.format(minute="3s"), mock.url)
        outcomes = await all_of(gate, lambda client, _: client.beta.threads.create(), 500)
        assert_all(outcomes)
        stats = mock.stats()
        assert stats["admitted"] == 500
        print(f"learning: {stats['denied']} refused by the upstream")
        assert any("posts" == pool["name"] for pool in gate.status()["pools"])


@pytest.mark.parametrize("headers", [[], ["--no-ratelimit-headers"]], ids=["told by headers", "told by refusals"])
async def test_models_are_paced_without_any_configuration(gate_with, headers):
    with Mock("--tpm", "30000", "--rpm", "500", *headers) as mock:
        gate = gate_with("", mock.url)

        async def call(client, turn):
            if turn % 2:
                stream = await client.chat.completions.create(**CHAT, max_tokens=600, stream=True)
                return [event async for event in stream]
            return await client.chat.completions.create(**CHAT, max_tokens=600)

        outcomes = await all_of(gate, call, 56)
        assert_all(outcomes)
        stats = mock.stats()
        assert stats["admitted"] == 56
        print(f"learning: {stats['denied']} refused by the upstream")


@pytest.mark.parametrize("kind", ["insufficient-quota", "credit-balance", "too-large"])
def test_what_waiting_cannot_help_is_told_at_once(gate_with, client_of, kind):
    with Mock("--refuse", kind) as mock:
        client = client_of(gate_with("", mock.url), max_retries=2)
        with pytest.raises(openai.RateLimitError) as refused:
            client.chat.completions.create(**CHAT)
        headers = refused.value.response.headers
        assert headers["x-tidegate-source"] == "upstream"
        assert headers["x-should-retry"] == "false"
        assert mock.stats()["denied"] == 1


@pytest.mark.parametrize("kind", ["request-type", "engine-overloaded", "overloaded", "flex", "html"])
async def test_what_passes_by_itself_reaches_no_app(gate_with, kind):
    with Mock("--refuse", kind, "--refuse-share", "0.1") as mock:
        gate = gate_with("", mock.url)
        outcomes = await all_of(gate, lambda client, _: client.embeddings.create(model="m", input="x"), 30, at_once=10)
        assert_all(outcomes)
        assert mock.stats()["admitted"] == 30
