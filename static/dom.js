// Small helpers for elements. Text goes in as text, never as markup.

/** The element of that id. */
export const $ = (id) => document.getElementById(id);

/** A new element. */
export function element(name, className = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  return made;
}

/** Sets the text only where it differs: what does not change is not announced, and keeps its selection. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Says what came of something, in the element of that id; levels are "none", "ok", "warn", "bad". */
export function sayAt(id, level, text) {
  $(id).dataset.level = level;
  setText($(id), text);
}

/** Adds a name, of text and elements, and a value to a list (dl). Returns the element of the value, which is empty. */
export function addPair(list, ...name) {
  const pair = list.appendChild(element("div"));
  pair.appendChild(element("dt")).append(...name);
  return pair.appendChild(element("dd"));
}
