// Every pool instance in a table, as much of it as somebody scrolls to.

import { address, byWeight, together } from "./instance.js";
import { element, keep, mark, named, say } from "./element.js";
import { count, counted, span } from "./words.js";

const PORTION = 40;

const at = (id) => document.getElementById(id);
const body = at("table").tBodies[0];

let pools = [];
let portions = 1;
let places = new Map();

export function showTable(all) {
  pools = together(all);
  show();
}

function show() {
  const words = at("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const isMeant = ({ label, says }) => words.every((word) => `${label} ${says}`.toLowerCase().includes(word));
  const found = inOrder().filter(isMeant);
  keep(body, found.slice(0, portions * PORTION), ({ id }) => id, makeRow);
  const all = counted(pools.length, "pool");
  say(at("found"), found.length === pools.length ? all : `${count(found.length)} of ${all}`);
}

/** What matters most first; nothing moves while somebody points at it, or has the focus in it. */
function inOrder() {
  const isHeld = body.matches(":hover") || body.contains(document.activeElement);
  if (!isHeld) places = new Map([...pools].sort(byWeight).map(({ id }, place) => [id, place]));
  const placeOf = ({ id }) => places.get(id) ?? places.size;
  return [...pools].sort((one, other) => placeOf(one) - placeOf(other));
}

function makeRow(pool) {
  const link = element("a");
  named(link, pool.label);
  const cells = ["", "number", "", "number", "number", "number", "number"].map((name) =>
    element("td", name ? { class: name } : {}),
  );
  const node = element("tr", {}, element("th", { scope: "row" }, link), ...cells);
  const show = (pool) => {
    mark(node, "data-tone", pool.tone);
    mark(link, "href", address(pool));
    const { refused, upstream_refused: byUpstream } = pool.told;
    const limits = [pool, ...pool.beside];
    const texts = [
      pool.says,
      limits.map(({ used }) => count(used)).join(" and "),
      limits.map(({ inForce }) => inForce ?? "unknown").join(" and "),
      count(pool.waiting),
      pool.p95Ms > 0 ? span(pool.p95Ms) : "–",
      count(refused),
      count(byUpstream),
    ];
    texts.forEach((text, index) => say(cells[index], text));
  };
  return { node, show };
}

at("search").addEventListener("input", () => {
  portions = 1;
  show();
});

new IntersectionObserver(
  ([end]) => {
    if (!end.isIntersecting || portions * PORTION >= pools.length) return;
    portions += 1;
    show();
  },
  { root: null, rootMargin: "300px" },
).observe(at("further"));
