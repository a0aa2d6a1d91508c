// Writing: saving what was typed, deleting, and what happens when somebody else was faster.

import { deleteKey, isRequestError, leavesOpen, putKey, readKey } from "../api.js";
import { $ } from "../dom.js";
import { othersChanged, ownDeleted, ownWritten } from "./changed.js";
import { showConflict, startConflict } from "./conflict.js";
import { confirmDelete } from "./dialogs.js";
import { closeEditor, isStillTyped, showEditor, typed } from "./editor.js";
import { rememberKey } from "./link.js";
import { isConflict, isMissing, readProblem, say, writeProblem } from "./outcome.js";
import { focusHere, here, isLocked, lockedFor, moveOn, whileHere } from "./panel.js";
import { stopReading } from "./reading.js";
import { markSelected } from "./tree.js";
import { shownKey, showNoValue, showValue } from "./value.js";
import { count } from "../text.js";

const SAVE_AGAIN = "Save again: if it did, you will see so, and nothing is written twice.";
const DELETE_AGAIN = "Delete again: if it did, you will see that the key is gone.";
/** Writes of unknown outcome that are remembered: more than anybody has open questions about. */
const MAX_UNSURE = 20;

/** What was read of the key in the conflict that is shown: null where it does not exist. */
let theirs = null;
/** What a key holds if the last write of it, of unknown outcome, took effect: bytes, or null for nothing. */
const unsure = new Map();

/** Connects the buttons that write. */
export function startWriting() {
  startConflict({ onOverwrite: () => put(typed(), theirs), onTakeTheirs: takeTheirs, onGoOn: goOn });
  $("delete").addEventListener("click", () => remove(shownKey()));
}

/**
 * Does one write at a time, `work`, which throws what went wrong. `wish` is {key, bytes (null: to delete it), advice, again}: what
 * to do where nobody knows what came of it, and what to do again when a token comes that was missing.
 */
async function write(wish, work) {
  if (isLocked()) return;
  moveOn();
  await lockedFor(async () => {
    try {
      await work();
    } catch (error) {
      if (leavesOpen(error)) noteUnsure(wish);
      say("bad", writeProblem(error, wish.advice, whileHere(wish.again)));
      if (!isRequestError(error)) throw error; // A fault of this page: the console has it.
    }
  });
}

function noteUnsure({ key, bytes }) {
  unsure.delete(key);
  unsure.set(key, bytes);
  if (unsure.size > MAX_UNSURE) unsure.delete(unsure.keys().next().value);
}

/** Whether what is stored (null: nothing) is what a write of unknown outcome would have left. */
function mayBeMine(key, found) {
  const left = unsure.get(key);
  if (left === undefined) return false;
  return left === null || found === null ? left === found : sameBytes(left, found.bytes);
}

// Saving

/** Writes what was typed, if the key is still as it was when it was read. */
export async function save() {
  if (isLocked()) return;
  let mine;
  try {
    mine = typed();
  } catch (error) {
    return say("bad", error.message);
  }
  await put(mine, mine.base);
}

/** Writes `mine`, if the key is still as in `base`; else shows what is there now beside it. */
async function put(mine, base) {
  await write({ ...mine, advice: SAVE_AGAIN, again: () => putAgain(mine, base) }, async () => {
    say("none", "Saving…");
    let done;
    try {
      done = await putKey(mine.key, mine.bytes, base === null ? null : base.revision);
    } catch (error) {
      if (!isConflict(error)) throw error;
      return lookAtTheirs(mine);
    }
    saved(mine, base, done);
  });
}

/** Nothing is saved but what was to be saved when it was refused. */
function putAgain(mine, base) {
  if (isStillTyped(mine)) put(mine, base);
  else say("warn", "The token is set. What you typed has changed since, so it is not saved yet.");
}

function saved({ key, bytes }, base, { revision, created }) {
  const history = created ? { created: revision, version: 1 } : { created: base.created, version: base.version + 1 };
  const found = { key, bytes, revision, ...history };
  unsure.delete(key);
  ownWritten(found, created);
  showStored(found);
  say("ok", `${created ? "Created" : "Saved"} at revision ${count(revision)}.`);
}

/** Shows a value that is stored now, in the place of the editor. */
function showStored(found) {
  closeEditor();
  showValue(found);
  open(found.key);
  focusHere($("edit"));
}

function open(key) {
  rememberKey(key);
  markSelected(key);
}

// Somebody else was faster

async function lookAtTheirs(mine) {
  const now = await readStored(mine.key, "Not saved: the key is not as it was.");
  if (now === undefined) return;
  if (now !== null && sameBytes(now.bytes, mine.bytes)) {
    showStored(now);
    return say("ok", `Stored already, at revision ${count(now.revision)}: an earlier attempt got through, or somebody wrote the same.`);
  }
  theirs = now;
  showConflict(theirs, mine, mayBeMine(mine.key, theirs));
  say("warn", "Not saved: nothing was overwritten.");
}

/** What is stored of a key that others have changed: null for nothing, undefined where it could not be read, which is said. */
async function readStored(key, words) {
  othersChanged(key);
  try {
    return await readKey(key);
  } catch (error) {
    if (isMissing(error)) return null;
    say("bad", `${words} What is stored now could not be read: ${readProblem(error, "value", () => {})} Try again.`);
  }
}

function sameBytes(one, other) {
  return one.length === other.length && one.every((byte, place) => byte === other[place]);
}

function takeTheirs() {
  const { key } = typed();
  if (theirs === null) showGone(key, "There is no such key.");
  else showStored(theirs);
  say("none", "What you typed was thrown away.");
}

function goOn() {
  showEditor();
  say("none", "");
}

// Deleting

/** Deletes a key as it was shown, once that is confirmed. */
async function remove(found) {
  const { key, revision } = found;
  stopReading();
  const isHere = here();
  if (!(await confirmDelete(key, revision))) return isHere() ? say("none", "Kept.") : undefined;
  await write({ key, bytes: null, advice: DELETE_AGAIN, again: () => remove(found) }, async () => {
    say("none", "Deleting…");
    try {
      deleted(key, await deleteKey(key, revision));
    } catch (error) {
      if (!isConflict(error)) throw error;
      await notDeleted(key);
    }
  });
}

function deleted(key, { revision }) {
  const words = `Deleted at revision ${count(revision)}.`;
  unsure.delete(key);
  ownDeleted(key, revision);
  showGone(key, words);
  say("ok", words);
}

/** Shows that a key is gone, in the place of its value or of the editor. */
function showGone(key, words) {
  closeEditor();
  showNoValue(key, words, "Create it");
  open(key);
  focusHere($("no-value-act"));
}

async function notDeleted(key) {
  const now = await readStored(key, "Not deleted: the key is not as it was.");
  if (now === undefined) return;
  if (now !== null) {
    showStored(now);
    return say("warn", "Not deleted: somebody else changed the key. This is what is stored now.");
  }
  const mine = mayBeMine(key, null);
  showGone(key, "There is no such key.");
  say("warn", mine ? "It is gone: the earlier attempt got through, or somebody else deleted it." : "Somebody else deleted it before.");
}
