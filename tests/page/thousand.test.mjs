// A thousand pool instances at a hundred requests a second.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { becomesEqual, getJson, openBrowser, openPage } from "./browser.mjs";
import { CATEGORIES, framesOf, passed, spent } from "./trace.mjs";
import { openWorld } from "./world.mjs";

const CONFIG = `
  [pools]
  tenants = { requests = ["600/min"], key = ["header.x-tenant"] }
  [[routes]]
  match = "GET /v1/models"
  pools = ["tenants"]
`;
const TENANTS = 1_000;
const A_SECOND = 100;
const WATCHED_MS = 12_000;
/** A frame of script may take so long. */
const MOST_MS = 33;

let browser, world, view;

before(async () => {
  [browser, world] = await Promise.all([openBrowser(), openWorld(CONFIG)]);
  const tenant = (index) => ({ "x-tenant": `tenant-${index % TENANTS}` });
  const ask = (index) => world.crowd.send("GET", "/v1/models", tenant(index));
  await Promise.all(Array.from({ length: TENANTS }, (_, index) => ask(index)));
  world.crowd.keepSending(A_SECOND, ask);
  view = await openPage(browser, world.gate.admin);
});

after(async () => {
  assert.deepEqual(view.faults, []);
  await browser.close();
  await world.close();
});

test("those that matter most are tanks, the others are in a table that grows as it is scrolled", async () => {
  const { page } = view;
  await becomesEqual(
    () => page.locator("#found").innerText(),
    () => "1,000 pools",
  );
  const { pools } = await getJson(`${world.gate.admin}/status`);
  assert.equal(pools.length, TENANTS);
  assert.equal(await page.locator("#busy .tank").count(), 12);
  assert.equal(await page.locator("#more").innerText(), "988 pools more in the table below.");
  assert.equal(await page.locator("#table tbody tr").count(), 40);
  await page.locator("#further").scrollIntoViewIfNeeded();
  await becomesEqual(
    async () => (await page.locator("#table tbody tr").count()) > 40,
    () => true,
  );
  await page.getByLabel("Search").fill(pools[777].key);
  await becomesEqual(
    () => page.locator("#table tbody th").allInnerTexts(),
    () => [`tenants ${pools[777].key}`],
  );
  assert.equal(await page.locator("#found").innerText(), "1 of 1,000 pools");
  await page.getByLabel("Search").fill("");
});

test("a frame has less than 33 ms of script", async () => {
  const { page } = view;
  await browser.startTracing(page, { categories: CATEGORIES });
  const before = await page.locator("#busy .level").allInnerTexts();
  await new Promise((resume) => setTimeout(resume, WATCHED_MS));
  assert.notDeepEqual(await page.locator("#busy .level").allInnerTexts(), before, "the page has shown nothing new");
  const trace = JSON.parse(await browser.stopTracing());
  const [script, elapsed] = [spent, passed].map((took) => summed(framesOf(trace, took)));
  console.log(
    `${TENANTS} instances, ${A_SECOND} requests/s, ${WATCHED_MS / 1000} s. Script a frame: ${inWords(script)}; by the clock of this machine: ${inWords(elapsed)}`,
  );
  assert.ok(script.frames >= WATCHED_MS / 1000 / 2, "the page has hardly done anything");
  assert.ok(script.most < MOST_MS, `a frame had ${ms(script.most)} of script`);
});

function summed({ frames, longest }) {
  const part = (part) => frames[Math.ceil(part * frames.length) - 1];
  return { frames: frames.length, p50: part(0.5), p99: part(0.99), most: part(1), longest };
}

const ms = (time) => `${time.toFixed(1)} ms`;

const inWords = ({ p50, p99, most, longest }) =>
  `p50 ${ms(p50)}, p99 ${ms(p99)}, most ${ms(most)}; longest task of any kind ${ms(longest)}`;
