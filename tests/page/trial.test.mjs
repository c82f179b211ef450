// A request tried in the form, before it is sent.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { becomesEqual, getJson, openBrowser, openPage } from "./browser.mjs";
import { openWorld } from "./world.mjs";

const CONFIG = `
  [pools]
  posts = { requests = ["20/h"] }
  runs = { requests = ["10/h"] }
  models = { requests = ["30/h"], key = ["body.model"] }
  chat = { requests = ["4/h"], key = ["body.model", "account"], max_wait = "9h" }
  [[routes]]
  match = "POST /v1/threads/{*rest}"
  pools = ["posts"]
  [[routes]]
  match = "POST /v1/threads/runs"
  pools = ["runs", "posts"]
  [[routes]]
  match = "POST /v1/embeddings"
  pools = ["models"]
  [[routes]]
  match = "POST /v1/chat/completions"
  pools = ["chat"]
`;

let browser, world, view;

before(async () => {
  [browser, world] = await Promise.all([openBrowser(), openWorld(CONFIG)]);
  await world.crowd.burst(3, "POST", "/v1/threads/runs");
  await world.crowd.burst(2, "POST", "/v1/embeddings", {}, { model: "small", input: "" });
  view = await openPage(browser, world.gate.admin);
});

after(async () => {
  assert.deepEqual(view.faults, []);
  await browser.close();
  await world.close();
});

/** Fills in the form by keyboard, and gives what it says as lines. */
async function tried(path, model) {
  const { page } = view;
  await page.getByRole("textbox", { name: "Path" }).fill(path);
  await page.getByRole("textbox", { name: "Model" }).fill(model);
  await page.locator("#told").evaluate((told) => told.replaceChildren());
  await page.keyboard.press("Enter");
  await page.locator("#told dl").waitFor();
  return (await page.locator("#told").innerText()).split("\n");
}

test("it says which route and pools a request would take, and how it would fare now, as /explain does", async () => {
  const said = await tried("/v1/threads/runs", "");
  const { route, over, now } = await getJson(`${world.gate.admin}/explain?method=POST&path=/v1/threads/runs`);
  assert.equal(said[0].toLowerCase(), `${now.text}.`);
  assert.ok(said.includes(route));
  assert.ok(said.includes(`${over[0].route}: ${over[0].because}`));
  for (const taken of [/^runs: 1 of 10\/h; .*3 of 10\/h used/, /^posts: 1 of 20\/h; .*3 of 20\/h used/]) {
    assert.ok(
      said.some((line) => taken.test(line)),
      `no ${taken} in ${said.join("\n")}`,
    );
  }
});

test("what it takes from leads to that pool's page", async () => {
  await tried("/v1/embeddings", "small");
  await view.page.locator("#told").getByRole("link", { name: "models small", exact: true }).click();
  await becomesEqual(
    () => view.page.locator("#pool .level").innerText(),
    () => "2 of 30/h",
  );
  await view.page.keyboard.press("Escape");
});

test("it answers for each account that is there, and counts what that has in line", async () => {
  const chat = { model: "gpt-4o", messages: [] };
  const [busy, calm] = ["busy", "calm"].map((key) => ({ authorization: `Bearer ${key}` }));
  await world.crowd.burst(1, "POST", "/v1/chat/completions", calm, chat);
  world.crowd.burst(9, "POST", "/v1/chat/completions", busy, chat);
  const status = () => getJson(`${world.gate.admin}/status`);
  await becomesEqual(
    async () => (await status()).waiting,
    () => 5,
  );
  const said = await tried("/v1/chat/completions", "gpt-4o");
  assert.match(said[0], /^From client-\w{16}: it would wait about [12]h.* where 5 wait, all of the same client\.$/);
  const fares = said.filter((line) => /^(From|With)/.test(line));
  assert.match(fares[1], /^From client-\w{16}: it would go at once\.$/);
  assert.match(fares[2], /^With another key: it would go at once\.$/);
});

test("what takes from no pool goes at once", async () => {
  const said = await tried("/v1/something/else", "");
  assert.equal(said[0], "It would go at once.");
});
