// A request tried in a form: what would become of it if it came now.

import { explain } from "./feed.js";
import { address, label } from "./instance.js";
import { element } from "./element.js";
import { count, span } from "./words.js";

const form = document.getElementById("trial");
const told = document.getElementById("told");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fields = [...new FormData(form)].filter(([, value]) => value.trim() !== "");
  try {
    tell(await explain(Object.fromEntries(fields)));
  } catch {
    told.replaceChildren(element("p", {}, "The gate did not answer."));
  }
});

function tell(explanation) {
  const { refusal } = explanation;
  const lines = [
    ["Route", explanation.route],
    ...explanation.over.map(({ route, because }) => ["Before", `${route}: ${because}`]),
  ];
  const taken = [...explanation.pools, ...explanation.unlisted];
  lines.push(["Takes", taken.length === 0 ? "from no pool: it is forwarded at once" : pools(taken)]);
  lines.push([
    "Waits",
    explanation.max_wait_ms === null
      ? "never"
      : `at most ${span(explanation.max_wait_ms)}, with priority ${explanation.priority}`,
  ]);
  if (refusal !== null)
    lines.push([
      refusal.now ? "Answer" : "A refusal",
      `${refusal.status} ${refusal.body.error.code}: ${refusal.body.error.message}`,
    ]);
  const rows = lines.flatMap(([term, said]) => [element("dt", {}, term), element("dd", {}, said)]);
  told.replaceChildren(...fares(explanation), element("dl", {}, ...rows));
}

/** How it would fare: of each client or account that is there, or else of any. */
function fares({ now, each }) {
  if (now === null) return [];
  const fare = ({ verdict, text }, who) =>
    element("p", { class: "fare", "data-verdict": verdict }, who === null ? sentence(text) : `${who}: ${text}.`);
  if (each.length === 0) return [fare(now, null)];
  const name = ({ client, account }) => client ?? `account ${account}`;
  const known = each.map((one) => fare(one.now, `From ${name(one)}`));
  return [...known, fare(now, each.some(({ account }) => account !== null) ? "With another key" : "From another client")];
}

function pools(taken) {
  const items = taken.map(({ pool, key, cost, of, text }) => {
    const values = Object.values(key);
    const instance = {
      name: pool,
      key: values.length > 0 ? values.join(" ") : null,
      counts: of.includes("token") ? "tokens" : "requests",
    };
    const link = element("a", { href: address(instance) }, label(instance));
    return element("li", {}, link, `: ${count(cost)} of ${of}${text ? `; ${text}` : ""}`);
  });
  return element("ul", {}, ...items);
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;
