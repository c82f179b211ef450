// Numbers, times and cases as people say them.

const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const count = (many) => number.format(many);

/** `1 request`, `2 requests`. */
export const counted = (many, one) => `${count(many)} ${one}${many === 1 ? "" : "s"}`;

export const timeOfDay = (ms) => clock.format(ms);

/** A span of time: `0.4 s`, `12 s`, `2 min 5 s`, `3 h 20 min`. */
export function span(ms) {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${(Math.ceil(seconds * 10) / 10).toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return both(minutes, "min", Math.floor(seconds % 60), "s");
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? both(hours, "h", minutes % 60, "min") : `${Math.floor(hours / 24)} days`;
}

const both = (large, unit, small, of) => (small === 0 ? `${large} ${unit}` : `${large} ${unit} ${small} ${of}`);

/** How long the requests waited that went in the last minute; nothing where none did. */
export const waited = ({ p50_ms: p50, p95_ms: p95, max_ms: max }) =>
  max > 0 ? `in the last minute half waited up to ${span(p50)}, 95 % up to ${span(p95)}` : "";

/** Who waits, and for what if that is another limit of the same pool. */
export function inLine({ waiting, held, told, beside, counts }) {
  if (waiting === 0) return "none waits";
  const waits = waiting === 1 ? "1 waits" : `${count(waiting)} wait`;
  if (held === 0 && told) return `${waits} (for ${told.waits_for ?? "another pool"})`;
  return beside?.length > 0 ? `${waits} (for ${counts})` : waits;
}

/** So many characters of a name are shown. */
const LONG = 44;

/** A long name without its middle, as it tells itself apart by both its ends. */
export function cut(name) {
  if (name.length <= LONG) return name;
  const half = Math.floor((LONG - 1) / 2);
  return `${name.slice(0, half)}…${name.slice(-half)}`;
}

/** A client's label, of which six digits tell it apart where there is little room. */
export const inShort = (client) => client.replace(/^client-([0-9a-f]{6})[0-9a-f]{10}$/, "$1");

/** The diagnosis without the words that say which case it is, where those stand before it. */
export function detail(text) {
  const rest = text.replace(/^(At your own limit|Within limits|Not enough evidence|Billing): /, "");
  return `${rest[0].toUpperCase()}${rest.slice(1)}`;
}

/** The cases of the diagnosis: how they look, how they are said in short and in a sentence. */
const CASES = {
  within_limits: { tone: "calm", short: "within limits", sentence: "is within its limits" },
  not_enough_evidence: { tone: "calm", short: "nothing known", sentence: "was refused, and nobody can say why yet" },
  configured_too_low: { tone: "busy", short: "set too low", sentence: "may take more than is configured" },
  own_limit: { tone: "busy", short: "own limit", sentence: "is at your own limit" },
  bursts: { tone: "refused", short: "bursts refused", sentence: "is refused when it bursts" },
  lower_limit: { tone: "refused", short: "hidden limit", sentence: "has a hidden limit" },
  in_flight: { tone: "refused", short: "in-flight limit", sentence: "has a limit of requests in flight" },
  shared: { tone: "refused", short: "shared", sentence: "is shared with somebody else" },
  throttled: { tone: "refused", short: "throttled", sentence: "is throttled by the upstream" },
  incident: { tone: "refused", short: "incident", sentence: "is refused whatever is sent" },
  rejected: { tone: "broken", short: "rejected", sentence: "is answered with errors" },
  unreachable: { tone: "broken", short: "unreachable", sentence: "cannot be reached" },
  gone: { tone: "broken", short: "gone", sentence: "leads to an endpoint that is gone" },
  billing: { tone: "broken", short: "billing", sentence: "is refused for billing" },
};

export const shortly = (name) => CASES[name]?.short ?? name;
export const sentence = (name) => CASES[name]?.sentence ?? name;
export const tone = (name) => CASES[name]?.tone ?? "refused";

/** Why the gate refuses, by the code of its answers. */
const REFUSALS = {
  tidegate_wait_too_long: "their turn would have come too late",
  tidegate_queue_full: "the line was full",
  tidegate_never_fits: "larger than what the limit ever admits",
  tidegate_client_quota: "the client's own quota was used up",
  tidegate_draining: "the gate was stopping",
  tidegate_upstream_unreachable: "no connection to the upstream",
  tidegate_upstream_timeout: "the upstream did not answer in time",
};

export const whyRefused = (code) => REFUSALS[code] ?? "not for a limit";
