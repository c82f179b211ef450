// A gate that goes, and comes back at the same address.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { becomesEqual, openBrowser, openPage } from "./browser.mjs";
import { openWorld } from "./world.mjs";

const CONFIG = `
  [pools]
  posts = { requests = ["40/h"] }
  [[routes]]
  match = "POST /v1/threads"
  pools = ["posts"]
`;

let browser, world;

before(async () => {
  [browser, world] = await Promise.all([openBrowser(), openWorld(CONFIG)]);
});

after(async () => {
  await browser.close();
  await world.close();
});

test("a gate that is gone is told of, and one that is back is shown without a reload", async () => {
  const { page, close } = await openPage(browser, world.gate.admin);
  await world.crowd.burst(5, "POST", "/v1/threads");
  const level = page.locator(".level").first();
  await becomesEqual(
    () => level.innerText(),
    () => "5 of 40/h",
  );

  await world.gate.stop();
  await page.getByRole("alert").waitFor();
  assert.match(
    await page.getByRole("alert").innerText(),
    /^The gate does not answer.*What you see is of \d\d:\d\d:\d\d/,
  );
  assert.equal(await page.locator("#pulse-text").innerText(), "gone");
  assert.equal(await level.innerText(), "5 of 40/h");

  const back = await world.serve(new URL(world.gate.admin).host);
  try {
    await page.locator("#pulse[data-state=live]").waitFor();
    assert.equal(await page.getByRole("alert").count(), 0);
    await becomesEqual(
      () => level.innerText(),
      () => "0 of 40/h",
    );
  } finally {
    await back.stop();
  }
  await close();
});
