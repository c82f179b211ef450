// A stream that waits long on a route with a keepalive: it goes on as any, and fails as an APIError.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { startGate, startMock } from "./programs.mjs";

const CHAT = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Say hello." }] };

const KEPT = `
extends = "none"

[pools.chat]
requests = ["1/2s"]
margin = "500ms"
max_wait = "1m"

[[routes]]
match = "POST /v1/chat/completions"
pools = ["chat"]
keepalive = "1s"
`;

let folder, mock, gate, client;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidegate-"));
  mock = await startMock();
  const file = join(folder, "keepalive.toml");
  await writeFile(file, KEPT);
  gate = await startGate(mock.url, "--config", file);
  client = new OpenAI({ baseURL: `${gate.url}/v1`, apiKey: "sk-test", maxRetries: 0 });
});

// A stream whose head came while it waited. If this machine is so slow that the window is over, nothing has to wait, and the
// window begins anew with each request: it is asked for until it waits.
async function keptStream(body) {
  for (;;) {
    try {
      const { data, response } = await client.chat.completions.create({ ...body, stream: true }).withResponse();
      if (response.headers.get("x-tidegate-source") === "tidegate") return data;
      for await (const _ of data);
    } catch (error) {
      if (!(error instanceof OpenAI.BadRequestError)) throw error;
    }
  }
}

after(async () => {
  await gate?.stop();
  await mock?.stop();
  await rm(folder, { recursive: true });
});

test("a stream that waited is the same", async () => {
  const words = [];
  for await (const chunk of await keptStream(CHAT)) words.push(chunk.choices[0]?.delta.content ?? "");
  assert.ok(words.filter(Boolean).length > 2);
});

test("an error of the upstream is raised from the stream", async () => {
  const stream = await keptStream({ messages: [] });
  const read = async () => {
    for await (const _ of stream);
  };
  await assert.rejects(read, (error) => {
    assert.ok(error instanceof OpenAI.APIError, `${error}`);
    assert.equal(error.type, "invalid_request_error");
    return true;
  });
});
