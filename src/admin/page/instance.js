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
  const { used, max, in_force: inForce, in_flight: inFlight, waiting, eta_ms: etaMs, cause, rank } = pool;
  return seen(pool, { used, max, inForce, inFlight, waiting, etaMs, cause, rank });
}

/** From `/status`. */
export function fromStatus(pool) {
  const { in_force: force, in_flight: inFlight, waiting, eta_ms: etaMs, diagnosis, rank } = pool;
  const limit = { used: force?.used ?? 0, max: force?.max ?? null, inForce: force?.limit ?? null };
  return { ...seen(pool, { ...limit, inFlight, waiting, etaMs, cause: diagnosis.cause, rank }), told: pool };
}

function seen({ name, key, counts }, state) {
  const of = { name, key: key ?? null, counts };
  const share = state.max ? state.used / state.max : 0;
  return { ...of, id: idOf(of), label: label(of), share, ...look(state), ...state };
}

/** People wait there, and not for another pool alone. */
const isHeldUp = ({ waiting, etaMs }) => waiting > 0 && etaMs > 0;

function look(state) {
  const named = tone(state.cause);
  return named === "calm" && isHeldUp(state)
    ? { tone: "busy", says: "waiting" }
    : { tone: named, says: shortly(state.cause) };
}

/** Something goes on there. */
export const isActive = ({ used, waiting, inFlight, tone }) => used + waiting + inFlight > 0 || tone !== "calm";

/** What matters most first, in the gate's own order. */
export const byWeight = (one, other) => one.rank - other.rank;

/** An entry of `worst`: a pool instance, or a route or the upstream, which has no page of its own. */
export function fromWorst(worst) {
  const { counts, label, cause, kind, text, advice, waiting } = worst;
  const calm = tone(cause) === "calm";
  const says = calm && waiting > 0 ? "waiting" : [shortly(cause), kind].filter(Boolean).join(" ");
  const id = counts === null ? `${label} ${cause}` : idOf(worst);
  const href = counts === null ? null : address(worst);
  return { id, href, label, cause, kind, text, advice, waiting, tone: calm ? "busy" : tone(cause), says };
}
