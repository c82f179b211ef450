// What sharing calls has saved, in a sentence; nothing where it has saved nothing.

import { say } from "./element.js";
import { count, counted } from "./words.js";

const line = document.getElementById("saved");

export function showSaved(routes) {
  const sum = (part) => routes.reduce((sum, route) => sum + route[part], 0);
  const [saved, asked, calls] = ["saved", "asked", "calls"].map(sum);
  line.hidden = saved === 0;
  say(line, `${counted(saved, "poll")} saved since the start by sharing: asked ${count(asked)}, called ${count(calls)}.`);
}
