// A crowd at default settings: 200 concurrent calls for three minutes' worth of one pool.
//
// A minute takes two seconds here, and sixty with CROWD_MINUTE=60 (`make crowd`). The longest wait is two minutes, so a
// third of the crowd is refused at first, told when to come back, and has to find its turn then. What depends on how fast
// this machine is, is printed: how long it took, how often the upstream refused, how soon refusals came.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import OpenAI from "openai";

import { startGate, startMock } from "./programs.mjs";

const [CALLS, LIMIT] = [200, 66];
const MINUTE = Number(process.env.CROWD_MINUTE ?? 2);
// A guard against hanging, and no verdict.
const BOUND = { timeout: (10 * MINUTE + 180) * 1000 };
// What a client says that would wait for a second. Whether this machine would have been quick enough is another matter.
const HURRIED = { headers: { "x-stainless-read-timeout": "1", "x-stainless-timeout": "1" } };

const CROWD = `
extends = "none"

[pools.crowd]
requests = ["${LIMIT}/${MINUTE}s"]
margin = "500ms"
max_wait = "${2 * MINUTE}s"

[[routes]]
match = "POST /v1/threads"
pools = ["crowd"]
`;

// A gate, and the stand-in behind it, which enforces the same limit on every trailing window.
async function crowded(t, config = CROWD) {
  const folder = await mkdtemp(join(tmpdir(), "tidegate-"));
  const file = join(folder, "crowd.toml");
  await writeFile(file, config);
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

// Sends the crowd; gives who was served, and how often it was refused. Nothing fails but with a RateLimitError.
async function crowd(t, { gate, stats }, options) {
  const refused = [];
  const timed = async (url, init) => {
    const began = performance.now();
    const response = await fetch(url, init);
    const hint = Number(response.headers.get("retry-after-ms"));
    if (response.status === 429) refused.push({ took: performance.now() - began, hint });
    return response;
  };
  const client = new OpenAI({ baseURL: `${gate.url}/v1`, apiKey: "sk-test", fetch: timed });
  const began = performance.now();
  const calls = Array.from({ length: CALLS }, () => client.beta.threads.create(undefined, options));
  const outcomes = await Promise.allSettled(calls);
  const took = (performance.now() - began) / 1000;
  const served = outcomes.filter(({ status }) => status === "fulfilled").map(({ value }) => value.id);
  const failed = outcomes.filter(({ status }) => status === "rejected").map(({ reason }) => reason);
  const { admitted, denied } = await stats();
  const slowest = refused.map(({ took }) => took).sort((a, b) => a - b)[Math.floor(refused.length * 0.95)];
  t.diagnostic(`${served.length} of ${CALLS} served in ${took.toFixed(1)} s, ${denied} refused by the upstream`);
  t.diagnostic(`${refused.length} refused on the way, 95 of 100 of them within ${Math.round(slowest ?? 0)} ms`);
  for (const error of failed) {
    assert.ok(error instanceof OpenAI.RateLimitError, `${error}`);
    assert.equal(error.code, "tidegate_wait_too_long");
  }
  assert.ok(refused.every(({ hint }) => hint >= 1000 && hint <= 60_000));
  // Every success reached the upstream once.
  assert.deepEqual([new Set(served).size, admitted], [served.length, served.length]);
  return { served: served.length, refused: refused.length };
}

test("a crowd at default settings is served or told", BOUND, async (t) => {
  const { served } = await crowd(t, await crowded(t));
  // So many have their turn within the longest wait, and are not refused.
  assert.ok(served >= 2 * LIMIT, `${served}`);
});

test("a crowd that keeps coming back is served to the last call", BOUND, async (t) => {
  const { served } = await crowd(t, await crowded(t), { maxRetries: 100 });
  assert.equal(served, CALLS);
});

test("a crowd in a hurry is served or told", BOUND, async (t) => {
  const { served } = await crowd(t, await crowded(t), HURRIED);
  assert.ok(served >= LIMIT, `${served}`);
});

test("a crowd in a hurry that never comes back is told on arrival", BOUND, async (t) => {
  // A window that does not end while the crowd comes.
  const world = await crowded(t, CROWD.replace(`/${MINUTE}s`, "/h"));
  assert.deepEqual(await crowd(t, world, { ...HURRIED, maxRetries: 0 }), { served: LIMIT, refused: CALLS - LIMIT });
});
