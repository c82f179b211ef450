// The answer to "which limit is it?", in words: the worst that is the matter, and why.

import { address, label, troubles } from "./instance.js";
import { element, keep, mark, say } from "./element.js";
import { count, counted, detail, sentence, waitOfNew } from "./words.js";

const at = (id) => document.getElementById(id);

/** How much else is named. */
const ALSO = 4;

export function showVerdict(status, pools) {
  const [worst, ...others] = troubles(pools);
  if (worst === undefined) showCalm(status, pools);
  else showTrouble(worst);
  const also = others.slice(0, ALSO);
  const rest = others.length - also.length;
  if (rest > 0) also.push({ id: "rest", rest });
  keep(at("also"), also, ({ id }) => id, makeAlso);
}

function showTrouble(worst) {
  const { text, advice } = worst.told.diagnosis;
  mark(at("verdict"), "data-tone", worst.tone);
  showAnswer(worst, ` ${verdict(worst)}`);
  say(at("because"), [detail(text), facts(worst)].filter(Boolean).join(" "));
  at("advice").hidden = advice === null;
  say(at("advice"), advice === null ? "" : `What to do: ${advice}`);
}

function verdict({ cause: name, waiting, inForce }) {
  if (name === "within_limits") return `has a line of ${count(waiting)} before it`;
  return name === "own_limit" && inForce !== null ? `${sentence(name)}: ${inForce}` : sentence(name);
}

function showAnswer(pool, rest) {
  const answer = at("answer");
  if (answer.dataset.says === pool.id + rest) return;
  answer.dataset.says = pool.id + rest;
  answer.replaceChildren(element("a", { href: address(pool) }, label(pool)), `${rest}.`);
}

function facts({ told, waiting, etaMs }) {
  const { refused, upstream_refused: byUpstream } = told;
  const said = [
    waiting > 0 && `${waitOfNew(etaMs)}`,
    refused > 0 && `since the start the gate itself has refused ${counted(refused, "request")}`,
    byUpstream > 0 && `the upstream has refused ${count(byUpstream)}`,
  ].filter(Boolean);
  if (said.length === 0) return "";
  const text = said.join("; ");
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

function showCalm({ totals }, pools) {
  const isNew = totals.granted + totals.refused === 0;
  mark(at("verdict"), "data-tone", "calm");
  delete at("answer").dataset.says;
  say(at("answer"), isNew ? "Nothing has come through yet." : "No limit is hit.");
  say(at("because"), isNew ? "Tell an app where the gate listens: OPENAI_BASE_URL=http://…/v1." : calm(pools));
  at("advice").hidden = true;
}

function calm(pools) {
  const [fullest] = pools.filter(({ share }) => share > 0).sort((one, other) => other.share - one.share);
  const fill =
    fullest === undefined
      ? ""
      : ` The fullest is ${fullest.label}, with ${count(fullest.used)} of ${fullest.inForce} used.`;
  return `Nobody waits, and nobody was refused lately.${fill}`;
}

function makeAlso() {
  const node = element("li");
  const show = (pool) => {
    if (pool.rest !== undefined) return say(node, `and ${count(pool.rest)} more in the table below`);
    mark(node, "data-tone", pool.tone);
    const said = `${pool.label}: ${pool.says}`;
    if (node.textContent === said) return;
    node.replaceChildren(element("a", { href: address(pool) }, pool.label), `: ${pool.says}`);
  };
  return { node, show };
}
