// What the page shows is what the gate says and what the upstream has counted.

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
  posts = { requests = ["40/h"] }
  gets = { requests = ["50/h"] }
  idle = { requests = ["7/h"] }
  [[routes]]
  match = "POST /v1/threads"
  pools = ["posts"]
  [[routes]]
  match = "GET /v1/models"
  pools = ["gets"]
  [[routes]]
  match = "POST /v1/files"
  pools = ["idle"]
  [[routes]]
  match = "GET /v1/files/{id}"
  pools = ["idle"]
  coalesce = true
  reuse = "1m"
`;
/** Of what is configured the upstream takes less. */
const UPSTREAM = CONFIG.replace("50/h", "30/h");

let browser, world, view;

before(async () => {
  [browser, world] = await Promise.all([openBrowser(), openWorld(CONFIG, { upstream: UPSTREAM })]);
  view = await openPage(browser, world.gate.admin);
});

after(async () => {
  assert.deepEqual(view.faults, []);
  await browser.close();
  await world.close();
});

const status = () => getJson(`${world.gate.admin}/status`);
const stats = () => getJson(`${world.mock.url}/__mock/stats`);
const texts = (selector) => view.page.locator(selector).allInnerTexts();
const tank = (name) => view.page.locator(".tank", { has: view.page.getByRole("link", { name, exact: true }) });

test("a gate that nobody has asked says so, and shows its pools empty", async () => {
  await becomesEqual(
    () => texts("#answer"),
    () => ["No requests yet."],
  );
  await becomesEqual(
    () => texts("#quiet .level"),
    () => ["40", "50", "7"].map((limit) => `0 of ${limit}/h`),
  );
});

test("a tank is as full as /status says and the upstream has counted, and the line before it as long", async () => {
  world.crowd.burst(45, "POST", "/v1/threads", { "x-tidegate-client": "web" });
  world.crowd.burst(15, "POST", "/v1/threads", { "x-tidegate-client": "batch" });
  const shown = async () => {
    const [level] = await tank("posts").locator(".level").allInnerTexts();
    const [waiting] = await tank("posts").locator(".waiting").allInnerTexts();
    return [level, waiting, (await texts("#waiting"))[0]];
  };
  const said = async () => {
    const { pools, waiting } = await status();
    const { in_force: force, waiting: line } = pools.find(({ name }) => name === "posts");
    return [`${force.used} of ${force.limit}`, `${line} wait`, `${waiting}`];
  };
  assert.deepEqual(await becomesEqual(shown, said), ["40 of 40/h", "20 wait", "20"]);
  const { pools } = await stats();
  assert.equal(pools.find(({ pool }) => pool === "posts").admitted, 40);
  await becomesEqual(
    () => texts("#sent"),
    async () => [`${(await status()).totals.sent}`],
  );
  assert.equal(await tank("posts").getByRole("meter").getAttribute("aria-valuenow"), "40");
  assert.equal(await tank("posts").locator(".dots i").count(), 12);
});

test("it says for whom the line is", async () => {
  const line = async () => (await status()).pools.find(({ name }) => name === "posts").waiting_for;
  const said = async () => [
    `In line: ${(await line()).map(({ client, requests }) => `${client.slice(7, 13)} ×${requests}`).join(", ")}`,
  ];
  const [shown] = await becomesEqual(() => tank("posts").locator(".for").allInnerTexts(), said);
  assert.match(shown, /^In line: \w{6} ×\d+/);
});

test("the limit that is hit is named at the top", async () => {
  const { page, faults, close } = await openPage(browser, world.gate.admin);
  await page.getByText("posts is at your own limit: 40/h.").waitFor();
  const { diagnosis } = (await status()).pools.find(({ name }) => name === "posts");
  assert.match(await page.locator("#because").innerText(), /^40 of 40\/h used; lately 20 of 60 had to wait/);
  assert.equal(await page.locator("#advice").innerText(), `What to do: ${diagnosis.advice}`);
  assert.deepEqual(faults, []);
  await close();
});

test("what the upstream refuses is an event, as often as the upstream has counted, with the diagnosis in words", async () => {
  world.crowd.burst(45, "GET", "/v1/models");
  const refused = async () => (await stats()).pools.find(({ pool }) => pool === "gets")?.denied ?? 0;
  const sum = (texts) => texts.reduce((sum, text) => sum + Number(/(\d+) requests? refused/.exec(text)?.[1] ?? 0), 0);
  const shown = async () => sum(await texts("#events .what"));
  await becomesEqual(
    async () => (await refused()) > 0,
    () => true,
  );
  await becomesEqual(shown, refused);
  const text = async () => (await status()).events.at(-1).text;
  await becomesEqual(
    async () => (await texts("#events li:first-child p:last-child")).map(withoutTimes),
    async () => [withoutTimes(await text())],
  );
  const row = view.page.locator("#table tr", { has: view.page.getByRole("link", { name: "gets" }) });
  assert.equal(await row.locator("td").last().innerText(), `${await refused()}`);
  assert.match(await view.page.locator("#announcer").innerText(), /^The upstream refused \d+ requests? of gets\. /);
});

test("a tank fills while it is looked at", async () => {
  await world.crowd.burst(3, "POST", "/v1/files");
  await becomesEqual(
    () => tank("idle").locator(".level").allInnerTexts(),
    () => ["3 of 7/h"],
  );
  await world.crowd.burst(2, "POST", "/v1/files");
  await becomesEqual(
    () => tank("idle").locator(".level").allInnerTexts(),
    () => ["5 of 7/h"],
  );
  const height = await tank("idle")
    .locator(".water")
    .evaluate((water) => getComputedStyle(water.parentElement).getPropertyValue("--level"));
  assert.equal(Number(height).toFixed(2), "0.71");
});

test("what sharing saves is said in a line, once it has saved something", async () => {
  const saved = view.page.locator("#saved");
  assert.ok(await saved.isHidden());
  for (let asked = 0; asked < 5; asked += 1) await world.crowd.send("GET", "/v1/files/file-1");
  const [{ asked, calls }] = (await status()).coalesced;
  assert.deepEqual([asked, calls], [5, 1]);
  await becomesEqual(
    () => saved.allInnerTexts(),
    () => ["4 polls saved since the start by sharing: asked 5, called 1."],
  );
  assert.ok(await saved.isVisible());
});

test("a pool's page has its limits, its routes and who asks", async () => {
  await tank("posts").getByRole("link").click();
  const rows = async (table) => (await texts(`#pool .${table} tbody tr`)).map((row) => row.split(/\s*\t\s*/));
  await becomesEqual(
    () => rows("limits"),
    () => [["40/h", "configured", "40"]],
  );
  await becomesEqual(
    async () => (await rows("routes")).map(([name]) => name),
    () => ["POST /v1/threads"],
  );
  const askers = async () => (await status()).pools.find(({ name }) => name === "posts").diagnosis.evidence.requesters;
  await becomesEqual(
    async () => (await rows("clients")).map(([client, , , asked]) => [client, asked]).sort(),
    async () => (await askers()).map(({ client, requests }) => [client, `${requests}`]).sort(),
  );
  assert.match(
    await view.page.locator("#pool .strip.used").getAttribute("aria-label"),
    /^The last (minute|\d+ minutes): used .* now 100 %/,
  );
  await view.page.getByRole("link", { name: "All pools" }).click();
  await tank("posts").waitFor();
});

/** Times go on between two looks. */
const withoutTimes = (text) => text.replace(/(\d+(ms|s|m|h) ?)+/g, "… ");
