// What this page itself wrote or deleted, entered into the tree at once, without asking for anything.

import { closeFolder, refreshPage, resize, resizeEntries } from "./pages.js";
import { compareKeys } from "./names.js";

/** Enters a key that was written with `size` bytes at a revision; `isNew` says whether there was none before. */
export function keyWritten(root, { key, size, revision, isNew }) {
  for (const { folder, entryName, isFolder } of path(root, key)) {
    const page = pageOf(folder, entryName);
    if (page?.entries == null) return; // It will be asked for when somebody looks at it.
    if (page.revision >= revision) continue; // It was read after that.
    const entry = find(page, entryName, isFolder);
    if (entry === undefined) insert(page, isFolder ? { name: entryName, isFolder, count: 1 } : { name: entryName, isFolder, size });
    else if (isFolder) entry.count += isNew ? 1 : 0;
    else entry.size = size;
  }
}

/**
 * Takes out a key that was deleted at a revision, and folders in which nothing is left. Returns whether what is known agrees: a
 * folder that was counted before others wrote into it stays where there is, or may be, more than its number says.
 */
export function keyDeleted(root, key, revision) {
  let agrees = true;
  for (const { folder, entryName, isFolder } of path(root, key)) {
    const page = pageOf(folder, entryName);
    if (page?.entries == null) return agrees;
    if (page.revision >= revision) continue;
    const entry = find(page, entryName, isFolder);
    if (entry === undefined) return agrees;
    if (isFolder && entry.count > 1) entry.count -= 1;
    else if (isFolder && mayHoldMore(page.open.get(entryName), key)) agrees = false;
    else {
      takeOut(page, entry);
      return agrees;
    }
  }
  return agrees;
}

/**
 * Whether an open folder holds more than a key, or may: what is not loaded is not known. A closed one (undefined) has but its number
 * to go by.
 */
function mayHoldMore(opened, key) {
  if (opened === undefined) return false;
  for (const { folder, entryName } of path(opened, key)) {
    const isMore = ({ name, count }) => name !== entryName || count > 1;
    if (folder.pages.some(({ entries }) => entries === null || entries.some(isMore))) return true;
  }
  return false;
}

/** Has the pages asked for again in which a key stands or would stand, and those of the folders that it is in. */
export function askAgain(root, key) {
  for (const { folder, entryName } of path(root, key)) {
    const page = pageOf(folder, entryName);
    if (page !== undefined) refreshPage(page);
  }
}

/** The open folders on the way to a key, and as what it stands in each. */
function* path(root, key) {
  let folder = key.startsWith(root.prefix) ? root : undefined;
  while (folder !== undefined) {
    const { prefix, delimiter } = folder;
    const place = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
    const entryName = place < 0 ? key : key.slice(0, place + delimiter.length);
    const isFolder = place >= 0;
    const below = isFolder ? openBelow(folder, entryName) : undefined;
    yield { folder, entryName, isFolder };
    folder = below;
  }
}

function openBelow(folder, name) {
  return pageOf(folder, name)?.open.get(name);
}

/** The page in which a name stands, or would stand; undefined where that has not been loaded once. */
function pageOf(folder, name) {
  const page = folder.pages.find(({ last }) => last === null || compareKeys(name, last) <= 0);
  return page.readAt === null ? undefined : page;
}

function find(page, name, isFolder) {
  return page.entries.find((entry) => entry.name === name && entry.isFolder === isFolder);
}

function insert(page, entry) {
  const place = page.entries.findIndex((other) => compareKeys(other.name, entry.name) > 0);
  page.entries.splice(place < 0 ? page.entries.length : place, 0, entry);
  resizeEntries(page, 1);
  resize(page, 1);
}

function takeOut(page, entry) {
  closeFolder(page, entry);
  page.entries.splice(page.entries.indexOf(entry), 1);
  resizeEntries(page, -1);
  resize(page, -1);
}
