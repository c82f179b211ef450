// Requests that fail for another reason than a limit are what the page says first.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { PHONE, becomesEqual, getJson, openBrowser, openPage } from "./browser.mjs";
import { openWorld } from "./world.mjs";

const CONFIG = `
  [pools]
  posts = { requests = ["40/h"] }
  [[routes]]
  match = "POST /v1/chat/completions"
  pools = ["posts"]
`;

/** The upstream tells of fewer. */
const MODELS = `
  [pools]
  models = { requests = ["50/min"], key = ["body.model"] }
  [[routes]]
  match = "POST /v1/chat/completions"
  pools = ["models"]
`;

let browser, world;

before(async () => {
  [browser, world] = await Promise.all([
    openBrowser(),
    openWorld(CONFIG, { options: ["--refuse", "invalid-api-key"] }),
  ]);
  await world.crowd.burst(12, "POST", "/v1/chat/completions");
});

after(async () => {
  await browser.close();
  await world.close();
});

test("a wrong key is the headline, with what to do, and is counted at its route", async () => {
  const { page, faults, close } = await openPage(browser, world.gate.admin);
  await page.getByText("POST /v1/chat/completions is answered with errors: 401.").waitFor();
  assert.match(await page.locator("#because").innerText(), /All of the last 12 answers .* are errors: 401 ×12, the last/);
  assert.match(await page.locator("#advice").innerText(), /^What to do: Check the API key/);
  const cells = page.locator("#routes tbody tr").first().locator("th, td");
  await becomesEqual(
    () => cells.allInnerTexts(),
    () => ["POST /v1/chat/completions", "12", "0", "12", "0", "0", "0", "401", "–"],
  );
  await becomesEqual(
    () => page.title(),
    () => "! POST /v1/chat/completions: rejected 401 · Tidegate",
  );
  assert.deepEqual(faults, []);
  await close();
});

test("on a phone nothing of it hangs over the side", async () => {
  const { page, close } = await openPage(browser, world.gate.admin, { viewport: PHONE });
  await page.getByText("is answered with errors: 401.").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width);
  await close();
});

test("the lines that make a limit permanent that was found are there to be copied", async () => {
  const world = await openWorld(MODELS, { options: ["--rpm", "30"] });
  const body = { model: "gpt-4o", messages: [{ role: "user", content: "hi" }] };
  await world.crowd.burst(1, "POST", "/v1/chat/completions", { "content-type": "application/json" }, body);
  const { page, faults, close } = await openPage(browser, world.gate.admin);
  await becomesEqual(
    () => page.locator("#toml code").allInnerTexts(),
    () => ['[pools.models]\nrequests = ["30/min"]\n'],
  );
  const { worst } = await getJson(`${world.gate.admin}/status`);
  assert.equal(worst[0].toml, '[pools.models]\nrequests = ["30/min"]\n');
  await page.getByRole("button", { name: "Copy as TOML" }).click();
  await page.getByRole("button", { name: /^(Copied|Press Ctrl\+C)$/ }).waitFor();
  assert.deepEqual(faults, []);
  await close();
  await world.close();
});
