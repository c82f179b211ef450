// A thousand pool instances at a hundred requests a second. What a frame costs then is for `make frames`.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { becomesEqual, getJson, openBrowser, openPage } from "./browser.mjs";
import { TENANTS, openThousand } from "./tenants.mjs";

let browser, world, view;

before(async () => {
  let load;
  [browser, { world, load }] = await Promise.all([openBrowser(), openThousand()]);
  load();
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

test("it follows the load, and comes to show what the gate says", async () => {
  const { page } = view;
  const sent = async () => Number((await page.locator("#sent").innerText()).replaceAll(",", ""));
  const before = await sent();
  await becomesEqual(
    async () => (await sent()) > before,
    () => true,
  );
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), page.viewportSize().width);
  world.crowd.stop();
  await becomesEqual(sent, async () => (await getJson(`${world.gate.admin}/status`)).totals.sent);
  assert.equal(await page.locator("#pulse").getAttribute("data-state"), "live");
});
