// Rows of the tree as elements: made once for what they show, moved while one scrolls, thrown away when out of sight.

import { element, setText } from "../dom.js";
import { rowLabel, showKey, spelledOut } from "./names.js";
import { count, shortSize } from "../text.js";

/** Deeper folders are not moved further to the right. */
const MAX_INDENT_LEVELS = 14;

/** What tells a row from the others: of a folder "a/" and a key "a/", too. */
export function rowId(entry) {
  return `${entry.isFolder ? "folder" : "key"} ${entry.name}`;
}

/** A row for an entry, or one that stands for what is not loaded where `entry` is null. */
export function makeRow(entry) {
  const row = element("div", entry === null ? "tree-row waiting" : entry.isFolder ? "tree-row folder" : "tree-row");
  if (entry === null) {
    row.setAttribute("aria-hidden", "true");
    return row;
  }
  row.setAttribute("role", "treeitem");
  row.tabIndex = -1;
  row.append(element("span", "twist"), element("bdi", "tree-name"), element("span", "tree-note"));
  return row;
}

/** Brings a row up to date. `state` is {row, open, active, selected, waitingText}. */
export function showRow(row, { page, entry, position }, state) {
  row.dataset.row = state.row;
  if (entry === null) {
    setText(row, state.waitingText);
    indent(row, page.folder.depth);
    return;
  }
  const { folder } = page;
  indent(row, folder.depth);
  const [, name, note] = row.children;
  showName(name, entry, folder);
  setText(note, entry.isFolder ? count(entry.count) : shortSize(entry.size));
  row.setAttribute("aria-level", folder.depth + 1);
  row.setAttribute("aria-posinset", position);
  row.setAttribute("aria-setsize", folder.complete ? folder.size : -1);
  row.setAttribute("aria-label", spoken(entry, folder));
  row.setAttribute("aria-selected", String(state.selected));
  if (entry.isFolder) row.setAttribute("aria-expanded", String(state.open));
  row.tabIndex = state.active ? 0 : -1;
}

function indent(row, depth) {
  row.style.setProperty("--depth", Math.min(depth, MAX_INDENT_LEVELS));
}

function showName(node, entry, folder) {
  const { text, named } = rowLabel(entry, folder);
  node.classList.toggle("unnamed", !named);
  showKey(node, text);
  node.title = spelledOut(entry.name);
}

function spoken(entry, folder) {
  const label = spelledOut(rowLabel(entry, folder).text);
  const note = entry.isFolder ? `folder, ${entry.count === 1 ? "1 key" : `${count(entry.count)} keys`}` : shortSize(entry.size);
  return `${label}, ${note}`;
}
