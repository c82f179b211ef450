// How much script a frame of the page has, with a thousand pool instances at a hundred requests a second. It depends on the
// machine, so it is printed and judged by nobody. `make frames`; WATCHED=60 watches for longer.

import { openBrowser, openPage } from "./browser.mjs";
import { A_SECOND, TENANTS, openThousand } from "./tenants.mjs";
import { CATEGORIES, framesOf, passed, spent } from "./trace.mjs";

const WATCHED = Number(process.env.WATCHED ?? 12);

const [browser, { world, load }] = await Promise.all([openBrowser(), openThousand()]);
try {
  load();
  const { page } = await openPage(browser, world.gate.admin);
  await browser.startTracing(page, { categories: CATEGORIES });
  await new Promise((resume) => setTimeout(resume, WATCHED * 1000));
  const trace = JSON.parse(await browser.stopTracing());
  console.log(`${TENANTS} instances, ${A_SECOND} requests/s, ${WATCHED} s`);
  for (const [what, took] of [
    ["of the thread's own time", spent],
    ["by the clock", passed],
  ]) {
    console.log(`script a frame, ${what}: ${inWords(framesOf(trace, took))}`);
  }
} finally {
  await browser.close();
  await world.close();
}

function inWords({ frames, longest }) {
  const part = (part) => ms(frames[Math.ceil(part * frames.length) - 1] ?? 0);
  return `${frames.length} frames, p50 ${part(0.5)}, p99 ${part(0.99)}, most ${part(1)}; longest task of any kind ${ms(longest)}`;
}

function ms(time) {
  return `${time.toFixed(1)} ms`;
}
