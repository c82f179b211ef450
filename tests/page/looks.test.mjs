// Light and dark, wide and narrow, by keyboard and for those who do not see it.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";

import { PHONE, becomesEqual, openBrowser, openPage } from "./browser.mjs";
import { openWorld } from "./world.mjs";

const CONFIG = `
  [pools]
  a-pool-with-a-name-that-is-rather-long-for-a-phone = { requests = ["20/h"] }
  models = { requests = ["9/h"], key = ["body.model"] }
  [[routes]]
  match = "POST /v1/threads"
  pools = ["a-pool-with-a-name-that-is-rather-long-for-a-phone"]
  [[routes]]
  match = "POST /v1/embeddings"
  pools = ["models"]
`;
const LONG = "#/pool/a-pool-with-a-name-that-is-rather-long-for-a-phone//requests";
/** What a client would write who means ill. */
const MARKUP = "<img/src=x/onerror=document.title='hacked'>";

let browser, world;

before(async () => {
  [browser, world] = await Promise.all([openBrowser(), openWorld(CONFIG)]);
  world.crowd.burst(30, "POST", "/v1/threads");
  await world.crowd.burst(3, "POST", "/v1/embeddings", {}, { model: MARKUP, input: "" });
});

after(async () => {
  await browser.close();
  await world.close();
});

/** Opens the page, looks at it, and finds that it has done nothing that it must not. */
async function looking(options, look) {
  const { page, faults, close } = await openPage(browser, world.gate.admin, options);
  await page.locator(".tank, #pool h1").first().waitFor();
  await look(page);
  assert.deepEqual(faults, []);
  await close();
}

const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const brightness = (colour) =>
  colour
    .match(/\d+/g)
    .slice(0, 3)
    .reduce((sum, part) => sum + Number(part), 0) / 3;

test("it is light or dark as the system is, and as its switch says, also the next time", async () => {
  await looking({ colorScheme: "light" }, async (page) => assert.ok(brightness(await ground(page)) > 200));
  await looking({ colorScheme: "dark" }, async (page) => {
    assert.ok(brightness(await ground(page)) < 50);
    const theme = page.getByRole("button", { name: /^Theme/ });
    await theme.click();
    assert.equal(await theme.innerText(), "Theme: light");
    assert.ok(brightness(await ground(page)) > 200);
    await page.reload();
    assert.ok(brightness(await ground(page)) > 200);
    await theme.click();
    assert.ok(brightness(await ground(page)) < 50);
  });
});

for (const hash of ["", LONG]) {
  test(`nothing hangs over the side of a phone at ${hash || "the overview"}`, async () => {
    await looking({ viewport: PHONE, hash }, async (page) => {
      await becomesEqual(
        () => page.locator(".level b").first().innerText(),
        () => "20",
      );
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), PHONE.width);
    });
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`axe finds nothing wrong with it in the ${colorScheme} at ${hash || "the overview"}`, async () => {
      await looking({ colorScheme, hash }, async (page) => {
        await becomesEqual(
          () => page.locator(".level b").first().innerText(),
          () => "20",
        );
        assert.deepEqual(await violations(page), []);
      });
    });
  }
}

/** Run as a debugger would, as the page lets no script in. */
async function violations(page) {
  await page.evaluate(await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(
    ({ id, impact, nodes }) =>
      `${id} (${impact}): ${nodes
        .map(({ html }) => html)
        .slice(0, 3)
        .join(" ")}`,
  );
}

test("Tab leads to a tank, Enter into it, and Escape back to where one was", async () => {
  await looking({}, async (page) => {
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    const name = await page.locator(".tank h3 a").first().textContent();
    for (
      let presses = 0;
      (await focused()) !== name || !(await page.evaluate(() => document.activeElement.closest(".tank")));
      presses += 1
    ) {
      assert.ok(presses < 30, "no tank within 30 presses of Tab");
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await becomesEqual(
      () => page.evaluate(() => document.activeElement.tagName),
      () => "H1",
    );
    assert.equal(await focused(), name);
    await page.keyboard.press("Escape");
    await page.locator("#overview").waitFor();
    await becomesEqual(
      () => page.evaluate(() => document.activeElement.closest(".tank") !== null),
      () => true,
    );
    assert.equal(await focused(), name);
  });
});

test("what can be reached by keyboard shows that it has the focus", async () => {
  await looking({}, async (page) => {
    await page.keyboard.press("Tab");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, "solid");
  });
});

test("nothing moves for those who want no motion", async () => {
  await looking({ reducedMotion: "reduce" }, async (page) => {
    const moving = await page.evaluate(
      () =>
        [...document.querySelectorAll(".water, .lamp")]
          .map((node) => getComputedStyle(node))
          .filter(({ animationName, transitionDuration }) => animationName !== "none" || transitionDuration !== "0s")
          .length,
    );
    assert.equal(moving, 0);
  });
});

test("what a client wrote is text", async () => {
  await looking({}, async (page) => {
    await page
      .getByRole("link", { name: `models ${MARKUP}` })
      .first()
      .waitFor();
    assert.equal(await page.locator("main img").count(), 0);
    assert.match(await page.title(), /Tidegate/);
  });
});

test("nothing runs that is not a file of the page, and every file may be loaded", async () => {
  const answer = await fetch(`${world.gate.admin}/`);
  assert.match(answer.headers.get("content-security-policy"), /default-src 'self'/);
  assert.equal(answer.headers.get("content-type"), "text/html; charset=utf-8");
  const { page, close } = await openPage(browser, world.gate.admin);
  const broken = page.evaluate(tryInline);
  assert.equal(await broken, "script-src-elem");
  assert.match(await page.title(), /Tidegate/);
  await close();
});

/** Runs in the page: which rule a script breaks that is written inline; it would have run at once if it broke none. */
function tryInline() {
  return new Promise((resolve) => {
    addEventListener("securitypolicyviolation", ({ effectiveDirective }) => resolve(effectiveDirective));
    const script = document.createElement("script");
    script.textContent = "document.title = 'hacked'";
    document.body.append(script);
    if (document.title === "hacked") resolve("none");
  });
}
