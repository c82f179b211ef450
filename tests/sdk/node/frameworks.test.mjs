// Frameworks and other vendors' SDKs on Node, unmodified but for their base URL: a call, a stream and a tool each.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { tool as langchainTool } from "@langchain/core/tools";
import { ChatOpenAI } from "@langchain/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { AzureOpenAI } from "openai";
import { z } from "zod";

import { assertThroughGate } from "./passage.mjs";
import { startGate, startMock } from "./programs.mjs";

const MODEL = "gpt-4o-mini";
const QUESTION = "What time is it?";
const MESSAGES = [{ role: "user", content: QUESTION }];

let mock, gate, base;

before(async () => {
  mock = await startMock();
  gate = await startGate(mock.url);
  base = `${gate.url}/v1`;
});

after(async () => {
  await gate?.stop();
  await mock?.stop();
});

test("LangChain answers, streams and calls a tool", async () => {
  const clock = langchainTool(() => "noon", { name: "clock", description: "Tells the time.", schema: z.object({}) });
  const chat = new ChatOpenAI({ model: MODEL, apiKey: "sk-test", maxRetries: 0, configuration: { baseURL: base } });
  assert.ok((await chat.invoke(QUESTION)).content);
  let words = "";
  for await (const chunk of await chat.stream(QUESTION)) words += chunk.content;
  assert.ok(words);
  const { tool_calls: calls } = await chat.bindTools([clock]).invoke(QUESTION);
  assert.equal(calls[0].name, "clock");
});

test("the Vercel AI SDK answers, streams and runs a tool", async () => {
  const openai = createOpenAI({ baseURL: base, apiKey: "sk-test" });
  for (const model of [openai.responses(MODEL), openai.chat(MODEL)]) {
    const called = [];
    const clock = tool({
      description: "Tells the time.",
      inputSchema: z.object({}),
      execute: async () => (called.push("clock"), "noon"),
    });
    const asked = { model, prompt: QUESTION, maxRetries: 0 };
    const { text } = await generateText({ ...asked, tools: { clock }, stopWhen: stepCountIs(2) });
    assert.ok(text);
    assert.deepEqual(called, ["clock"]);
    let words = "";
    for await (const word of streamText(asked).textStream) words += word;
    assert.ok(words);
  }
});

test("Anthropic answers and streams", async () => {
  const client = new Anthropic({ baseURL: gate.url, apiKey: "sk-ant-test", maxRetries: 0 });
  const asked = { model: "claude-sonnet-5", max_tokens: 64, messages: MESSAGES };
  const { data, response } = await client.messages.create(asked).withResponse();
  assertThroughGate(response, "models");
  assert.ok(data.content[0].text);
  const streamed = await client.messages.stream(asked).finalMessage();
  assert.equal(streamed.content[0].text, data.content[0].text);
});

test("Azure answers on its deployment", async () => {
  const options = { endpoint: gate.url, apiKey: "azure-key", apiVersion: "2024-10-21", deployment: MODEL, maxRetries: 0 };
  const client = new AzureOpenAI(options);
  const { data, response } = await client.chat.completions.create({ model: MODEL, messages: MESSAGES }).withResponse();
  assertThroughGate(response, "models");
  assert.ok(data.choices[0].message.content);
});
