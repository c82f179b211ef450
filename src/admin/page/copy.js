// A button that copies a text, and says so.

import { element, say } from "./element.js";

const SAID = 2000;

/** A button that copies what `text()` is when it is pressed. */
export function copyButton(label, text) {
  const button = element("button", { type: "button", class: "copy" }, label);
  let timer = 0;
  button.addEventListener("click", async () => {
    say(button, (await copied(text())) ? "Copied" : "Press Ctrl+C");
    clearTimeout(timer);
    timer = setTimeout(() => say(button, label), SAID);
  });
  return button;
}

/** Whether it could be copied; a page that came over plain HTTP from elsewhere has no clipboard. */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Lines of code with a button that copies them. */
export function code(label) {
  const text = element("code");
  const node = element("div", { class: "code" }, element("pre", { tabindex: "0" }, text));
  node.append(copyButton(label, () => text.textContent));
  return { node, show: (lines) => say(text, lines) };
}
