// A pool instance on a page of its own: its limits, its line, its routes, who asks, and what was refused.

import { showList } from "./events.js";
import { fromStatus, idOf, label } from "./instance.js";
import { element, keep, mark, named, say } from "./element.js";
import { fill } from "./rows.js";
import { Strip } from "./strip.js";
import { showChip, showScene } from "./tank.js";
import { showToml } from "./verdict.js";
import { count, counted, detail, span } from "./words.js";

export class PoolPage {
  #node;
  #of;
  #strips;

  constructor(node, of) {
    [this.#node, this.#of] = [node, of];
    node.replaceChildren(document.getElementById("pool-page").content.cloneNode(true));
    named(this.#find("h1"), this.label);
    say(this.#find(".because"), "Asking the gate.");
    this.#strips = ["used", "wait"].map((lane) => new Strip(this.#find(`.strip.${lane}`), of, [lane], true));
  }

  get label() {
    return label(this.#of);
  }

  focus() {
    this.#find("h1").focus();
    scrollTo(0, 0);
  }

  end() {
    this.#strips.forEach((strip) => strip.end());
    this.#node.replaceChildren();
  }

  /** What `/status` tells of it, and of the level what the pulse has told since. */
  show(status, live) {
    const id = idOf(this.#of);
    const told = status?.pools.map(fromStatus).find((pool) => pool.id === id);
    if (told !== undefined) this.#showTold(status, told);
    else if (status !== null)
      say(this.#find(".because"), "The gate does not know it, or not any more: nothing has asked for it lately.");
    const pool = live.find((pool) => pool.id === id) ?? told;
    if (pool !== undefined) this.#showLevel(pool);
  }

  #showLevel(pool) {
    mark(this.#node, "data-tone", pool.tone);
    showChip(this.#find(".chip"), pool);
    showScene(this.#node, pool);
    this.#strips.forEach((strip) => strip.note(pool));
  }

  #showTold(status, { told, inFlight }) {
    const { text, advice } = told.diagnosis;
    say(this.#find(".because"), detail(text));
    say(this.#find(".advice"), advice === null ? "" : `What to do: ${advice}`);
    const own = status.worst.find((worst) => worst.counts !== null && idOf(worst) === idOf(told));
    showToml(this.#find(".toml"), own?.toml ?? null);
    showGauges(this.#find(".now"), [
      ["the oldest waits for", told.oldest_ms === null ? "–" : span(told.oldest_ms)],
      ["the first goes in", told.head_goes_in_ms === null ? "–" : span(told.head_goes_in_ms)],
      ["half waited up to", told.waits.max_ms > 0 ? span(told.waits.p50_ms) : "–"],
      ["95 % waited up to", told.waits.max_ms > 0 ? span(told.waits.p95_ms) : "–"],
      [
        "in flight",
        told.max_in_flight === null ? count(inFlight) : `${count(inFlight)} of ${count(told.max_in_flight)}`,
      ],
      ["refused", count(told.refused)],
      ["refused by the upstream", count(told.upstream_refused)],
    ]);
    this.#showLimits(told);
    fill(this.#find(".routes"), routes(status, told));
    fill(this.#find(".clients"), clients(told));
    const events = status.events.filter(({ pool }) => pool === this.label).reverse();
    showList(this.#find(".events"), events);
    this.#find(".events + .nothing").hidden = events.length > 0;
  }

  #showLimits({ limits, learned, in_force: force }) {
    const configured = limits.map(({ limit, used }) => [limit, "configured", count(used)]);
    const known = learned?.limit
      ? [[`${learned.limit} `, "learned", force?.limit === learned.limit ? count(force.used) : "–"]]
      : [];
    fill(this.#find(".limits"), [...configured, ...known]);
    say(this.#find(".learned"), inWords(learned, limits));
  }

  #find(selector) {
    return this.#node.querySelector(selector);
  }
}

function inWords(learned, limits) {
  if (learned === null)
    return limits.length === 0
      ? "No limit is known: nothing is written down, and the upstream has told none."
      : "Nothing has been learned of it: what is written down is in force.";
  const { estimate, for_ms: since, recalled, not_for_ms: notFor, refusals, refused_ago_ms: ago } = learned;
  const said = [ESTIMATES[estimate]].filter(Boolean);
  if (said.length > 0 && since !== null) said[0] += `, for ${span(since)}`;
  if (recalled) said.push("it is known from before the start");
  if (notFor > 0) said.push(`nobody goes for ${span(notFor)}`);
  if (refusals > 0)
    said.push(
      `the upstream has refused ${counted(refusals, "time")}${ago === null ? "" : `, the last ${span(ago)} ago`}`,
    );
  return said.length === 0 ? "Nothing has been learned of it." : `Learned: ${said.join("; ")}.`;
}

const ESTIMATES = {
  unknown: "the limit is not known yet",
  lower: "the upstream takes less than is written down",
  even: "the upstream wants an even pace",
  shared: "somebody else uses it, too",
  reported: "the upstream reports the limit",
};

function showGauges(list, gauges) {
  keep(
    list,
    gauges,
    ([name]) => name,
    ([name]) => {
      const value = element("dd");
      return { node: element("div", {}, element("dt", {}, name), value), show: ([, text]) => say(value, text) };
    },
  );
}

function routes({ routes }, { routes: names }) {
  const of = new Map(routes.map((counts) => [counts.route, counts]));
  return names.map((name) => {
    const counts = of.get(name);
    if (counts === undefined) return [name, "0", "0", "0", "–"];
    return [name, count(counts.requests), count(counts.refused), count(counts.failed), span(counts.wait_ms.mean)];
  });
}

function clients({ waiting_for: waitingFor, diagnosis }) {
  const seen = new Map();
  const add = (client, what, many) =>
    seen.set(client, { waiting: 0, requested: 0, next: null, ...seen.get(client), [what]: (seen.get(client)?.[what] ?? 0) + many });
  waitingFor.forEach(({ client, requests, next_ms: next }) => {
    add(client, "waiting", requests);
    seen.get(client).next = next;
  });
  diagnosis.evidence.requesters.forEach(({ client, requests }) => add(client, "requested", requests));
  return [...seen].map(([client, { waiting, requested, next }]) => [
    client,
    count(waiting),
    next === null ? "–" : span(next),
    count(requested),
  ]);
}
