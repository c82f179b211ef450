// A crowd at default settings: 200 concurrent calls for three minutes' worth of one pool.
//
// A minute takes two seconds here, and sixty with CROWD_MINUTE=60 (`make crowd`). The longest wait is two minutes, so a
// third of the crowd is refused at first, told when to come back, and has to find its turn then.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

import OpenAI from "openai";

import { startGate, startMock } from "./programs.mjs";

const [CALLS, LIMIT] = [200, 66];
const MINUTE = Number(process.env.CROWD_MINUTE ?? 2);
const QUICK_MS = 100;
const BOUND = { timeout: (5 * MINUTE + 60) * 1000 };

const CROWD = `
[pools.crowd]
requests = ["${LIMIT}/${MINUTE}s"]
margin = "500ms"
max_wait = "${2 * MINUTE}s"

[[routes]]
match = "POST /v1/threads"
pools = ["crowd"]
`;

// A gate, and the stand-in behind it, which enforces the same limit on every trailing window.
async function crowded(t) {
  const folder = await mkdtemp(join(tmpdir(), "tidegate-"));
  const file = join(folder, "crowd.toml");
  await writeFile(file, CROWD);
  const mock = await startMock("--window", "sliding", "--config", file);
  const gate = await startGate(mock.url, "--config", file);
  t.after(async () => {
    await gate.stop();
    await mock.stop();
    await rm(folder, { recursive: true });
  });
  const stats = async () => (await fetch(`${mock.url}/__mock/stats`)).json();
  return { gate, stats };
}

// Sends the crowd; gives what each call came to, and every round trip, whatever the SDK makes of it.
async function crowd(gate, options) {
  const rounds = [];
  const timed = async (url, init) => {
    const began = performance.now();
    const response = await fetch(url, init);
    const attempt = Number(new Headers(init.headers).get("x-stainless-retry-count"));
    const hint = response.headers.get("retry-after-ms");
    const came = performance.now();
    rounds.push({ attempt, status: response.status, took: came - began, came, hint: hint && Number(hint) });
    return response;
  };
  const client = new OpenAI({ baseURL: `${gate.url}/v1`, apiKey: "sk-test", fetch: timed });
  const call = async (turn) => {
    await sleep(turn * 4);
    return client.beta.threads.create(undefined, options);
  };
  // One event loop sends and reads everything here; this is how long at most it stands still.
  const delay = monitorEventLoopDelay({ resolution: 2 });
  delay.enable();
  const outcomes = await Promise.allSettled(Array.from({ length: CALLS }, (_, turn) => call(turn)));
  const served = outcomes.filter(({ status }) => status === "fulfilled").map(({ value }) => value.id);
  const failed = outcomes.filter(({ status }) => status === "rejected").map(({ reason }) => reason);
  delay.disable();
  return { served, failed, stalled: delay.max / 1e6, refused: rounds.filter(({ status }) => status === 429) };
}

// Those refused on arrival come back between a second and a minute later, and not as a herd: in a tenth of a minute at
// most five times as many as the pool takes in it.
function assertSlots(refused) {
  const told = refused.filter(({ attempt }) => attempt === 0);
  assert.ok(told.every(({ hint }) => hint >= 1000 && hint <= 60_000));
  const back = told.map(({ came, hint }) => came + hint).sort((a, b) => a - b);
  const herd = Math.floor((5 * LIMIT) / 10);
  assert.ok(back.slice(herd).every((last, index) => last - back[index] > MINUTE * 100));
  return told.length;
}

test("a crowd of three minutes is served to the last call", BOUND, async (t) => {
  const { gate, stats } = await crowded(t);
  const began = performance.now();
  const { served, failed, refused } = await crowd(gate);
  const took = (performance.now() - began) / 1000;
  t.diagnostic(`${served.length} of ${CALLS} served in ${took.toFixed(1)} s, ${refused.length} refused on the way`);
  assert.deepEqual(failed, []);
  const { admitted, denied } = await stats();
  assert.deepEqual([new Set(served).size, admitted, denied], [CALLS, CALLS, 0]);
  // Whose turn comes within two minutes is not refused; a few may be by the time that the crowd takes to come.
  const first = assertSlots(refused);
  assert.ok(first >= CALLS - 3 * LIMIT && first <= CALLS - 2 * LIMIT + 6);
  assert.ok(took < 3 * (MINUTE + 0.5) + 5);
});

for (const [who, options] of [
  ["too short a timeout", { timeout: 1000 }],
  ["too short a timeout that never comes back", { timeout: 1000, maxRetries: 0 }],
]) {
  test(`a crowd with ${who} is told at once`, BOUND, async (t) => {
    const { gate, stats } = await crowded(t);
    const { served, failed, stalled, refused } = await crowd(gate, options);
    const late = failed.filter((error) => !(error instanceof OpenAI.RateLimitError));
    const slowest = refused.map(({ took }) => took).sort((a, b) => a - b).slice(-5);
    const told = failed.length - late.length;
    t.diagnostic(`${served.length} served, ${told} told, ${late.length} in vain`);
    t.diagnostic(`${refused.length} refusals, the slowest ${slowest.map(Math.round)} ms (stalled ${Math.round(stalled)} ms)`);
    assert.deepEqual(late.map(({ constructor }) => constructor.name), []);
    const { admitted, denied } = await stats();
    assert.deepEqual([new Set(served).size, admitted, denied], [served.length, served.length, 0]);
    assert.ok(served.length >= LIMIT);
    assert.ok(assertSlots(refused) > 0);
    // The middle of the slowest five, less what this process has stood still itself.
    assert.ok(slowest[Math.floor(slowest.length / 2)] - stalled < QUICK_MS);
  });
}
