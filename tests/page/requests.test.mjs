// The requests that wait and the last that ended, the clients, the configuration, and what an idle page tells.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { becomesEqual, getJson, openBrowser, openPage } from "./browser.mjs";
import { openWorld } from "./world.mjs";

// Windows so long that nothing leaves them while it is compared.
const CONFIG = `
  [queue]
  max_wait = "2h"
  [clients]
  by = ["x-tidegate-client"]
  [pools]
  models = { requests = ["9/h"], tokens = ["2000/h"], key = ["body.model"] }
  posts = { requests = ["3/h"] }
  [[routes]]
  match = "POST /v1/threads"
  pools = ["posts"]
  [[routes]]
  match = "POST /v1/chat/completions"
  pools = ["models"]
`;
/** About 500 tokens. */
const LONG = { model: "gpt-4o", max_tokens: 1, messages: [{ role: "user", content: "word ".repeat(500) }] };

let browser, world, view;

before(async () => {
  [browser, world] = await Promise.all([openBrowser(), openWorld(CONFIG)]);
  view = await openPage(browser, world.gate.admin);
});

after(async () => {
  assert.deepEqual(view.faults, []);
  await browser.close();
  await world.close();
});

const rows = (table) =>
  view.page.locator(`#${table} tbody tr`).evaluateAll((rows) =>
    rows.map((row) => [...row.cells].map((cell) => cell.textContent)),
  );

test("an idle page has the lines that bring an app to the gate, and no longer once one came", async () => {
  const snippets = view.page.locator("#snippets code");
  await becomesEqual(() => snippets.count(), () => 4);
  assert.equal(await snippets.first().innerText(), `export OPENAI_BASE_URL=${world.gate.url}/v1`);
  await world.crowd.burst(1, "POST", "/v1/threads", { "x-tidegate-client": "web" });
  await becomesEqual(() => view.page.locator("#start").isHidden(), () => true);
});

test("a request that ended has its client, status and wait", async () => {
  const told = async () => {
    const { ended } = await getJson(`${world.gate.admin}/requests`);
    return ended.map(({ route, client, status }) => [route, client.slice(7, 13), `${status}`, "–"]);
  };
  const shown = async () => (await rows("requests")).map(([, route, client, status, wait]) => [route, client, status, wait]);
  const [[route, , status]] = await becomesEqual(shown, told);
  assert.deepEqual([route, status], ["POST /v1/threads", "200"]);
});

test("a request that waits says for what, and behind how many", async () => {
  world.crowd.burst(5, "POST", "/v1/threads", { "x-tidegate-client": "batch" });
  const waiting = async () => (await rows("requests")).filter(([, , , status]) => status === "waits").map((row) => row.at(-1));
  await becomesEqual(waiting, () => [
    "posts: next of its client; 3 in all",
    "posts: 1 request of its client before it; 3 in all",
    "posts: 2 requests of its client before it; 3 in all",
  ]);
});

test("the list is of one client or route where that is chosen", async () => {
  const { clients } = await getJson(`${world.gate.admin}/status`);
  const busiest = clients[0].client;
  const choice = view.page.getByRole("combobox", { name: /^Client/ });
  await choice.selectOption(busiest);
  await becomesEqual(
    async () => [...new Set((await rows("requests")).map(([, , client]) => client))],
    () => [busiest.slice(7, 13)],
  );
  await choice.selectOption("");
  await becomesEqual(async () => (await rows("requests")).length, () => 6);
});

test("requests and tokens of a model are one card with two bars, and one row", async () => {
  world.crowd.burst(6, "POST", "/v1/chat/completions", { "x-tidegate-client": "web", "content-type": "application/json" }, LONG);
  const card = view.page.locator(".tank", { has: view.page.getByRole("link", { name: "models gpt-4o", exact: true }) });
  await becomesEqual(() => card.getByRole("meter").count(), () => 2);
  await becomesEqual(
    async () => /^\d+ waits? \(for tokens\)$/.test(await card.locator(".waiting").innerText()),
    () => true,
  );
  assert.match(await card.locator(".beside").innerText(), /of 9\/h$/);
  assert.equal((await rows("table")).filter(([name]) => name.startsWith("models")).length, 1);
});

test("the clients and what became of their requests are in a table", async () => {
  const told = async () => {
    const { clients } = await getJson(`${world.gate.admin}/status`);
    return clients.map(({ client, requests }) => [client, `${requests}`]);
  };
  await becomesEqual(async () => (await rows("clients")).map(([client, requests]) => [client, requests]), told);
});

test("the configuration in force tells its origin and its differences", async () => {
  const { changes, source } = await getJson(`${world.gate.admin}/config`);
  assert.ok(changes.length > 10, `${changes}`);
  assert.ok((await view.page.locator("#facts").innerText()).includes(source));
  assert.equal(await view.page.locator("#changed").innerText(), `${changes.length} differences from the built-in configuration`);
  assert.equal(await view.page.locator("#changes li").count(), changes.length);
});

test("the strips go as far back as is chosen", async () => {
  const said = async () => view.page.locator("#busy .strip").first().getAttribute("aria-label");
  await view.page.getByLabel("Time range").selectOption("900");
  await becomesEqual(async () => (await said()).startsWith("The last 15 minutes: "), () => true);
  await view.page.getByLabel("Time range").selectOption("60");
  await becomesEqual(async () => (await said()).startsWith("The last minute: "), () => true);
});
