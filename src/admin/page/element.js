// What the page is built of. Text is only ever set as text, whoever wrote it.

import { cut } from "./words.js";

/** An element with these attributes and children; strings become text. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Sets a text where it is another, so that nothing is laid out for nothing. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Sets an attribute where it is another. */
export function mark(node, name, value) {
  if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
}

/** Says a name that may be long: all of it to those who point at it, or do not see it. */
export function named(node, name) {
  const short = cut(name);
  if (short === name) return say(node, name);
  if (node.title === name) return;
  node.title = name;
  node.replaceChildren(element("span", { "aria-hidden": "true" }, short), element("span", { class: "unseen" }, name));
}

const kept = new WeakMap();

/**
 * Makes the children of `parent` one for each item, in their order. Those that are there stay, so focus, scrolling and
 * transitions do; `make(item)` gives a `node` and how to `show` an item in it.
 */
export function keep(parent, items, idOf, make) {
  const before = kept.get(parent) ?? new Map();
  const now = new Map();
  let place = parent.firstChild;
  for (const item of items) {
    const id = idOf(item);
    const child = before.get(id) ?? make(item);
    child.show(item);
    if (child.node === place) place = place.nextSibling;
    else parent.insertBefore(child.node, place);
    now.set(id, child);
  }
  for (const [id, child] of before) {
    if (now.has(id)) continue;
    child.node.remove();
    child.end?.();
  }
  kept.set(parent, now);
}
