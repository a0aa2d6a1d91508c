// The tree's pages around the place that can be seen: how old they are, which can go, and that nothing moves when they change.

import { everyPage, forget, rowAt, rowOf } from "./pages.js";
import { ROW_PX, scrollTo, viewport } from "./scroll.js";

/** Rows at this distance from the visible ones are forgotten. */
const FORGET_ROWS = 2000;

/** Changes pages so that the topmost row that is there before and after stays where it is; at the very top, the top stays. */
export function keepingPlace(root, change) {
  const { first, count, top, stretch } = viewport(root.rows);
  const anchors = [];
  for (let index = first; top > 0 && index < Math.min(root.rows, first + count); index += 1) {
    const { entry } = rowAt(root, index);
    if (entry !== null) anchors.push({ entry, offset: index * ROW_PX - top * stretch });
  }
  change();
  for (const { entry, offset } of anchors) {
    const index = rowOf(root, entry.name, entry.isFolder);
    if (index >= 0) return scrollTo(index * ROW_PX - offset, root.rows);
  }
}

/** Forgets what is far away, but for the page that holds a row (-1: none). */
export function forgetFarPages(root, keptRow) {
  const { first, count } = viewport(root.rows);
  for (const { page, row } of everyPage(root)) {
    const near = row + page.rows > first - FORGET_ROWS && row < first + count + FORGET_ROWS;
    const isKept = keptRow >= row && keptRow < row + page.rows;
    if (!near && !isKept && !page.loading) forget(page);
  }
}

/** The page of the visible ones that was read first, null where none has been read. */
export function oldestVisible(root) {
  const { first, count } = viewport(root.rows);
  const pages = new Set(root.rows === 0 ? root.pages : []);
  for (let index = first; index < Math.min(root.rows, first + count); index += 1) pages.add(rowAt(root, index).page);
  const read = [...pages].filter((page) => page.readAt !== null);
  return read.reduce((oldest, page) => (oldest === null || page.readAt < oldest.readAt ? page : oldest), null);
}
