// `tidegate run`: a script with the official SDK, started as its users start it, with no base URL of its own.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";

import { BINARY, startMock } from "./programs.mjs";

const SCRIPT = `
import OpenAI from "openai";
const client = new OpenAI({ apiKey: "sk-test-run", maxRetries: 0 });
for (let i = 0; i < 3; i++) {
  await client.chat.completions.create({ model: "gpt-4o", messages: [{ role: "user", content: "Hi" }] });
}
process.exitCode = 5;
`;

test("a script needs no change, and its exit code is kept", async (t) => {
  const mock = await startMock();
  t.after(mock.stop);
  const options = ["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", mock.url];
  const script = [process.execPath, "--input-type=module", "--eval", SCRIPT];
  const cwd = import.meta.dirname;
  await assert.rejects(promisify(execFile)(BINARY, ["run", ...options, "--", ...script], { cwd }), (ended) => {
    assert.equal(ended.code, 5, ended.stderr);
    assert.match(ended.stderr, /tidegate: 3 requests in .*: 3 answered/);
    return true;
  });
});
