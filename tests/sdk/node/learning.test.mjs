// Limits that nobody wrote down, and refusals of the upstream: what an app sees of them, which is nothing.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI from "openai";

import { startGate, startMock } from "./programs.mjs";

const CHAT = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Say hello." }] };

/** A client that never tries again unless it is told to, of a gate without any configuration before such an upstream. */
async function open(t, upstream, options = {}) {
  const mock = await startMock(...upstream);
  t.after(() => mock.stop());
  const gate = await startGate(mock.url);
  t.after(() => gate.stop());
  const client = new OpenAI({ baseURL: `${gate.url}/v1`, apiKey: "sk-test", maxRetries: 0, ...options });
  const stats = async () => (await fetch(`${mock.url}/__mock/stats`)).json();
  return { client, stats };
}

test("models are paced without any configuration", async (t) => {
  const { client, stats } = await open(t, ["--rpm", "600", "--tpm", "30000"]);
  const call = async (turn) => {
    const answer = await client.chat.completions.create({ ...CHAT, max_tokens: 600, stream: turn % 2 === 0 });
    if (turn % 2 === 0) for await (const event of answer) assert.ok(event);
  };
  await Promise.all(Array.from({ length: 52 }, (_, turn) => call(turn)));
  const { admitted, denied } = await stats();
  assert.equal(admitted, 52);
  t.diagnostic(`${denied} refused by the upstream`);
});

test("an upstream that is overloaded at times reaches no app", async (t) => {
  const { client, stats } = await open(t, ["--refuse", "overloaded", "--refuse-share", "0.1"]);
  const calls = Array.from({ length: 20 }, () => client.embeddings.create({ model: "m", input: "x" }));
  await Promise.all(calls);
  assert.equal((await stats()).admitted, 20);
});

test("what waiting cannot help is told at once", async (t) => {
  const { client, stats } = await open(t, ["--refuse", "insufficient-quota"], { maxRetries: 2 });
  await assert.rejects(client.chat.completions.create(CHAT), (error) => {
    assert.ok(error instanceof OpenAI.RateLimitError);
    assert.equal(error.code, "insufficient_quota");
    assert.equal(error.headers.get("x-should-retry"), "false");
    return true;
  });
  assert.equal((await stats()).denied, 1);
});
