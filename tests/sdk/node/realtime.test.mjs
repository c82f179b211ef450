// The SDK's WebSocket client speaks nothing but TLS, so the gate has a certificate here.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import selfsigned from "selfsigned";

import { startGate, startMock } from "./programs.mjs";

const HOST = "localhost";
const CONFIG = `
[server]
cert_file = "cert.pem"
key_file = "key.pem"
`;

let folder, certificate, mock, gate, client;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidegate-"));
  const extensions = [{ name: "subjectAltName", altNames: [{ type: 2, value: HOST }] }];
  certificate = await selfsigned.generate([{ name: "commonName", value: HOST }], { extensions });
  await writeFile(join(folder, "cert.pem"), certificate.cert);
  await writeFile(join(folder, "key.pem"), certificate.private);
  const config = join(folder, "tidegate.toml");
  await writeFile(config, CONFIG.replaceAll(/"(.*)\.pem"/g, (_, name) => JSON.stringify(join(folder, `${name}.pem`))));
  mock = await startMock();
  gate = await startGate(mock.url, "--config", config);
  const { port } = new URL(gate.url);
  client = new OpenAI({ baseURL: `https://${HOST}:${port}/v1`, apiKey: "sk-test", maxRetries: 0 });
});

after(async () => {
  await gate?.stop();
  await mock?.stop();
  await rm(folder, { recursive: true });
});

test("a realtime session converses", async () => {
  const socket = new OpenAIRealtimeWS({ model: "gpt-realtime", options: { ca: certificate.cert } }, client);
  const types = [];
  await new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("event", (event) => {
      types.push(event.type);
      if (event.type === "session.created") socket.send({ type: "response.create" });
      if (event.type === "response.done") resolve();
    });
  });
  socket.close();
  assert.equal(types[0], "session.created");
  assert.ok(types.includes("response.output_text.delta"));
  const stats = await (await fetch(`${mock.url}/__mock/stats`)).json();
  assert.equal(stats.admitted, 1);
});
