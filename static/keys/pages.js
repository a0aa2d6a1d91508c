// What is known of the tree of keys: folders, each of them a row of pages, of which only those near the eye are kept.
//
// A page is the piece of a listing between two places in the order of keys: from its cursor on, up to the name `last` (null:
// to the end of the folder). Its rows can be forgotten at any time, and asked for again: cursor, end and number of rows stay,
// about a hundred bytes for PAGE_ROWS keys. A folder ends in a page that is not loaded yet, until the node says that there
// are no more.

import { compareKeys } from "./names.js";

/** Entries that are asked for at once: a few screens, and a few milliseconds for the node. */
const PAGE_ROWS = 200;
/** Requests that put a page together again after others have written into it; the rest becomes a page of its own. */
const MAX_REQUESTS = 4;

/** The keys that begin with a prefix; with a delimiter, those that go on after it rolled up into folders. */
export class Folder {
  constructor(prefix, delimiter, parentPage = null) {
    this.prefix = prefix;
    this.delimiter = delimiter;
    this.parentPage = parentPage;
    this.depth = parentPage === null ? 0 : parentPage.folder.depth + 1;
    this.pages = [newPage(this, "", null)];
    this.rows = 1; // As high as all that is known of it, open folders included.
    this.size = 0; // Entries, as far as they are known; what is in open folders does not count.
  }

  /** Whether it is known where it ends. */
  get complete() {
    return this.pages.at(-1).readAt !== null;
  }
}

/** Stands in pages without an open folder: a map for each of thousands of pages would be most of what they take. */
const NONE_OPEN = new Map();

function newPage(folder, cursor, last) {
  return {
    folder,
    cursor,
    last,
    entries: null, // Null: not loaded, or forgotten. Else in the order of keys: {name, isFolder, count | size}.
    size: 0, // Number of entries, also of forgotten ones.
    rows: 1, // Height in rows, open folders included. What is not loaded yet has one.
    open: NONE_OPEN, // Of an entry's name to the Folder that is open there.
    refreshes: 0, // How often it was to be asked for again,
    fresh: 0, // and which of these times its entries are the answer to.
    failed: false, // Not asked for again until somebody says so.
    loading: false,
    readAt: null, // performance.now(); null before the first time.
    revision: 0,
  };
}

/** Opens an entry of a page. */
export function openFolder(page, entry) {
  if (page.open.has(entry.name)) return;
  const folder = new Folder(entry.name, page.folder.delimiter, page);
  if (page.open === NONE_OPEN) page.open = new Map();
  page.open.set(entry.name, folder);
  resize(page, folder.rows);
}

/** Closes it; what was below it is forgotten, what was open there, too. */
export function closeFolder(page, entry) {
  const folder = page.open.get(entry.name);
  if (folder === undefined) return;
  detach(page, folder);
  resize(page, -folder.rows);
}

/** After that, what still arrives for the folder changes nothing above it. */
function detach(page, folder) {
  page.open.delete(folder.prefix);
  folder.parentPage = null;
}

/** Forgets the entries of a page. The rows keep their height, so that nothing moves. */
export function forget(page) {
  page.entries = null;
}

/** Has a page asked for again once it is in sight; what is under way for it is too old, then. */
export function refreshPage(page) {
  page.refreshes += 1;
  page.failed = false;
}

/** Whether a page is to be asked for. */
export function wanted(page) {
  return (page.entries === null || page.fresh !== page.refreshes) && !page.loading && !page.failed;
}

/**
 * Asks for the entries of a page, with `ask(options)`, and returns what `take` takes. Its `cursor` is where a further page begins,
 * null where this one reaches its end; its `revision` is that of its oldest part.
 */
export async function askFor(page, ask) {
  const entries = [];
  const { refreshes } = page;
  let [cursor, revision] = [page.cursor, Infinity];
  for (let request = 1; ; request += 1) {
    const told = await ask({ prefix: page.folder.prefix, delimiter: page.folder.delimiter, cursor, limit: PAGE_ROWS });
    const within = merged(told).filter((entry) => page.last === null || compareKeys(entry.name, page.last) <= 0);
    entries.push(...within);
    cursor = told.next_cursor;
    revision = Math.min(revision, told.revision);
    const more = cursor !== null && (page.last === null || compareKeys(lastOf(told), page.last) < 0);
    if (more && page.last !== null && request < MAX_REQUESTS) continue;
    return { entries, revision, refreshes, cursor: more ? cursor : null };
  }
}

function lastOf(told) {
  return merged(told).at(-1).name;
}

/** The items and prefixes of an answer, in the order of keys. */
function merged(told) {
  const items = told.items.map((item) => ({ name: item.key, isFolder: false, size: item.size_bytes }));
  const folders = (told.prefixes ?? []).map(({ prefix, count }) => ({ name: prefix, isFolder: true, count }));
  return [...items, ...folders].sort((one, other) => compareKeys(one.name, other.name));
}

/** Takes the answer. Where it had not been known how far the folder goes, another page is added. */
export function take(page, { entries, revision, refreshes, cursor }) {
  page.entries = entries;
  resizeEntries(page, entries.length - page.size);
  page.revision = revision;
  page.readAt = performance.now();
  page.fresh = refreshes;
  const folders = new Set(entries.filter((entry) => entry.isFolder).map((entry) => entry.name));
  for (const folder of [...page.open.values()]) if (!folders.has(folder.prefix)) detach(page, folder);
  const below = [...page.open.values()].reduce((sum, folder) => sum + folder.rows, 0);
  resize(page, entries.length + below - page.rows);
  if (cursor !== null) goOn(page, entries.at(-1).name, cursor);
}

function goOn(page, name, cursor) {
  const { folder } = page;
  const next = newPage(folder, cursor, page.last);
  page.last = name;
  folder.pages.splice(folder.pages.indexOf(page) + 1, 0, next);
  grow(folder, next.rows);
}

/** Notes that a page has so many entries more, or less. */
export function resizeEntries(page, change) {
  page.size += change;
  page.folder.size += change;
}

/** Makes a page higher by so many rows, or lower, and with it all that it is in. */
export function resize(page, change) {
  if (change === 0) return;
  page.rows += change;
  grow(page.folder, change);
}

function grow(folder, change) {
  folder.rows += change;
  if (folder.parentPage !== null) resize(folder.parentPage, change);
}

/** Each page of a folder and of all that is open below it, with the row at which it begins. */
export function* everyPage(folder, start = 0) {
  let row = start;
  for (const page of folder.pages) {
    yield { page, row };
    if (page.open.size > 0) yield* everyPageBelow(page, row);
    row += page.rows;
  }
}

function* everyPageBelow(page, start) {
  if (page.entries === null) {
    for (const folder of page.open.values()) yield* everyPage(folder, start); // As good a place as any: it is far away.
    return;
  }
  let row = start;
  for (const entry of page.entries) {
    row += 1;
    const folder = page.open.get(entry.name);
    if (folder !== undefined && entry.isFolder) {
      yield* everyPage(folder, row);
      row += folder.rows;
    }
  }
}

/**
 * What stands at a row: {page, entry, position}, where `position` counts the folder's entries from 1. `entry` is null where the
 * page is not loaded.
 */
export function rowAt(folder, index) {
  let before = 0;
  for (const page of folder.pages) {
    if (index < page.rows) return rowOfPage(page, index, before);
    index -= page.rows;
    before += page.size;
  }
  return null;
}

function rowOfPage(page, index, before) {
  if (page.entries === null) return { page, entry: null, position: 0 };
  if (page.open.size === 0) return { page, entry: page.entries[index], position: before + index + 1 };
  for (const [place, entry] of page.entries.entries()) {
    if (index === 0) return { page, entry, position: before + place + 1 };
    index -= 1;
    const folder = entry.isFolder ? page.open.get(entry.name) : undefined;
    if (folder !== undefined && index < folder.rows) return rowAt(folder, index);
    index -= folder?.rows ?? 0;
  }
  return null;
}

/** What is loaded of a folder and of all that is open below it, in the order of rows: {row, entry, folder}. */
export function* loadedRows(folder, start = 0) {
  let first = start;
  for (const page of folder.pages) {
    let row = first;
    for (const entry of page.entries ?? []) {
      yield { row, entry, folder };
      row += 1;
      const below = entry.isFolder ? page.open.get(entry.name) : undefined;
      if (below === undefined) continue;
      yield* loadedRows(below, row);
      row += below.rows;
    }
    first += page.rows;
  }
}

/** The row of an entry, -1 where it is not in a loaded page of an open folder. */
export function rowOf(folder, name, isFolder, start = 0) {
  let row = start;
  for (const page of folder.pages) {
    if (page.entries === null || !covers(page, name)) {
      row += page.rows;
      continue;
    }
    for (const entry of page.entries) {
      if (entry.name === name && entry.isFolder === isFolder) return row;
      row += 1;
      const below = entry.isFolder ? page.open.get(entry.name) : undefined;
      if (below === undefined) continue;
      if (name.startsWith(entry.name)) return rowOf(below, name, isFolder, row);
      row += below.rows;
    }
    return -1;
  }
  return -1;
}

/** Whether an entry of that name, or what is below it, would be in this page, as far as its end tells. */
function covers(page, name) {
  return page.last === null || compareKeys(name, page.last) <= 0 || (name.startsWith(page.last) && isLastAFolder(page));
}

function isLastAFolder(page) {
  return page.entries?.at(-1)?.isFolder ?? false;
}
