// A pool instance as a tank: how full it is, the line before it, and what a new request would meet.

import { address } from "./instance.js";
import { element, keep, mark, named, say } from "./element.js";
import { Strip } from "./strip.js";
import { count, inLine, inShort, span, waited } from "./words.js";

/** So many of a line are drawn. */
const DOTS = 12;
/** How many of those who wait are named. */
const NAMED = 3;

export function makeTank(pool) {
  const node = document.getElementById("tank").content.cloneNode(true).firstElementChild;
  const find = (selector) => node.querySelector(selector);
  const [strip, of] = [new Strip(find(".strip"), pool), pool.counts];
  named(find("a"), pool.label);
  const show = (pool) => {
    mark(node, "data-tone", pool.tone);
    mark(find("a"), "href", address(pool));
    showChip(find(".chip"), pool);
    showScene(node, pool);
    say(find(".for"), pool.waiting > 0 && pool.told ? forWhom(pool.told.waiting_for) : "");
    keep(find(".beside"), pool.beside, ({ id }) => id, makeBar);
    strip.note([pool, ...pool.beside].find(({ counts }) => counts === of) ?? pool);
  };
  return { node, show, end: () => strip.end() };
}

/** The other limit of the same model, as a bar. */
function makeBar() {
  const [bar, text] = [element("span", { class: "gauge", role: "meter", "aria-valuemin": 0 }), element("span")];
  const show = (pool) => {
    const of = pool.inForce === null ? "used, no limit is known" : `of ${pool.inForce}`;
    showBasin(bar, pool, of);
    mark(bar, "data-tone", pool.tone);
    say(text, `${count(pool.used)} ${of}`);
  };
  return { node: element("p", {}, bar, text), show };
}

export function showChip(chip, { tone, says }) {
  chip.hidden = tone === "calm";
  say(chip, says);
}

/** The tank itself, somewhere in this node. */
export function showScene(node, pool) {
  const of = pool.inForce === null ? "used, no limit is known" : `of ${pool.inForce}`;
  showBasin(node.querySelector(".basin"), pool, of);
  say(node.querySelector(".level b"), count(pool.used));
  say(node.querySelector(".level span"), of);
  showLine(node.querySelector(".dots"), pool.waiting);
  say(node.querySelector(".waiting"), inLine(pool));
  say(node.querySelector(".wait"), waits(pool));
}

function showBasin(basin, { label, used, max, share }, of) {
  basin.style.setProperty("--level", Math.min(share, 1).toFixed(4));
  basin.classList.toggle("boundless", max === null);
  mark(basin, "aria-label", `Used of ${label}`);
  mark(basin, "aria-valuenow", Math.min(used, max ?? used));
  mark(basin, "aria-valuemax", Math.max(max ?? used, 1));
  mark(basin, "aria-valuetext", `${count(used)} ${of}`);
}

function showLine(dots, waiting) {
  const many = Math.min(waiting, DOTS);
  while (dots.childElementCount > many) dots.lastElementChild.remove();
  while (dots.childElementCount < many) dots.append(element("i"));
}

/** How long the oldest in line has waited, and how long those waited that went. */
function waits({ oldestMs, told }) {
  const oldest = oldestMs === null ? "" : `the oldest for ${span(oldestMs)}`;
  return [oldest, told ? waited(told.waits) : ""].filter(Boolean).join("; ");
}

function forWhom(waitingFor) {
  const named = waitingFor.slice(0, NAMED).map(({ client, name, requests }) => `${name ?? inShort(client)} ×${count(requests)}`);
  if (waitingFor.length > NAMED) named.push("…");
  return named.length === 0 ? "" : `In line: ${named.join(", ")}`;
}
