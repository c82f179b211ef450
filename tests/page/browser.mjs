// A Chromium that looks at the page, and whatever a page must never do, noted.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const OPTIONS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** When a test is taken to hang, in ms. Nothing waits this long: it is generous for a machine that is busy. */
export const HANGS = 150_000;

export const PHONE = { width: 390, height: 844 };

/** With a profile of its own, that is empty. */
export const openBrowser = () =>
  chromium.launch({ timeout: HANGS, executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: OPTIONS });

/** Opens the page at this address, and waits until it shows what the gate says. */
export async function openPage(browser, admin, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(HANGS);
  const page = await context.newPage();
  const faults = watch(page, admin);
  await page.goto(`${admin}/${options.hash ?? ""}`);
  await page.locator("#pulse[data-state=live]").waitFor();
  return { page, faults, close: () => context.close() };
}

/** What the page has done that it must not: errors, and requests to others than the gate. */
function watch(page, admin) {
  const faults = [];
  page.on("console", (message) => message.type() === "error" && faults.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("request", (request) => request.url().startsWith(`${admin}/`) || faults.push(`asked ${request.url()}`));
  return faults;
}

/** Polls until the two are equal, and fails with both if they do not become so. */
export async function becomesEqual(actual, expected) {
  const deadline = Date.now() + HANGS;
  for (;;) {
    const [one, other] = [await actual(), await expected()];
    if (JSON.stringify(one) === JSON.stringify(other)) return one;
    if (Date.now() > deadline) assert.deepEqual(one, other);
    await new Promise((resume) => setTimeout(resume, 100));
  }
}

export async function getJson(url) {
  const answer = await fetch(url);
  return answer.json();
}
