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
