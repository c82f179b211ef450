// The answer to "which limit is it?", in words: the worst that is the matter, and why.

import { fromWorst } from "./instance.js";
import { code } from "./copy.js";
import { element, keep, mark, named, say } from "./element.js";
import { count, counted, detail, sentence, span, waited } from "./words.js";

const at = (id) => document.getElementById(id);

/** How much else is named. */
const ALSO = 4;

export function showVerdict(status, pools) {
  const [worst, ...others] = status.worst.map(fromWorst);
  if (worst === undefined) showCalm(status, pools);
  else
    showTrouble(
      worst,
      pools.find(({ id }) => id === worst.id),
    );
  const also = others.slice(0, ALSO);
  const rest = others.length - also.length;
  if (rest > 0) also.push({ id: "rest", rest });
  keep(at("also"), also, ({ id }) => id, makeAlso);
}

/** The worst, and the pool instance that it is about, if it is about one. */
function showTrouble(worst, pool) {
  mark(at("verdict"), "data-tone", worst.tone);
  showAnswer(worst, ` ${verdict(worst, pool)}`);
  say(at("because"), [detail(worst.text), pool === undefined ? "" : facts(pool)].filter(Boolean).join(" "));
  at("advice").hidden = worst.advice === null;
  say(at("advice"), worst.advice === null ? "" : `What to do: ${worst.advice}`);
  showToml(at("toml"), worst.toml);
}

/** The lines of configuration that would make it permanent, to be copied. */
export function showToml(node, toml) {
  node.hidden = toml === null;
  if (toml === null) return;
  keep(node, [toml], (toml) => toml, (toml) => {
    const { node, show } = code("Copy as TOML");
    show(toml);
    return { node, show: () => {} };
  });
}

function verdict({ cause: name, kind, waiting }, pool) {
  if (name === "within_limits") return `has a line of ${count(waiting)} before it`;
  if (kind !== null) return `${sentence(name)}: ${kind}`;
  return name === "own_limit" && pool?.inForce ? `${sentence(name)}: ${pool.inForce}` : sentence(name);
}

function showAnswer(worst, rest) {
  const answer = at("answer");
  if (answer.dataset.says === worst.id + rest) return;
  answer.dataset.says = worst.id + rest;
  answer.replaceChildren(name(worst), `${rest}.`);
}

function name({ href, label }) {
  const node = href === null ? element("span") : element("a", { href });
  named(node, label);
  return node;
}

function facts({ told, held, oldestMs }) {
  const { refused, upstream_refused: byUpstream } = told;
  const said = [
    held > 0 && `${counted(held, "request")} ${held === 1 ? "waits" : "wait"} for it, the oldest for ${span(oldestMs ?? 0)}`,
    waited(told.waits),
    refused > 0 && `since the start the gate itself has refused ${counted(refused, "request")}`,
    byUpstream > 0 && `the upstream has refused ${count(byUpstream)}`,
  ].filter(Boolean);
  if (said.length === 0) return "";
  const text = said.join("; ");
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

function showCalm({ totals, routes }, pools) {
  const isNew = totals.granted + totals.refused + routes.length === 0;
  mark(at("verdict"), "data-tone", "calm");
  delete at("answer").dataset.says;
  say(at("answer"), isNew ? "No requests yet." : "No limit is hit.");
  say(at("because"), isNew ? "Tell an app where the gate listens, and look here again." : calm(pools));
  at("advice").hidden = at("toml").hidden = true;
}

function calm(pools) {
  const [fullest] = pools.filter(({ share }) => share > 0).sort((one, other) => other.share - one.share);
  const fill =
    fullest === undefined
      ? ""
      : ` The fullest is ${fullest.label}, with ${count(fullest.used)} of ${fullest.inForce} used.`;
  return `No request waits, and none was refused lately.${fill}`;
}

function makeAlso() {
  const node = element("li");
  const show = (worst) => {
    if (worst.rest !== undefined) return say(node, `and ${count(worst.rest)} more in the table below`);
    mark(node, "data-tone", worst.tone);
    const said = `${worst.label}: ${worst.says}`;
    if (node.textContent === said) return;
    node.replaceChildren(name(worst), `: ${worst.says}`);
  };
  return { node, show };
}
