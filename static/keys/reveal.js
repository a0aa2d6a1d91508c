// Showing a key that was linked to in the tree, as far as it takes no more than opening folders.

import { openFolder, rowAt, rowOf } from "./pages.js";

/**
 * Goes one step: opens the next folder on the way to a key. Returns {row, isThere}: the key's row once it is there; until then the
 * first row of the folder that has to be loaded before the next step; null where there is no way.
 */
export function stepTowards(root, key) {
  const row = rowOf(root, key, false);
  if (row >= 0) return { row, isThere: true };
  let [folder, first] = [root, 0];
  for (const prefix of foldersOf(key, root)) {
    const at = rowOf(root, prefix, true);
    if (at < 0) break;
    const { page, entry } = rowAt(root, at);
    openFolder(page, entry);
    [folder, first] = [page.open.get(prefix), at + 1];
    if (folder.pages[0].readAt === null) break;
  }
  // Beyond a folder's first page, nothing is asked for page by page to get there.
  return folder.pages[0].readAt === null ? { row: first, isThere: false } : null;
}

function foldersOf(key, { prefix, delimiter }) {
  const folders = [];
  if (!delimiter || !key.startsWith(prefix)) return folders;
  for (let at = key.indexOf(delimiter, prefix.length); at >= 0; at = key.indexOf(delimiter, at + delimiter.length)) {
    folders.push(key.slice(0, at + delimiter.length));
  }
  return folders;
}
