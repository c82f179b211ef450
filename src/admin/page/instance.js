// A pool instance as the page knows it, whichever of the gate's forms it came in.

import { shortly, tone } from "./words.js";

/** What tells instances apart, also in the address. */
export const idOf = ({ name, key, counts }) => [name, key ?? "", counts].map(encodeURIComponent).join("/");

export const address = (pool) => `#/pool/${idOf(pool)}`;

/** As people speak of it: the same as the gate's own label. */
export function label({ name, key, counts }) {
  const parts = (key ?? "").split(" ").filter((part) => part !== "" && part !== "-");
  return [name, ...parts, ...(counts === "requests" ? [] : [`(${counts})`])].join(" ");
}

/** From the short form of `/events`. */
export function fromPulse(pool) {
  const { used, max, in_force: inForce, in_flight: inFlight, waiting, held, cause, rank } = pool;
  const { oldest_ms: oldestMs, p95_ms: p95Ms } = pool;
  return seen(pool, { used, max, inForce, inFlight, waiting, held, oldestMs, p95Ms, cause, rank });
}

/** From `/status`. */
export function fromStatus(pool) {
  const { in_force: force, in_flight: inFlight, waiting, held, diagnosis, rank, waits } = pool;
  const limit = { used: force?.used ?? 0, max: force?.max ?? null, inForce: force?.limit ?? null };
  const line = { inFlight, waiting, held, oldestMs: pool.oldest_ms, p95Ms: waits.p95_ms };
  return { ...seen(pool, { ...limit, ...line, cause: diagnosis.cause, rank }), told: pool };
}

function seen({ name, key, counts }, state) {
  const of = { name, key: key ?? null, counts };
  const share = state.max ? state.used / state.max : 0;
  return { ...of, id: idOf(of), label: label(of), share, ...look(state), ...state };
}


function look(state) {
  const named = tone(state.cause);
  return named === "calm" && state.held > 0
    ? { tone: "busy", says: "waiting" }
    : { tone: named, says: shortly(state.cause) };
}

/** Something goes on there. */
export const isActive = ({ used, waiting, inFlight, tone, beside = [] }) =>
  used + waiting + inFlight > 0 || tone !== "calm" || beside.some(isActive);

/**
 * Requests and tokens of one model as one: the limit that matters most leads, and the other is `beside` it. The page that
 * it leads to is the one of the limit that leads.
 */
export function together(pools) {
  const all = new Map();
  for (const pool of [...pools].sort(byWeight)) {
    const id = [pool.name, pool.key ?? ""].map(encodeURIComponent).join("/");
    const lead = all.get(id);
    if (lead === undefined) all.set(id, { ...pool, id, label: label({ ...pool, counts: "requests" }), beside: [] });
    else lead.beside.push(pool);
  }
  return [...all.values()];
}

/** What matters most first, in the gate's own order. */
export const byWeight = (one, other) => one.rank - other.rank;

/** An entry of `worst`: a pool instance, or a route or the upstream, which has no page of its own. */
export function fromWorst(worst) {
  const { counts, label, cause, kind, text, advice, toml, waiting } = worst;
  const calm = tone(cause) === "calm";
  const says = calm && waiting > 0 ? "waiting" : [shortly(cause), kind].filter(Boolean).join(" ");
  const id = counts === null ? `${label} ${cause}` : idOf(worst);
  const href = counts === null ? null : address(worst);
  return { id, href, label, cause, kind, text, advice, toml, waiting, tone: calm ? "busy" : tone(cause), says };
}
