// The tanks: those where something goes on, large, and the quiet ones, small.

import { byWeight, isActive, together } from "./instance.js";
import { keep, say } from "./element.js";
import { makeTank } from "./tank.js";
import { counted } from "./words.js";

const SHOWN = 12;
const QUIET = 18;
/** How often they may change places. */
const STEADY = 5000;

const [section, busy, quiet, more] = ["pools", "busy", "quiet", "more"].map((id) => document.getElementById(id));

let places = { busy: [], quiet: [], at: -Infinity };

/** Shows these instances of which the gate has just told, and `hidden` more that it has; `told` is what it told before. */
export function showTanks(pools, hidden, told) {
  const all = new Map([...told, ...pools.map((pool) => [pool.id, pool])]);
  const there = new Map(together([...all.values()]).map((pool) => [pool.id, pool]));
  if (mayMove(there)) places = arrange(together(pools));
  const [large, small] = [places.busy, places.quiet].map((ids) => ids.map((id) => there.get(id)).filter(Boolean));
  keep(busy, large, ({ id }) => id, makeTank);
  keep(quiet, small, ({ id }) => id, makeTank);
  const known = told.size > 0 ? there.size : together(pools).length + hidden;
  const rest = known - large.length - small.length;
  more.hidden = rest <= 0 && places.busy.length + places.quiet.length > 0;
  say(more, rest > 0 ? `${counted(rest, "pool")} more in the table below.` : "None has been asked for yet.");
}

/** Nothing moves under a pointer, or takes the focus away. */
function mayMove(there) {
  const held = section.matches(":hover") || section.contains(document.activeElement);
  const awoke = places.quiet.some((id) => there.has(id) && isActive(there.get(id)));
  return places.at === -Infinity || (!held && (awoke || performance.now() - places.at > STEADY));
}

/** Of those that matter as much, those that are shown stay. */
function arrange(pools) {
  const isShown = ({ id }) => places.busy.includes(id);
  const active = pools
    .filter(isActive)
    .sort((one, other) => byWeight(one, other) || isShown(other) - isShown(one))
    .slice(0, SHOWN);
  const still = pools.filter((pool) => !isActive(pool)).slice(0, active.length < SHOWN ? QUIET : 0);
  const ids = (pools) => pools.map(({ id }) => id);
  return { busy: ids(active), quiet: ids(still), at: performance.now() };
}
