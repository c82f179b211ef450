// The page: what the gate says goes to what shows it, and the address says which view that is.

import { Feed } from "./feed.js";
import { fromPulse, fromStatus, fromWorst } from "./instance.js";
import { say, mark } from "./element.js";
import { count, span, timeOfDay } from "./words.js";
import { showEvents, showRefusals } from "./events.js";
import { PoolPage } from "./pool.js";
import { showClients } from "./clients.js";
import { showRequests } from "./requests.js";
import { showRoutes } from "./routes.js";
import { showSaved } from "./saved.js";
import { showConfiguration } from "./start.js";
import { showTable } from "./table.js";
import { showTanks } from "./tanks.js";
import { showVerdict } from "./verdict.js";
import "./trial.js";

const at = (id) => document.getElementById(id);

const TITLE = document.title;
const MINUTE = 60_000;

const feed = new Feed();
/** What was said last; nothing until then. */
const last = { pulse: null, status: null, told: new Map(), sent: [] };
let page = null;
/** What had the focus when a pool's page was opened. */
let cameFrom = null;

function show() {
  if (page === null) showOverview();
  else page.show(last.status, live());
}

/** The instances of the pulse, with what the status tells of them. */
function live() {
  return (last.pulse?.pools ?? []).map(fromPulse).map((pool) => ({ ...pool, told: last.told.get(pool.id)?.told }));
}

function showOverview() {
  if (last.pulse !== null) showTanks(live(), last.pulse.more, last.told);
  if (last.status === null || !last.fresh) return;
  last.fresh = false;
  const pools = [...last.told.values()];
  showVerdict(last.status, pools);
  document.title = titleOf(last.status);
  showEvents(last.status.events);
  showRefusals(last.status.refusals);
  showSaved(last.status.coalesced);
  showRequests(last.status);
  showRoutes(last.status.routes);
  showClients(last.status.clients);
  showConfiguration(last.status);
  showTable(pools);
}

function showGate() {
  const { pulse, status } = last;
  if (pulse !== null) say(at("waiting"), count(pulse.waiting));
  if (status === null) return;
  const { totals, version, config, config_hash: hash, uptime_s: uptime, draining } = status;
  say(at("sent"), count(totals.sent));
  say(at("rate"), count(rate()));
  say(at("refused"), count(totals.refused));
  say(at("uptime"), span(uptime * 1000));
  say(at("about"), `Tidegate ${version} · ${config} (${hash})${draining ? " · draining" : ""}`);
}

/** How many requests the gate has sent in the last minute, or has in one at the pace of what it has been watched for. */
function rate() {
  const [first, newest] = [last.sent[0], last.sent.at(-1)];
  if (first === undefined || newest.at === first.at) return 0;
  return Math.round(((newest.sent - first.sent) * MINUTE) / (newest.at - first.at));
}

/** A tab in the background shows what is the matter, and how many wait. */
function titleOf(status) {
  if (status === null) return TITLE;
  const [worst] = status.worst.map(fromWorst);
  const waiting = status.waiting > 0 ? `(${count(status.waiting)}) ` : "";
  return worst === undefined ? `${waiting}${TITLE}` : `${waiting}! ${worst.label}: ${worst.says} · Tidegate`;
}

let asked = false;

/** Shows at the next frame, once, whatever came until then. */
function soon() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    showGate();
    show();
  });
}

feed.addEventListener("pulse", ({ detail }) => {
  last.pulse = detail;
  last.heard = Date.now();
  at("gone").hidden = true;
  mark(document.body, "data-gate", "there");
  mark(at("pulse"), "data-state", detail.draining ? "draining" : "live");
  say(at("pulse-text"), detail.draining ? "draining" : "live");
  soon();
});

feed.addEventListener("status", ({ detail }) => {
  last.status = detail;
  last.sent.push({ at: detail.at_ms, sent: detail.totals.sent });
  while (last.sent[0].at < detail.at_ms - MINUTE || last.sent[0].sent > detail.totals.sent) last.sent.shift();
  last.fresh = true;
  last.told = new Map(detail.pools.map(fromStatus).map((pool) => [pool.id, pool]));
  soon();
});

feed.addEventListener("gone", () => {
  mark(document.body, "data-gate", "gone");
  mark(at("pulse"), "data-state", "gone");
  say(at("pulse-text"), "gone");
  at("gone").hidden = false;
  const since = last.heard === undefined ? "" : ` What you see is of ${timeOfDay(last.heard)}.`;
  say(
    at("gone"),
    `The gate does not answer: it has been stopped, or cannot be reached.${since} The page goes on asking.`,
  );
});

/** `#/pool/NAME/KEY/COUNTS`, or everything. */
function route() {
  if (page === null) cameFrom = document.activeElement;
  const [, name, key, counts] =
    /^#\/pool\/([^/]*)\/([^/]*)\/([^/]*)$/.exec(location.hash)?.map(decodeURIComponent) ?? [];
  page?.end();
  page = name === undefined ? null : new PoolPage(at("pool"), { name, key: key || null, counts });
  document.title = page === null ? titleOf(last.status) : `${page.label} · Tidegate`;
  at("overview").hidden = page !== null;
  at("pool").hidden = page === null;
  feed.narrow(name ?? null);
  last.fresh = page === null && last.status !== null;
  if (page === null) cameFrom?.focus();
  else page.focus();
  show();
}

addEventListener("hashchange", route);
addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && page !== null) location.hash = "#/";
});

route();
feed.start();
