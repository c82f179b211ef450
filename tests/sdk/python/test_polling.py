"""Fifty clients poll one run: the upstream is asked once an interval, and each learns what became of it."""

import asyncio
import time

import openai
import pytest
from programs import Gate, Mock

POLLERS, WORK = 50, 3.0
# As the gate is shipped: how long an answer serves.
REUSE = 0.5

ROUTE = "GET /v1/threads/{thread_id}/runs/{run_id}"
# What differs from answer to answer, or is the gate's own.
PASSING = ("date", "x-request-id", "x-tidegate-", "server-timing", "openai-poll-after-ms")

pytestmark = pytest.mark.anyio


class Scene:
    """A run that takes some time, and who polls it through the gate."""

    def __init__(self, mock, gate, direct, client):
        self.mock, self.gate, self.direct, self.runs = mock, gate, direct, client.beta.threads.runs
        self.began, self.watched, self.said, self.learned = time.monotonic(), 0, {}, []

    async def start(self):
        """A thread, and an assistant to run on it."""
        assistant = await self.direct.beta.assistants.create(model="gpt-4o-mini")
        thread = await self.direct.beta.threads.create()
        return {"thread_id": thread.id, "assistant_id": assistant.id}

    async def found(self, thread):
        """The run that somebody has begun there."""
        while True:
            self.watched += 1
            if runs := (await self.direct.beta.threads.runs.list(thread)).data:
                return runs[0]
            await asyncio.sleep(0.02)

    async def watch(self, run):
        """Polls the upstream itself until the run is over; gives when that was, and keeps what it said on the way."""
        while True:
            self.watched += 1
            raw = await self.direct.beta.threads.runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id)
            self.said[raw.parse().status] = of_upstream(raw)
            if raw.parse().status == "completed":
                return time.monotonic()
            await asyncio.sleep(0.05)

    async def learns(self, polling):
        """One who polls, to the end of it."""
        run = await polling
        assert run.status == "completed"
        self.learned.append(time.monotonic())

    async def by_hand(self, run):
        """As people write it; whatever it is told is what the upstream says itself."""
        while True:
            raw = await self.runs.with_raw_response.retrieve(run.id, thread_id=run.thread_id)
            run = raw.parse()
            if run.status in self.said:
                assert of_upstream(raw) == self.said[run.status]
            if run.status == "completed":
                return run
            await asyncio.sleep(0.5)

    async def judge(self, run, pollings):
        """Everybody polls to the end, and the upstream is asked no more often than answers grow old."""
        done, *_ = await asyncio.gather(self.watch(run), *(self.learns(polling) for polling in pollings))
        asked = sum(pool["admitted"] for pool in self.mock.stats()["pools"] if pool["pool"] == "assistants-get")
        calls, late = asked - self.watched, max(self.learned) - done
        counts = next(route for route in self.gate.status()["coalesced"] if route["route"] == ROUTE)
        print(f"polling: {counts['asked']} polls, {calls} calls; the last learned {late:.2f} s after the end")
        assert len(self.learned) == POLLERS
        assert counts["calls"] == calls <= (max(self.learned) - self.began) / REUSE + 1
        assert counts["asked"] >= POLLERS


def of_upstream(raw):
    """What an answer is apart from what the gate adds, byte for byte."""
    headers = [(name, value) for name, value in raw.headers.multi_items() if not name.startswith(PASSING)]
    return raw.status_code, headers, raw.content


@pytest.fixture
async def scene():
    """A stand-in whose runs take some time, and the gate before it, as they are shipped."""
    with Mock("--work", f"{WORK}s") as mock, Gate(mock.url) as gate:
        async with (
            openai.AsyncOpenAI(base_url=f"{mock.url}/v1", api_key="sk-test", max_retries=0) as direct,
            openai.AsyncOpenAI(base_url=f"{gate.url}/v1", api_key="sk-test", max_retries=0) as client,
        ):
            yield Scene(mock, gate, direct, client)


async def test_fifty_loops_of_half_a_second_poll_one_run(scene):
    run = await scene.direct.beta.threads.runs.create(**await scene.start())
    await scene.judge(run, [scene.by_hand(run) for _ in range(POLLERS)])


async def test_fifty_poll_helpers_poll_one_run(scene):
    asked, told = await scene.start(), []
    listen(scene.runs._client, told)
    creates = asyncio.create_task(scene.runs.create_and_poll(**asked))
    run = await scene.found(asked["thread_id"])
    others = [scene.runs.poll(run.id, thread_id=run.thread_id) for _ in range(POLLERS - 1)]
    await scene.judge(run, [creates, *others])
    assert [after for _, after in told if after] == [], "few who poll keep the pace of the SDK"


MANY, POOL, WINDOW = 20, 100, 6

# A tenth of a minute of the Assistants API, of which polls have half.
PACED = f"""
extends = "none"

[pools.gets]
requests = ["{POOL}/{WINDOW}s"]

[[routes]]
match = "GET /v1/threads/{{*rest}}"
pools = ["gets"]

[[routes]]
match = "{ROUTE}"
pools = ["gets"]
coalesce = true
reuse = "500ms"
"""


async def test_helpers_that_poll_many_runs_are_told_their_pace_at_first_and_keep_to_their_share(gate_with, tmp_path):
    limits, told = tmp_path / "limits.toml", []
    limits.write_text(PACED)
    with Mock("--window", "sliding", "--work", f"{WORK}s", "--config", str(limits)) as mock:
        gate = gate_with(PACED, mock.url)
        async with openai.AsyncOpenAI(base_url=f"{gate.url}/v1", api_key="sk-test", max_retries=0) as client:
            listen(client, told)
            assistant = await client.beta.assistants.create(model="gpt-4o-mini")
            threads = [await client.beta.threads.create() for _ in range(MANY)]
            began, create = time.monotonic(), client.beta.threads.runs.create_and_poll
            polls = [create(thread_id=thread.id, assistant_id=assistant.id) for thread in threads]
            runs = await asyncio.gather(*polls)
            took = time.monotonic() - began
        stats = mock.stats()
    assert {run.status for run in runs} == {"completed"}
    first = {}
    for path, after in told:
        first.setdefault(path, after)
    paces = [int(after) for _, after in told if after]
    gets = next(pool["admitted"] for pool in stats["pools"] if pool["pool"] == "gets")
    print(
        f"polling: {len(told)} polls, {gets} calls in {took:.1f} s; first paces {list(first.values())}; "
        f"{stats['denied']} refused by the upstream"
    )
    # Eight polls a second are half of the pool, and the SDK asks once a second of itself.
    every = MANY * WINDOW / (POOL / 2)
    # A machine may be so slow that some runs are over before the last begins; then fewer share the pool.
    assert all(1000 < pace <= every * 1000 for pace in paces)
    assert sum(after is None for after in first.values()) >= 8 and len(first) == MANY
    assert gets <= MANY + POOL / 2 * took / WINDOW + 1


def listen(client, told):
    """From now on keeps of every poll of a run what was asked for, and when the gate wants it to be asked for again."""

    async def hear(response):
        if response.request.method == "GET":
            told.append((response.request.url.path, response.headers.get("openai-poll-after-ms")))

    client._client.event_hooks = {"response": [hear]}
