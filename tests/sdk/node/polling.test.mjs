// Fifty clients poll one run: the upstream is asked once an interval, and each learns what became of it.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import OpenAI from "openai";

import { startGate, startMock } from "./programs.mjs";

const [POLLERS, WORK] = [50, 3000];
// As the gate is shipped: how long an answer serves.
const REUSE = 500;

const ROUTE = "GET /v1/threads/{thread_id}/runs/{run_id}";

// A stand-in whose runs take some time, and the gate before it, as they are shipped; a thread and an assistant.
async function scene(t) {
  const mock = await startMock("--work", `${WORK}ms`);
  const gate = await startGate(mock.url);
  t.after(async () => {
    await gate.stop();
    await mock.stop();
  });
  const client = ({ url }) => new OpenAI({ baseURL: `${url}/v1`, apiKey: "sk-test", maxRetries: 0 }).beta;
  const direct = client(mock);
  const assistant = await direct.assistants.create({ model: "gpt-4o-mini" });
  const thread = await direct.threads.create();
  return { mock, gate, direct: direct.threads.runs, runs: client(gate).threads.runs, assistant, thread };
}

// Polls the upstream itself until the run is over; gives when that was, and how often it has asked.
async function watch(direct, run) {
  for (let asked = 1; ; asked++) {
    const { status } = await direct.retrieve(run.id, { thread_id: run.thread_id });
    if (status === "completed") return { done: performance.now(), asked };
    await sleep(50);
  }
}

async function json(url) {
  return (await fetch(url)).json();
}

for (const [who, options] of [
  ["of half a second", { pollIntervalMs: 500 }],
  ["as they are", undefined],
]) {
  test(`fifty poll helpers ${who} poll one run`, async (t) => {
    const { mock, gate, direct, runs, assistant, thread } = await scene(t);
    const began = performance.now();
    const learned = [];
    const learns = async (polling) => {
      assert.equal((await polling).status, "completed");
      learned.push(performance.now());
    };
    const creates = learns(runs.createAndPoll(thread.id, { assistant_id: assistant.id }, options));
    let found;
    let listed = 0;
    for (; !found; listed++) [found] = (await direct.list(thread.id)).data;
    const poll = () => learns(runs.poll(found.id, { thread_id: thread.id }, options));
    const others = Array.from({ length: POLLERS - 1 }, poll);
    const [{ done, asked }] = await Promise.all([watch(direct, found), creates, ...others]);
    const { pools } = await json(`${mock.url}/__mock/stats`);
    const calls = pools.find(({ pool }) => pool === "assistants-get").admitted - asked - listed;
    const { coalesced } = await json(`${gate.admin}/status`);
    const counted = coalesced.find(({ route }) => route === ROUTE);
    const last = Math.max(...learned);
    t.diagnostic(`${counted.asked} polls, ${calls} calls; the last learned ${Math.round(last - done)} ms after the end`);
    assert.equal(learned.length, POLLERS);
    assert.equal(counted.calls, calls);
    assert.ok(calls <= (last - began) / REUSE + 1);
    assert.ok(counted.asked >= POLLERS);
  });
}

const [MANY, POOL, WINDOW] = [40, 60, 6];

// Half of it is for polls, so that forty runs are each asked for every 8 s. The SDK asks every 5 s of itself.
const PACED = `
extends = "none"

[pools.gets]
requests = ["${POOL}/${WINDOW}s"]

[[routes]]
match = "GET /v1/threads/{*rest}"
pools = ["gets"]

[[routes]]
match = "${ROUTE}"
pools = ["gets"]
coalesce = true
reuse = "500ms"
`;
const EVERY = (MANY * WINDOW * 1000) / (POOL / 2);

test("helpers that poll many runs are told their pace at first and keep to their share", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "tidegate-"));
  const file = join(folder, "polling.toml");
  await writeFile(file, PACED);
  const mock = await startMock("--window", "sliding", "--work", `${WORK}ms`, "--config", file);
  const gate = await startGate(mock.url, "--config", file);
  t.after(async () => {
    await gate.stop();
    await mock.stop();
    await rm(folder, { recursive: true });
  });
  const polls = new Map();
  const listening = async (url, init) => {
    const began = performance.now();
    const response = await fetch(url, init);
    const after = response.headers.get("openai-poll-after-ms");
    if (init.method === "GET") {
      polls.set(url, [...(polls.get(url) ?? []), { began, came: performance.now(), after: after && Number(after) }]);
    }
    return response;
  };
  const client = new OpenAI({ baseURL: `${gate.url}/v1`, apiKey: "sk-test", maxRetries: 0, fetch: listening }).beta;
  const assistant = await client.assistants.create({ model: "gpt-4o-mini" });
  const began = performance.now();
  const learns = async () => {
    const thread = await client.threads.create();
    return client.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
  };
  const runs = await Promise.all(Array.from({ length: MANY }, learns));
  const took = performance.now() - began;
  const { denied, pools } = await json(`${mock.url}/__mock/stats`);
  const calls = pools.find(({ pool }) => pool === "gets").admitted;
  const all = [...polls.values()];
  t.diagnostic(`${all.flat().length} polls, ${calls} calls in ${Math.round(took)} ms; ${denied} refused by the upstream`);
  assert.ok(runs.every(({ status }) => status === "completed"));
  assert.equal(all.length, MANY);
  // Twenty-five runs each asked for every 5 s are half of the pool. A machine may be so slow that some runs are over before
  // the last begins; then fewer share it.
  assert.ok(all.filter(([first]) => first.after === null).length >= 25);
  const told = all.flat().filter(({ after }) => after !== null);
  assert.ok(told.every(({ after }) => after > 5000 && after <= EVERY));
  for (const poll of all) {
    poll.slice(1).forEach(({ began }, turn) => assert.ok(began - poll[turn].came >= (poll[turn].after ?? 5000) - 20));
  }
  assert.ok(calls <= MANY + (POOL / 2) * (took / WINDOW / 1000) + 1);
});
