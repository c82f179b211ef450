"""What the gate is for: many requests at once earn no refusal, and who leaves gives the place back."""

import asyncio
import time

import openai
import pytest
from programs import Mock

REQUESTS, WORKERS, LIMIT, WINDOW = 40, 20, 10, 2

PACED = f"""
extends = "none"

[pools.post]
requests = ["{LIMIT}/{WINDOW}s"]
margin = "25ms"

[[routes]]
match = "POST /v1/threads"
pools = ["post"]
"""

ONE_AN_HOUR = """
extends = "none"

[pools.post]
requests = ["1/h"]
max_wait = "2h"

[[routes]]
match = "POST /v1/threads"
pools = ["post"]
"""

# What a client says that would wait for two hours, whatever it does then.
PATIENT = {"x-stainless-read-timeout": "7200"}

pytestmark = pytest.mark.anyio


async def create_threads(client, count, workers):
    """Creates `count` threads, `workers` at a time, and returns their ids."""
    turns = iter(range(count))

    async def work():
        return [(await client.beta.threads.create()).id for _ in turns]

    return sum(await asyncio.gather(*(work() for _ in range(workers))), [])


async def test_a_batch_far_over_the_limit_takes_its_time(gate_with, tmp_path):
    limits = tmp_path / "limits.toml"
    # The upstream takes all at once, so that nobody but the gate holds them back.
    limits.write_text(PACED.replace(f"{LIMIT}/", f"{REQUESTS}/"))
    with Mock("--window", "sliding", "--config", str(limits)) as mock:
        gate = gate_with(PACED, mock.url)
        async with openai.AsyncOpenAI(base_url=f"{gate.url}/v1", api_key="sk-test", max_retries=0) as client:
            began = time.monotonic()
            ids = await create_threads(client, REQUESTS, WORKERS)
            took = time.monotonic() - began
        stats = mock.stats()
    assert len(set(ids)) == REQUESTS
    assert (stats["admitted"], stats["denied"]) == (REQUESTS, 0)
    assert took >= (REQUESTS / LIMIT - 1) * WINDOW


async def test_a_batch_sent_directly_is_refused(tmp_path):
    limits = tmp_path / "limits.toml"
    # However slowly it comes.
    limits.write_text(PACED.replace(f"/{WINDOW}s", "/h"))
    with Mock("--window", "sliding", "--config", str(limits)) as mock:
        async with openai.AsyncOpenAI(base_url=f"{mock.url}/v1", api_key="sk-test", max_retries=0) as client:
            with pytest.raises(openai.RateLimitError):
                await create_threads(client, REQUESTS, WORKERS)
        assert mock.stats()["denied"] > 0


@pytest.fixture
async def waiting(mock, gate_with):
    """A gate whose only place is taken, and a client of it."""
    gate = gate_with(ONE_AN_HOUR, mock.url)
    async with openai.AsyncOpenAI(base_url=f"{gate.url}/v1", api_key="sk-test", max_retries=0) as client:
        await client.beta.threads.create()
        yield gate, client


async def test_a_client_that_times_out_leaves_the_queue(waiting):
    gate, client = waiting
    with pytest.raises(openai.APITimeoutError):
        await client.beta.threads.create(timeout=0.5, extra_headers=PATIENT)
    await asyncio.to_thread(gate.wait_for_waiting, 0)


async def test_a_client_that_gives_up_leaves_the_queue(waiting):
    gate, client = waiting
    call = asyncio.create_task(client.beta.threads.create(extra_headers=PATIENT))
    await asyncio.to_thread(gate.wait_for_waiting, 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await asyncio.to_thread(gate.wait_for_waiting, 0)
