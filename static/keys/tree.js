// The tree of keys: shows the rows that can be seen, asks for the pages that they are in, and forgets what is far away.

import { listKeys } from "../api.js";
import { $ } from "../dom.js";
import { upToDate } from "./fresh.js";
import { rowLabel } from "./names.js";
import { askFor, closeFolder, everyPage, Folder, loadedRows, openFolder, refreshPage, rowAt, rowOf, take, wanted } from "./pages.js";
import { forgetFarPages, keepingPlace, oldestVisible } from "./place.js";
import { stepTowards } from "./reveal.js";
import { makeRow, rowId, showRow } from "./rows.js";
import { bringIntoSight, ROW_PX, setHeight, viewport } from "./scroll.js";
import { pressed } from "./tree-keyboard.js";

/** Rows above and below the visible ones that are in the document as well: what a flick of the wheel passes. */
const MARGIN_ROWS = 12;
/** Pages that are asked for at the same time: of the six connections that a browser has for a node, others need some, too. */
const MAX_LOADS = 2;
/**
 * Pages that are loaded, one after the other, on the way to the end of the tree: two thousand rows, which take a moment. Nobody waits
 * for the thousands of pages of a million keys; where End is pressed again, it goes on from there.
 */
const MAX_FOLLOWED = 10;

let root = new Folder("", "/");
/** The row that the keyboard was moved to, {name, isFolder}, null for none: see activeRow. */
let active = null;
let selectedKey = null;
/**
 * A row that the keyboard went to before it was loaded, {row, from, followed}: it gets there unless the focus has left `from` by then,
 * or something else was done. `followed` counts the pages that have come meanwhile, each of which may have had another behind it.
 */
let goingTo = null;
/** A key that was linked to, to be shown in the tree; null once that is done, or cannot be. */
let revealing = null;
let frame = 0;
/** The requests for what is browsed: how many are under way, and what calls them off. */
let asking = { loads: 0, callOff: new AbortController() };
let handlers = null;
const shown = new Map();

/**
 * Connects the tree. `onKey(key)` is called when a key is chosen, `onChange()` when what is shown has changed, `onError(error)`
 * when a page could not be loaded.
 */
export function startTree(callbacks) {
  handlers = callbacks;
  const tree = $("tree");
  tree.style.setProperty("--row", `${ROW_PX}px`);
  tree.addEventListener("scroll", draw, { passive: true });
  tree.addEventListener("click", (event) => {
    const row = event.target.closest(".tree-row");
    if (row !== null) act(Number(row.dataset.row));
  });
  tree.addEventListener("keydown", (event) => pressed(event, controls));
  // The keyboard is at a row that Tab has led to, too: else that would leave the document, and the focus with it, when one scrolls.
  tree.addEventListener("focusin", ({ target }) => {
    const entry = rowAt(root, Number(target.dataset.row))?.entry;
    if (entry) active = { name: entry.name, isFolder: entry.isFolder };
  });
  tree.addEventListener("focusout", (event) => {
    if (!tree.contains(event.relatedTarget)) goingTo = null;
  });
  for (const moves of ["wheel", "pointerdown"]) tree.addEventListener(moves, () => (goingTo = null), { passive: true });
  new ResizeObserver(draw).observe(tree);
}

/** Shows the keys with a prefix, as folders or (with no delimiter) one after the other. */
export function browse(prefix, delimiter) {
  asking.callOff.abort();
  asking = { loads: 0, callOff: new AbortController() };
  root = new Folder(prefix, delimiter);
  [active, goingTo] = [null, null];
  $("tree").scrollTop = 0;
  $("tree").setAttribute("aria-busy", "true");
  draw();
}

/** What is shown: its root, and how old its oldest visible part is ({readAt, revision}, or null before the first). */
export function treeState() {
  return { root, oldest: oldestVisible(root) };
}

/** Asks for everything again as it comes into sight; what is there stays until then, and open folders stay open. */
export function refresh() {
  for (const { page } of everyPage(root)) refreshPage(page);
  draw();
}

/** Changes the tree's pages by `change(root)` without moving what is seen. */
export function changeTree(change) {
  keepingPlace(root, () => change(root));
  draw();
}

/** Marks a key as the one whose value is shown, or none (null). */
export function markSelected(key) {
  selectedKey = key;
  if (key !== null && isInTree(key)) active = { name: key, isFolder: false };
  draw();
}

/** Whether a key has a row that is loaded. */
export function isInTree(key) {
  return rowOf(root, key, false) >= 0;
}

/** Opens the folders on the way to a key, and brings it into sight. */
export function reveal(key) {
  revealing = key;
  if (asking.loads === 0 && root.pages[0].readAt !== null) goOnRevealing();
}

function goOnRevealing() {
  if (revealing === null) return;
  const step = stepTowards(root, revealing);
  if (step !== null) bringIntoSight(step.row, root.rows);
  if (step?.isThere) active = { name: revealing, isFolder: false };
  if (step === null || step.isThere) revealing = null;
  draw();
}

/** The prefix of the folder that the keyboard is at or in: where a new key would be expected. */
export function activePrefix() {
  if (root.delimiter === "") return root.prefix;
  const index = rowOfEntry(active);
  if (index < 0) return "";
  const { page, entry } = rowAt(root, index);
  return entry.isFolder ? entry.name : page.folder.prefix;
}

/** Puts the keyboard's focus on the row where it was last. */
export function focusTree() {
  if (root.rows > 0) moveTo(Math.max(0, activeRow()));
}

// Drawing

function draw() {
  if (frame === 0) frame = requestAnimationFrame(drawNow);
}

function drawNow() {
  frame = 0;
  if ($("tree").clientHeight === 0) return; // Another view is shown.
  setHeight(root.rows);
  const view = viewport(root.rows);
  const rows = rowsToShow(view);
  const kept = new Set(rows.map((row) => row.id));
  for (const [id, node] of shown) {
    if (kept.has(id)) continue;
    node.remove();
    shown.delete(id);
  }
  place(rows, view);
  loadVisible(rows);
  handlers.onChange();
}

function rowsToShow({ first, count }) {
  const from = Math.max(0, first - MARGIN_ROWS);
  const upTo = Math.min(root.rows, first + count + MARGIN_ROWS);
  const rows = [];
  for (let index = from; index < upTo; index += 1) rows.push(describe(index, index >= first && index < first + count));
  addActive(rows, from, upTo);
  return rows;
}

function describe(index, visible) {
  const found = rowAt(root, index);
  return { index, visible, ...found, id: found.entry === null ? `row ${index}` : rowId(found.entry) };
}

/** The row with the keyboard's focus stays in the document, or the focus would be lost with it. */
function addActive(rows, from, upTo) {
  const index = activeRow();
  if (index < 0 || (index >= from && index < upTo)) return;
  if (index < from) rows.unshift(describe(index, false));
  else rows.push(describe(index, false));
}

/**
 * The row that the keyboard is at: where it was moved to, or else the key that is shown, or else the first one in sight; -1 for
 * none. Where there are rows, one of them can be reached.
 */
function activeRow() {
  const moved = rowOfEntry(active);
  if (moved >= 0) return moved;
  const selected = rowOfEntry(selectedKey === null ? null : { name: selectedKey, isFolder: false });
  return selected >= 0 ? selected : firstInSight();
}

function rowOfEntry(entry) {
  return entry === null ? -1 : rowOf(root, entry.name, entry.isFolder);
}

function firstInSight() {
  const { first, count } = viewport(root.rows);
  for (let row = first; row < Math.min(root.rows, first + count); row += 1) if (rowAt(root, row).entry !== null) return row;
  return -1;
}

function place(rows, view) {
  const activeIndex = activeRow();
  let next = $("tree-sizer").firstElementChild;
  for (const row of rows) {
    const node = shown.get(row.id) ?? makeRow(row.entry);
    shown.set(row.id, node);
    if (node === next) next = next.nextElementSibling;
    else $("tree-sizer").insertBefore(node, next);
    node.style.top = `${row.index * ROW_PX - view.top * view.stretch + view.top}px`;
    showRow(node, row, {
      row: row.index,
      open: row.entry !== null && row.page.open.has(row.entry.name),
      active: row.index === activeIndex,
      selected: row.entry !== null && !row.entry.isFolder && row.entry.name === selectedKey,
      waitingText: row.page.failed ? "Not loaded" : "Loading…",
    });
  }
}

// Loading

function loadVisible(rows) {
  const pages = new Set([...rows.filter((row) => row.visible), ...rows].map((row) => row.page));
  if (root.rows === 0) root.pages.forEach((page) => pages.add(page)); // An empty tree can be refreshed, too.
  for (const page of pages) if (wanted(page) && asking.loads < MAX_LOADS) loadPage(page);
}

async function loadPage(page) {
  const mine = asking;
  const { refreshes } = page;
  const list = (minRevision) => askFor(page, (options) => listKeys({ ...options, minRevision }, mine.callOff.signal));
  note(mine, page, 1);
  try {
    const answer = await upToDate(list);
    if (mine === asking) keepingPlace(root, () => take(page, answer));
  } catch (error) {
    page.failed = page.refreshes === refreshes;
    if (mine === asking) failed(error);
  }
  note(mine, page, -1);
  if (mine === asking) loaded();
}

function note(mine, page, change) {
  mine.loads += change;
  page.loading = change > 0;
  if (mine === asking) $("tree").setAttribute("aria-busy", String(mine.loads > 0));
}

/** Without its folder's page, the way to a key that was linked to ends; without the first one of all, it has not begun. */
function failed(error) {
  if (root.pages[0].readAt !== null) revealing = null;
  handlers.onError(error);
}

function loaded() {
  forgetFarPages(root, activeRow());
  goOnRevealing();
  if (goingTo?.from === document.activeElement) moveTo(goingTo.row, goingTo.followed + 1);
  draw();
}

// What a person does

/**
 * Puts the keyboard's focus on a row, or on the last one if there are not so many. It comes into sight; where it is not loaded yet,
 * it gets the focus as soon as it is.
 */
function moveTo(index, followed = 0) {
  let row = Math.max(0, Math.min(index, root.rows - 1));
  if (followed >= MAX_FOLLOWED) row = lastLoaded(row);
  bringIntoSight(row, root.rows);
  const found = rowAt(root, row);
  goingTo = found?.entry === null ? { row: index, from: document.activeElement, followed } : null;
  if (!found?.entry) return draw();
  active = { name: found.entry.name, isFolder: found.entry.isFolder };
  drawNow();
  shown.get(rowId(found.entry))?.focus({ preventScroll: true }); // Nothing is drawn while another view is shown.
}

/** The last row up to one that is loaded, or that one where none is. */
function lastLoaded(row) {
  let last = row;
  for (const loaded of loadedRows(root)) if (loaded.row <= row) last = loaded.row;
  return last;
}

function act(index) {
  [revealing, goingTo] = [null, null];
  const { page, entry } = rowAt(root, index);
  if (entry === null) return;
  active = { name: entry.name, isFolder: entry.isFolder };
  if (entry.isFolder) toggle(page, entry);
  else handlers.onKey(entry.name);
  draw();
}

function toggle(page, entry) {
  changeTree(() => (page.open.has(entry.name) ? closeFolder(page, entry) : openFolder(page, entry)));
}

/** What the keyboard's keys work on; see tree-keyboard.js. */
const controls = {
  activeRow,
  moveTo,
  act,
  rowsInSight: () => Math.max(1, viewport(root.rows).count - 2),
  /** What the rows that are loaded say, in their order: {row, name}. */
  *names() {
    for (const { row, entry, folder } of loadedRows(root)) yield { row, name: rowLabel(entry, folder).text };
  },
  /** The row at an index, and whether it is an open folder. */
  look(index) {
    const { page, entry } = rowAt(root, index);
    return { entry, isOpen: entry !== null && page.open.has(entry.name), folder: page.folder };
  },
  /** The row of the folder in which a folder's rows stand, -1 at the top. */
  rowOfFolder: (folder) => (folder.parentPage === null ? -1 : rowOf(root, folder.prefix, true)),
};
