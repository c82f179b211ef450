// The official SDK, unmodified but for its base URL, through the gate to the stand-in upstream.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import OpenAI, { toFile } from "openai";

import { assertThroughGate } from "./passage.mjs";
import { startGate, startMock } from "./programs.mjs";

const MODEL = "gpt-4o-mini";
const MESSAGES = [{ role: "user", content: "Say hello." }];
const notes = () => toFile(Buffer.from("one line of text\n".repeat(1000)), "notes.txt");
const POLLING = { pollIntervalMs: 50 };

let mock, gate, client;

before(async () => {
  mock = await startMock();
  gate = await startGate(mock.url);
  client = new OpenAI({ baseURL: `${gate.url}/v1`, apiKey: "sk-test", maxRetries: 0 });
});

after(async () => {
  await gate?.stop();
  await mock?.stop();
});

test("a chat completion answers", async () => {
  const { data, response } = await client.chat.completions.create({ model: MODEL, messages: MESSAGES }).withResponse();
  assertThroughGate(response, "models");
  assert.ok(data.choices[0].message.content);
});

test("a chat completion streams the same words", async () => {
  const whole = await client.chat.completions.create({ model: MODEL, messages: MESSAGES });
  const stream = await client.chat.completions.create({ model: MODEL, messages: MESSAGES, stream: true });
  const words = [];
  for await (const chunk of stream) words.push(chunk.choices[0]?.delta.content ?? "");
  assert.ok(words.filter(Boolean).length > 2);
  assert.equal(words.join(""), whole.choices[0].message.content);
});

test("a response answers", async () => {
  const { data, response } = await client.responses.create({ model: MODEL, input: "Say hello." }).withResponse();
  assertThroughGate(response, "models");
  assert.ok(data.output_text);
});

test("a response streams its events in order", async () => {
  const types = [];
  for await (const event of client.responses.stream({ model: MODEL, input: "Say hello." })) types.push(event.type);
  assert.equal(types[0], "response.created");
  assert.equal(types.at(-1), "response.completed");
  assert.ok(types.includes("response.output_text.delta"));
});

test("embeddings come one for each input", async () => {
  const { data } = await client.embeddings.create({ model: "text-embedding-3-small", input: ["one", "two"] });
  assert.deepEqual(data.map(({ index }) => index), [0, 1]);
  assert.equal(typeof data[0].embedding[0], "number");
});

test("a file is uploaded, found and deleted", async () => {
  const upload = client.files.create({ file: await notes(), purpose: "assistants" });
  const { data: file, response } = await upload.withResponse();
  assertThroughGate(response, "files-upload");
  assert.equal(file.bytes, 17_000);
  assert.equal((await client.files.retrieve(file.id)).id, file.id);
  assert.ok((await client.files.delete(file.id)).deleted);
});

test("a vector store takes files one by one and in a batch", async () => {
  const store = await client.vectorStores.create({ name: "notes" });
  const file = await client.vectorStores.files.uploadAndPoll(store.id, await notes(), POLLING);
  assert.equal(file.status, "completed");
  const ids = [file.id];
  const batch = await client.vectorStores.fileBatches.createAndPoll(store.id, { file_ids: ids }, POLLING);
  assert.equal(batch.file_counts.completed, 1);
});

test("a run is created and polled to its end", async () => {
  const assistant = await client.beta.assistants.create({ model: MODEL });
  const thread = await client.beta.threads.create({ messages: MESSAGES });
  const run = await client.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }, POLLING);
  assert.equal(run.status, "completed");
  const { data } = await client.beta.threads.messages.list(thread.id);
  assert.deepEqual(data.map(({ role }) => role), ["assistant", "user"]);
});

test("a run is charged to its own pool and to the posts", async () => {
  const assistant = await client.beta.assistants.create({ model: MODEL });
  const created = client.beta.threads.createAndRun({ assistant_id: assistant.id });
  const { response } = await created.withResponse();
  assertThroughGate(response, "assistants-runs", "assistants-post");
});

test("a run streams its text", async () => {
  const assistant = await client.beta.assistants.create({ model: MODEL });
  const thread = await client.beta.threads.create({ messages: MESSAGES });
  const stream = client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
  const words = [];
  stream.on("textDelta", ({ value }) => words.push(value));
  const run = await stream.finalRun();
  assert.equal(run.status, "completed");
  assert.ok(words.length > 2);
});

test("a batch is created and found", async () => {
  const file = await client.files.create({ file: await notes(), purpose: "batch" });
  const asked = { input_file_id: file.id, endpoint: "/v1/embeddings", completion_window: "24h" };
  const { data: batch, response } = await client.batches.create(asked).withResponse();
  assertThroughGate(response, "batches-create");
  assert.equal((await client.batches.retrieve(batch.id)).id, batch.id);
});

test("models are listed", async () => {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  assert.ok(ids.includes(MODEL));
});

test("an error of the upstream passes unchanged", async () => {
  await assert.rejects(client.models.retrieve("no-such-model"), (error) => {
    assert.ok(error instanceof OpenAI.NotFoundError);
    assert.equal(error.headers.get("x-tidegate-source"), "upstream");
    return true;
  });
});
