// Somebody else was faster: theirs beside mine, line by line, and what to do about it.

import { $, element, setText } from "../dom.js";
import { sideBySide } from "./diff.js";
import { formatsOf } from "./formats.js";
import { showKey, showText } from "./names.js";
import { focusHere, showPart } from "./panel.js";
import { count, size } from "../text.js";

/** Lines without a difference that are shown around one. */
const CONTEXT_LINES = 3;
/** Most rows that are shown: more, nobody reads, and a browser stands still for. */
const MAX_ROWS = 1000;

/** Connects the buttons. */
export function startConflict({ onOverwrite, onTakeTheirs, onGoOn }) {
  $("overwrite").addEventListener("click", onOverwrite);
  $("take-theirs").addEventListener("click", onTakeTheirs);
  $("go-on").addEventListener("click", onGoOn);
}

/**
 * Shows both. `theirs` is what was read of the key just now, null where it does not exist; `mine` is {key, text, base}.
 * `mayBeMine` says that it is what an earlier attempt, of unknown outcome, would have left.
 */
export function showConflict(theirs, mine, mayBeMine) {
  showKey($("conflict-key"), mine.key);
  const from = mine.base === null ? "as a new key" : `from revision ${count(mine.base.revision)}`;
  setText($("mine-head"), `Mine, ${from}`);
  setText($("theirs-head"), theirs === null ? "Theirs: deleted" : `Theirs, revision ${count(theirs.revision)}`);
  setText($("conflict-title"), titleOf(theirs, mine, mayBeMine));
  setText($("overwrite"), theirs === null ? "Create it again with mine" : "Overwrite theirs");
  setText($("take-theirs"), theirs === null ? "Let it go" : "Take theirs");
  showSides(theirs, mine);
  showPart("conflict");
  focusHere($("go-on"));
}

function titleOf(theirs, mine, mayBeMine) {
  if (mayBeMine) return "An earlier attempt seems to have got through";
  if (theirs === null) return "Somebody else deleted this key";
  return mine.base === null ? "There is such a key already" : "Somebody else changed this key";
}

function showSides(theirs, mine) {
  const text = theirs === null ? "" : formatsOf(theirs.bytes).text?.replaceAll("\r\n", "\n");
  if (text === undefined) {
    setText($("conflict-hint"), `Theirs is not text: ${size(theirs.bytes.length)} of bytes, which cannot be laid beside yours.`);
    $("sides").replaceChildren();
    return;
  }
  const rows = theirs === null ? onlyMine(mine.text) : sideBySide(text, mine.text);
  setText($("conflict-hint"), howMany(rows));
  const kept = withContext(rows);
  $("sides").replaceChildren(...kept.slice(0, MAX_ROWS).map(sideRow));
  const left = kept.slice(MAX_ROWS).reduce((sum, row) => sum + (row.cut ?? 1), 0);
  if (left > 0) $("sides").append(noteRow(`${count(left)} more rows are not shown.`));
}

function howMany(rows) {
  const differing = rows.filter((row) => !row.same && !row.cut).length;
  if (differing === 0) return "Only the line ends differ."; // Which are not compared; what is all the same is no conflict.
  const words = differing === 1 ? "1 line differs." : `${count(differing)} lines differ.`;
  return rows.some((row) => row.cut) ? `At least ${words}` : words;
}

function onlyMine(text) {
  return text.split("\n").map((line) => ({ theirs: null, mine: line, same: false }));
}

/** The rows that differ and those near them; in the place of others, how many there are. */
function withContext(rows) {
  const near = new Uint8Array(rows.length);
  rows.forEach((row, place) => {
    if (!row.same) near.fill(1, Math.max(0, place - CONTEXT_LINES), place + CONTEXT_LINES + 1);
  });
  const kept = [];
  for (let place = 0; place < rows.length; place += 1) {
    if (near[place]) kept.push(rows[place]);
    else if (place > 0 && !near[place - 1]) kept.at(-1).equal += 1;
    else kept.push({ equal: 1 });
  }
  return kept;
}

function sideRow(row) {
  if (row.cut) return noteRow(`${count(row.cut)} more ${row.cut === 1 ? "row is" : "rows are"} not compared.`);
  if (row.equal) return noteRow(row.equal === 1 ? "1 equal line" : `${count(row.equal)} equal lines`);
  const made = element("tr", row.same ? "" : "differs");
  made.append(...side(row.theirs, row), ...side(row.mine, row));
  return made;
}

/** The sign and the line of one side. The sign says in words, too, what the colour says. */
function side(line, row) {
  const [sign, cell] = [element("td", "sign"), element("td", line === null ? "line none" : "line")];
  sign.textContent = row.same ? "" : line === null ? "–" : "≠";
  if (!row.same) sign.title = line === null ? "no such line" : "differs";
  if (line !== null) showText(cell, line);
  return [sign, cell];
}

function noteRow(text) {
  const [row, cell] = [element("tr", "equal"), element("td")];
  cell.colSpan = 4;
  cell.textContent = text;
  row.append(cell);
  return row;
}
