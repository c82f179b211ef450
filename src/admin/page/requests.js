// The requests that wait, each with what it waits for, and the last that ended; of one client or route, if that is wanted.

import { requestsOf } from "./feed.js";
import { address } from "./instance.js";
import { element, keep, mark, say } from "./element.js";
import { count, counted, cut, inShort, span, timeOfDay, whyRefused } from "./words.js";

const at = (id) => document.getElementById(id);
const [form, table, none] = ["requests-of", "requests", "no-requests"].map(at);
const body = table.tBodies[0];

let asking = null;

/** Shows them, unless someone points at one or has the focus there: what is read stands still. */
export async function showRequests(status) {
  offer(form.elements.client, status.clients.map(({ client, name }) => [client, name ?? client]));
  offer(form.elements.route, status.routes.map(({ route }) => [route, route]));
  if (!body.matches(":hover") && !body.contains(document.activeElement)) await ask();
}

async function ask() {
  asking?.abort();
  const own = (asking = new AbortController());
  const wanted = [...new FormData(form)].filter(([, value]) => value !== "");
  try {
    const requests = await requestsOf(Object.fromEntries(wanted), own.signal);
    if (own === asking) show(requests);
  } catch {
    // Whether the gate is gone is for the pulse to tell.
  }
}

function show({ waiting, ended }) {
  const waits = waiting.map((request, place) => ({ id: `waits ${place}`, ...waitingRow(request) }));
  const over = ended.map((request) => ({ id: request.number, ...endedRow(request) }));
  keep(body, [...waits, ...over], ({ id }) => id, makeRow);
  table.hidden = waiting.length + ended.length === 0;
  none.hidden = !table.hidden;
}

function waitingRow({ at_ms: arrived, route, client, waited_ms: waited, waits_for: pool, ahead, waiting }) {
  const before = ahead === 0 ? "next of its client" : `${counted(ahead, "request")} of its client before it`;
  const why = `${before}; ${count(waiting)} in all`;
  return { tone: "busy", texts: [timeOfDay(arrived), route, inShort(client), "waits", span(waited), "–", why], pool };
}

function endedRow(request) {
  const { at_ms: at, route, client, ended, status, code, source, attempts, wait_ms: wait, upstream_ms: took, pool } = request;
  const said = [
    code !== null && whyRefused(code),
    source === "coalesced" && "had the answer to another",
    attempts > 1 && `sent ${count(attempts)} times`,
  ];
  const texts = [
    timeOfDay(at),
    route,
    inShort(client),
    status === null ? ended : `${status}`,
    wait > 0 ? span(wait) : "–",
    took === null ? "–" : span(took),
    said.filter(Boolean).join("; "),
  ];
  return { tone: toneOf(ended, status), texts, pool };
}

function toneOf(ended, status) {
  if (ended === "left") return "calm";
  if (ended !== "passed") return "refused";
  return status >= 500 ? "broken" : status >= 400 ? "refused" : "calm";
}

function makeRow() {
  const cells = ["", "", "", "state", "number", "number"].map((name) => element("td", name ? { class: name } : {}));
  const [link, why] = [element("a"), element("span")];
  const node = element("tr", {}, ...cells, element("td", {}, link, why));
  const show = ({ tone, texts, pool }) => {
    mark(node, "data-tone", tone);
    texts.slice(0, -1).forEach((text, index) => say(cells[index], text));
    link.hidden = pool === null;
    if (pool !== null) {
      say(link, cut(pool.label));
      mark(link, "href", address(pool));
    }
    const rest = texts.at(-1);
    say(why, pool !== null && rest !== "" ? `: ${rest}` : rest);
  };
  return { node, show };
}

/** Choices beside "all"; what is chosen stays. */
function offer(select, choices) {
  const known = new Set([...select.options].map(({ value }) => value));
  for (const [value, text] of choices.filter(([value]) => !known.has(value) && value !== "(others)"))
    select.append(element("option", { value }, cut(text)));
}

form.addEventListener("input", ask);
form.addEventListener("submit", (event) => event.preventDefault());
