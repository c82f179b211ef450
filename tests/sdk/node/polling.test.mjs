// Fifty clients poll one run: the upstream is asked once an interval, and each learns in time what became of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import OpenAI from "openai";

import { startGate, startMock } from "./programs.mjs";

const [POLLERS, WORK] = [50, 3000];
// As the gate is shipped: how long an answer serves.
const REUSE = 500;
// What a slow machine may add.
const SLACK = 1000;

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

for (const [who, options, interval] of [
  ["of half a second", { pollIntervalMs: 500 }, 500],
  ["as they are", undefined, 5000],
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
    assert.ok(counted.asked >= POLLERS * (1 + Math.floor(WORK / (interval + SLACK))));
    assert.ok(last - done <= REUSE + interval + SLACK);
  });
}
