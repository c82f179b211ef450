// Each refusal of the gate's own, as the exception that the SDK's users expect.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import OpenAI from "openai";

import { startGate, startMock } from "./programs.mjs";

const CHAT = { model: "gpt-4o-mini", messages: [{ role: "user", content: "Say hello." }] };

const ONE_AN_HOUR = `
extends = "none"

[pools.chat]
requests = ["1/h"]
max_wait = "30s"

[[routes]]
match = "POST /v1/chat/completions"
pools = ["chat"]
`;

const NEVER_FITS = `
extends = "none"

[pools.attached]
requests = ["3/min"]

[[routes]]
match = "POST /v1/vector_stores"
pools = ["attached:body.file_ids"]
`;

const CLIENT_QUOTA = `
[clients]
quota = "1/h"
by = ["authorization"]
`;

let folder, mock;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidegate-"));
  mock = await startMock();
});

after(async () => {
  await mock?.stop();
  await rm(folder, { recursive: true });
});

async function gateWith(t, config, upstream = mock.url) {
  const file = join(folder, `${t.name.replaceAll(" ", "-")}.toml`);
  await writeFile(file, config);
  const gate = await startGate(upstream, "--config", file);
  t.after(() => gate.stop());
  return new OpenAI({ baseURL: `${gate.url}/v1`, apiKey: "sk-test", maxRetries: 0 });
}

function refused(call, kind, code, status) {
  return assert.rejects(call, (error) => {
    assert.ok(error instanceof kind, `${error}`);
    assert.equal(error.code, code);
    assert.equal(error.status, status);
    assert.equal(error.headers.get("x-tidegate-source"), "tidegate");
    return true;
  });
}

test("a wait too long is a RateLimitError", async (t) => {
  const client = await gateWith(t, ONE_AN_HOUR);
  await client.chat.completions.create(CHAT);
  await refused(client.chat.completions.create(CHAT), OpenAI.RateLimitError, "tidegate_wait_too_long", 429);
});

test("what never fits is a RateLimitError and not tried again", async (t) => {
  const client = await gateWith(t, NEVER_FITS);
  const asked = { file_ids: ["1", "2", "3", "4"] };
  await refused(client.vectorStores.create(asked, { maxRetries: 5 }), OpenAI.RateLimitError, "tidegate_never_fits", 429);
});

test("a client over its quota is a RateLimitError", async (t) => {
  const client = await gateWith(t, CLIENT_QUOTA);
  await client.chat.completions.create(CHAT);
  await refused(client.chat.completions.create(CHAT), OpenAI.RateLimitError, "tidegate_client_quota", 429);
});

test("an upstream that cannot be reached is an InternalServerError", async (t) => {
  const nobody = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => nobody.once("listening", resolve));
  const { port } = nobody.address();
  await new Promise((resolve) => nobody.close(resolve));
  const client = await gateWith(t, "", `http://127.0.0.1:${port}`);
  await refused(
    client.chat.completions.create(CHAT),
    OpenAI.InternalServerError,
    "tidegate_upstream_unreachable",
    502,
  );
});
