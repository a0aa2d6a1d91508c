// Where the tree is scrolled to, in rows and pixels.
//
// Places count from the top of the first row, as if the whole tree were there. Where that is higher than browsers allow, the
// element is lower, and the rows pass faster than its scroll bar moves.

import { $ } from "../dom.js";

/** Height of a row: dense enough for a list, high enough for a finger's tip. */
export const ROW_PX = 30;
/** Firefox cuts elements at 17.9 million pixels, others at 33.5 million. */
const MAX_HEIGHT_PX = 15_000_000;

/**
 * What can be seen of so many rows: the first one and how many, `top` (the element's scrollTop), and `stretch`, how many pixels of
 * the tree pass for each pixel of it.
 */
export function viewport(rows) {
  const { clientHeight, scrollTop } = $("tree");
  const full = rows * ROW_PX;
  const height = Math.min(full, MAX_HEIGHT_PX);
  const stretch = height > clientHeight ? (full - clientHeight) / (height - clientHeight) : 1;
  const top = Math.min(scrollTop, Math.max(0, height - clientHeight));
  return { stretch, top, first: Math.floor((top * stretch) / ROW_PX), count: Math.ceil(clientHeight / ROW_PX) + 1 };
}

/** Makes room for so many rows. */
export function setHeight(rows) {
  $("tree-sizer").style.height = `${Math.min(rows * ROW_PX, MAX_HEIGHT_PX)}px`;
}

/** Scrolls to a place, in pixels of the whole tree. */
export function scrollTo(place, rows) {
  setHeight(rows);
  const top = place / viewport(rows).stretch;
  if (Math.abs(top - $("tree").scrollTop) >= 1) $("tree").scrollTop = top;
}

/** Scrolls as little as it takes to see a row as a whole. */
export function bringIntoSight(row, rows) {
  const { top, stretch } = viewport(rows);
  const [upper, lower] = [row * ROW_PX, (row + 1) * ROW_PX - $("tree").clientHeight];
  if (upper < top * stretch) scrollTo(upper, rows);
  else if (lower > top * stretch) scrollTo(lower, rows);
}
