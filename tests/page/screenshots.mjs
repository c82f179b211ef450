// The pictures in the README: a real gate under real load for some minutes, as a new user would meet it. The load comes
// and goes like a tide, and the upstream takes fewer POSTs than are written down.

import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { PHONE, openBrowser, openPage } from "./browser.mjs";
import { openWorld } from "./world.mjs";

const MINUTES = Number(process.env.MINUTES ?? 12);
const FOLDER = fileURLToPath(new URL("../../docs/screenshots/", import.meta.url));

const CONFIG = `
  [clients]
  by = ["x-tidegate-client"]
  [pools]
  assistants-get = { requests = ["1000/min"] }
  assistants-post = { requests = ["300/min"] }
  assistants-runs = { requests = ["200/min"] }
  vector-store-files = { requests = ["300/min"], key = ["path.vector_store_id"] }
  files-upload = { requests = ["1000/min"] }
  batches-create = { requests = ["2000/h"] }
  containers-create = { requests = ["100/min"] }
  models = { key = ["body.model"] }
  [[routes]]
  match = "GET /v1/threads/{*rest}"
  pools = ["assistants-get"]
  [[routes]]
  match = "POST /v1/threads"
  pools = ["assistants-post"]
  [[routes]]
  match = "POST /v1/threads/runs"
  pools = ["assistants-runs", "assistants-post"]
  [[routes]]
  match = "POST /v1/vector_stores/{vector_store_id}/files"
  pools = ["vector-store-files"]
  [[routes]]
  match = "POST /v1/files"
  pools = ["files-upload"]
  [[routes]]
  match = "POST /v1/batches"
  pools = ["batches-create"]
  [[routes]]
  match = "POST /v1/containers"
  pools = ["containers-create"]
  [[routes]]
  match = "POST /v1/chat/completions"
  pools = ["models"]
`;
const UPSTREAM = CONFIG.replace("300/min", "180/min");

/** A load that comes and goes: so many a second on average, once in so many seconds. */
const tide =
  (mean, period, reach = 0.6) =>
  (second) =>
    mean * (1 + reach * Math.sin((second / period) * 2 * Math.PI));

function load(crowd) {
  const clients = ["web", "batch", "nightly"];
  const as = (index) => ({ "x-tidegate-client": clients[index % clients.length], "content-type": "application/json" });
  const send = (method, path, body) => (index) =>
    crowd.send(method, typeof path === "function" ? path(index) : path, as(index), body);
  crowd.keepSending(tide(2.6, 200), send("POST", "/v1/threads", {}));
  crowd.keepSending(tide(0.4, 150), send("POST", "/v1/threads/runs", { assistant_id: "asst_1" }));
  crowd.keepSending(tide(10, 300), send("GET", "/v1/threads/thread_1/messages"));
  crowd.keepSending(
    tide(3, 240),
    send("POST", (index) => `/v1/vector_stores/${["manuals", "invoices"][index % 2]}/files`, { file_id: "file-1" }),
  );
  crowd.keepSending(tide(0.3, 180), send("POST", "/v1/batches", {}));
  crowd.keepSending(
    tide(3.2, 260, 0.8),
    send("POST", "/v1/chat/completions", {
      model: "gpt-4o",
      messages: [{ role: "user", content: "How high is the tide?" }],
    }),
  );
}

const VIEWS = [
  ["desktop-light", { colorScheme: "light" }],
  ["desktop-dark", { colorScheme: "dark" }],
  ["phone-light", { colorScheme: "light", viewport: PHONE, deviceScaleFactor: 2 }],
  ["phone-dark", { colorScheme: "dark", viewport: PHONE, deviceScaleFactor: 2 }],
];

async function take(browser, admin, [name, options]) {
  const { page, close } = await openPage(browser, admin, options);
  await page.locator("#answer", { hasText: "assistants-post has a hidden limit" }).waitFor({ timeout: 600_000 });
  // So that the water has come to rest and the charts have been drawn.
  await page.locator(".strip[aria-label]").first().waitFor();
  await page.waitForTimeout(2500);
  await page.screenshot({ path: `${FOLDER}${name}.png` });
  await close();
}

await mkdir(FOLDER, { recursive: true });
const world = await openWorld(CONFIG, { upstream: UPSTREAM, options: ["--rpm", "200", "--tpm", "30000"] });
const browser = await openBrowser();
try {
  load(world.crowd);
  await new Promise((resume) => setTimeout(resume, MINUTES * 60_000));
  for (const view of VIEWS) await take(browser, world.gate.admin, view);
} finally {
  await browser.close();
  await world.close();
}
