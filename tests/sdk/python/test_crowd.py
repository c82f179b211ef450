"""A crowd at default settings: 200 concurrent calls for three minutes' worth of one pool.

A minute takes two seconds here, and sixty with `CROWD_MINUTE=60` (`make crowd`). The longest wait is two minutes, so a
third of the crowd is refused at first, told when to come back, and has to find its turn then. What depends on how fast
this machine is, is printed: how long it took, how often the upstream refused, how soon refusals came.
"""

import asyncio
import os
import statistics
import time

import openai
import pytest
from programs import HANGS, Mock

CALLS, LIMIT = 200, 66
MINUTE = int(os.environ.get("CROWD_MINUTE", "2"))

CROWD = f"""
extends = "none"

[pools.crowd]
requests = ["{LIMIT}/{MINUTE}s"]
margin = "500ms"
max_wait = "{2 * MINUTE}s"

[[routes]]
match = "POST /v1/threads"
pools = ["crowd"]
"""

# What a client says that would wait for a second. Whether this machine would have been quick enough is another matter.
HURRIED = {"x-stainless-read-timeout": "1"}

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(10 * MINUTE + HANGS)]


@pytest.fixture
def crowded(gate_with, tmp_path):
    """Starts a gate and the stand-in behind it, which enforces the same limit on every trailing window."""
    mocks = []

    def start(config):
        limits = tmp_path / "limits.toml"
        limits.write_text(config)
        mocks.append(Mock("--window", "sliding", "--config", str(limits)))
        return gate_with(config, mocks[-1].url), mocks[-1]

    yield start
    for mock in mocks:
        mock.stop()


class Rounds:
    """Every refusal that a crowd met, whatever the SDK makes of it: attempt, seconds until it came, retry-after-ms."""

    def __init__(self):
        self.refused = []

    async def begin(self, request):
        """As a request of httpx begins."""
        request.extensions["began"] = time.monotonic()

    async def end(self, response):
        """As its answer begins."""
        if response.status_code == 429:
            request, took = response.request, time.monotonic() - response.request.extensions["began"]
            attempt = int(request.headers["x-stainless-retry-count"])
            self.refused.append((attempt, took, int(response.headers["retry-after-ms"])))


async def crowd(gate, headers=None, **options):
    """Sends the crowd, and gives what each call came to and its refusals; nothing fails but with a RateLimitError."""
    rounds, began = Rounds(), time.monotonic()
    async with openai.AsyncOpenAI(base_url=f"{gate.url}/v1", api_key="sk-test", **options) as client:
        client._client.event_hooks = {"request": [rounds.begin], "response": [rounds.end]}
        calls = (client.beta.threads.create(extra_headers=headers) for _ in range(CALLS))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
    took, failed = time.monotonic() - began, [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    slowest = statistics.quantiles([took for _, took, _ in rounds.refused] or [0, 0], n=20)[-1]
    print(
        f"crowd: {CALLS - len(failed)} of {CALLS} served in {took:.1f} s, {len(rounds.refused)} refused on the way, "
        f"95 of 100 of them within {slowest:.3f} s"
    )
    assert {type(error).__name__ for error in failed} <= {"RateLimitError"}
    assert {error.code for error in failed} <= {"tidegate_wait_too_long"}
    assert all(1000 <= hint <= 60_000 for *_, hint in rounds.refused)
    return outcomes, rounds


def served(outcomes, mock):
    """How many succeeded: each has reached the upstream once."""
    served = [outcome.id for outcome in outcomes if not isinstance(outcome, BaseException)]
    stats = mock.stats()
    print(f"crowd: {stats['denied']} refused by the upstream")
    assert (len(set(served)), stats["admitted"]) == (len(served), len(served))
    return len(served)


async def test_a_crowd_at_default_settings_is_served_or_told(crowded):
    gate, mock = crowded(CROWD)
    outcomes, _ = await crowd(gate)
    # So many have their turn within the longest wait, and are not refused.
    assert served(outcomes, mock) >= 2 * LIMIT


async def test_a_crowd_that_keeps_coming_back_is_served_to_the_last_call(crowded):
    gate, mock = crowded(CROWD)
    outcomes, _ = await crowd(gate, max_retries=100)
    assert served(outcomes, mock) == CALLS


async def test_a_crowd_in_a_hurry_is_served_or_told(crowded):
    gate, mock = crowded(CROWD)
    outcomes, _ = await crowd(gate, HURRIED)
    assert served(outcomes, mock) >= LIMIT


async def test_a_crowd_in_a_hurry_that_never_comes_back_is_told_on_arrival(crowded):
    # A window that does not end while the crowd comes.
    gate, mock = crowded(CROWD.replace(f"/{MINUTE}s", "/h"))
    outcomes, rounds = await crowd(gate, HURRIED, max_retries=0)
    assert served(outcomes, mock) == LIMIT
    assert len(rounds.refused) == CALLS - LIMIT
