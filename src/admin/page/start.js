// How an app comes to use the gate: its address, and a few lines for those who have not written theirs yet.

import { configuration } from "./feed.js";
import { code } from "./copy.js";
import { element, keep, say } from "./element.js";
import { counted } from "./words.js";

const at = (id) => document.getElementById(id);

const SNIPPETS = [
  ["Shell", (url) => `export OPENAI_BASE_URL=${url}`],
  ["Python", (url) => `from openai import OpenAI\n\nclient = OpenAI(base_url="${url}")`],
  ["Node", (url) => `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${url}" });`],
  ["curl", (url) => `curl ${url}/models \\
  -H "Authorization: Bearer $OPENAI_API_KEY"`],
];

/** What is in force: asked for again where the hash of the configuration is another. */
let shown = null;

export async function showConfiguration({ config_hash: hash, reload, routes }) {
  at("start").hidden = routes.length > 0;
  const generation = `${hash} ${reload?.generation ?? 1}`;
  if (shown === generation) return;
  shown = generation;
  try {
    show(await configuration());
  } catch {
    shown = null;
  }
}

function show({ source, hash, generation, apps, upstream, mode, changes }) {
  const url = baseUrl(apps);
  keep(at("snippets"), SNIPPETS, ([name]) => name, makeSnippet(url));
  const facts = [
    ["Apps", url],
    ["Upstream", upstream],
    ["Configuration", `${source} (${hash})`],
    ["Reloads", generation === 1 ? "none since the start" : `${generation - 1} since the start`],
    ["Mode", mode === "observe" ? "observe: nothing waits or is refused" : "enforce"],
  ];
  at("facts").replaceChildren(
    ...facts.flatMap(([term, said]) => [element("dt", {}, term), element("dd", {}, said)]),
  );
  at("differs").hidden = changes.length === 0;
  at("same").hidden = changes.length > 0;
  say(at("changed"), `${counted(changes.length, "difference")} from the built-in configuration`);
  at("changes").replaceChildren(...changes.map((change) => element("li", {}, change)));
}

const makeSnippet = (url) => ([name, lines]) => {
  const { node, show } = code("Copy");
  show(lines(url));
  return { node: element("section", {}, element("h3", {}, name), node), show: () => {} };
};

/** A gate that listens at every address is reached as this page was. */
function baseUrl({ host, port, any }) {
  const name = any ? location.hostname : host.includes(":") ? `[${host}]` : host;
  return `http://${name}:${port}/v1`;
}
