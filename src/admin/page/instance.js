// A pool instance as the page knows it, whichever of the gate's forms it came in.

import { shortly, tone, worseness } from "./words.js";

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
  const { used, max, in_force: inForce, in_flight: inFlight, waiting, eta_ms: etaMs } = pool;
  return seen(pool, { used, max, inForce, inFlight, waiting, etaMs, cause: pool.cause });
}

/** From `/status`. */
export function fromStatus(pool) {
  const { in_force: force, in_flight: inFlight, waiting, eta_ms: etaMs, diagnosis } = pool;
  const limit = { used: force?.used ?? 0, max: force?.max ?? null, inForce: force?.limit ?? null };
  return { ...seen(pool, { ...limit, inFlight, waiting, etaMs, cause: diagnosis.cause }), told: pool };
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

const TONES = ["calm", "busy", "refused", "broken"];

/** What matters most first; of equals the order stays. */
export function byWeight(one, other) {
  return weight(other) - weight(one);
}

function weight({ tone, waiting, share }) {
  return TONES.indexOf(tone) * 100 + (waiting > 0 ? 50 : 0) + Math.min(Math.floor(share * 10), 10);
}

/** Somebody is hurt by it now: waits, or was refused in the last minutes. */
export function hurts(pool) {
  const { turned_away: turnedAway, refusal_bursts: bursts } = pool.told.diagnosis.evidence;
  return isHeldUp(pool) || turnedAway > 0 || bursts.some(({ ago_ms: ago }) => ago < LATELY);
}

const LATELY = 120_000;

/** The instances that something is the matter with, the worst first: what hurts now before what has been learned. */
export function troubles(pools) {
  const isOne = (pool) => worseness(pool.cause) > worseness("not_enough_evidence") || hurts(pool);
  const rank = (pool) => (hurts(pool) ? 100 : 0) + worseness(pool.cause);
  return pools.filter(isOne).sort((one, other) => rank(other) - rank(one) || other.waiting - one.waiting);
}
