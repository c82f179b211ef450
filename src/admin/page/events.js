// What was refused: by the upstream as events with the diagnosis in words, the newest first; by the gate in numbers.

import { element, keep, mark, say } from "./element.js";
import { counted, timeOfDay, tone, whyRefused } from "./words.js";

const SHOWN = 20;
/** The moment of one event is reckoned anew each time, and may differ by so much. */
const BLUR = 100;

const [list, nothing, announcer, refusals, noRefusals] = [
  "events",
  "no-events",
  "announcer",
  "refusals",
  "no-refusals",
].map((id) => document.getElementById(id));

let known = null;

export function showEvents(events) {
  showList(list, events.slice(-SHOWN).reverse());
  nothing.hidden = events.length > 0;
  announce(events);
}

/** Shows them in a list of their own; the diagnosis, which is of now, at the newest of each pool. */
export function showList(list, events) {
  const told = new Set();
  const once = ({ pool, text }) => (told.has(pool) ? "" : (told.add(pool), text));
  keep(
    list,
    events.map((event) => ({ ...event, text: once(event) })),
    nameOf,
    makeEvent,
  );
}

const nameOf = ({ pool, at_ms: at, refusal_cause: cause }) => `${pool} ${cause} ${Math.round(at / BLUR)}`;

/** What the gate itself has refused since the start, the most first. */
export function showRefusals(all) {
  const most = [...all].sort((one, other) => other.requests - one.requests);
  keep(refusals, most, ({ pool, code }) => `${pool} ${code}`, makeRefusal);
  noRefusals.hidden = all.length > 0;
}

function makeRefusal({ pool, code }) {
  const many = element("b");
  const of = pool === null ? "" : ` of ${pool}`;
  const node = element(
    "li",
    { "data-tone": "busy" },
    element("p", {}, many, `${of}: ${whyRefused(code)}`),
    element("p", { class: "what" }, code),
  );
  return { node, show: ({ requests }) => say(many, counted(requests, "request")) };
}

/** Says what is new; what was there when the page was opened is not. */
function announce(events) {
  const newest = events.at(-1);
  const fresh = known !== null && newest !== undefined && newest.at_ms > known + BLUR;
  if (fresh)
    say(announcer, `The upstream refused ${counted(newest.refusals, "request")} of ${newest.pool}. ${newest.text}`);
  known = Math.max(known ?? 0, newest?.at_ms ?? 0);
}

function makeEvent() {
  const [time, pool, many, text] = [element("time"), element("b"), element("span"), element("p")];
  const node = element("li", {}, element("p", { class: "what" }, time, " ", pool, " ", many), text);
  const show = (event) => {
    mark(node, "data-tone", tone(event.cause) === "calm" ? "refused" : tone(event.cause));
    mark(time, "datetime", new Date(event.at_ms).toISOString());
    say(time, timeOfDay(event.at_ms));
    say(pool, event.pool);
    say(many, `${counted(event.refusals, "request")} refused: ${event.refusal_cause}`);
    say(text, event.text);
  };
  return { node, show };
}
