// How keys are named and ordered on the page, and how characters that nobody sees are made visible.

import { element } from "../dom.js";

/** What is drawn as nothing, as a blank, or changes the direction of what stands around it. */
const UNSEEN =
  /[\0-\x08\x0b-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\u3164\ufeff\uffa0\ufff9-\ufffb\u{e0000}-\u{e0fff}]/gu;
/** The same, and blanks at the ends, where a key's name does not show them. */
const UNSEEN_IN_KEYS = new RegExp(`${UNSEEN.source}|^ | $`, "gu");
/** Elements that one text may become; beyond, unseen characters are shown as U+FFFD. */
const MAX_MARKS = 500;

/** The order of keys: that of their UTF-8 bytes, which is not the one of UTF-16 in which JavaScript compares. */
export function compareKeys(one, other) {
  const length = Math.min(one.length, other.length);
  for (let place = 0; place < length; place += 1) {
    const [a, b] = [one.charCodeAt(place), other.charCodeAt(place)];
    if (a !== b) return rank(a) - rank(b);
  }
  return one.length - other.length;
}

/** Halves of surrogate pairs stand for characters beyond all that have one unit. */
function rank(unit) {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}

/** The name of a character: "U+202E". */
function codeOf(character) {
  return `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
}

/** The text with the names of unseen characters in their place, for attributes. */
export function spelledOut(text) {
  return text.replace(UNSEEN, (character) => ` ${codeOf(character)} `);
}

/**
 * Makes a text the content of a node, each unseen character as its name, told apart from the text by its class.
 *
 * Text becomes text nodes only.
 */
export function showText(node, text, unseen = UNSEEN) {
  if (text.search(unseen) < 0) {
    if (node.childElementCount || node.textContent !== text) node.textContent = text;
    return;
  }
  const parts = [];
  let shownUpTo = 0;
  for (const match of text.matchAll(unseen)) {
    if (parts.length >= 2 * MAX_MARKS) break;
    const mark = element("span", "code-point");
    mark.textContent = codeOf(match[0]);
    parts.push(text.slice(shownUpTo, match.index), mark);
    shownUpTo = match.index + match[0].length;
  }
  parts.push(text.slice(shownUpTo).replace(unseen, "\ufffd"));
  node.replaceChildren(...parts);
}

/** The same for a key, or a part of one. */
export function showKey(node, text) {
  showText(node, text, UNSEEN_IN_KEYS);
}

/**
 * What a row of the tree says: {text, named}; `named` is false where the text is our own words.
 *
 * In a folder, the part of the name that is not the folder's; in a list of matches, which has no delimiter, all of it.
 */
export function rowLabel(entry, { prefix, delimiter }) {
  const text = delimiter ? entry.name.slice(prefix.length) : entry.name;
  if (text === "") return { text: "(named as the folder)", named: false };
  if (entry.isFolder && text === "/") return { text: "(empty name)/", named: false };
  return { text, named: true };
}
