// Writing: saving what was typed, deleting, and what happens when somebody else was faster.

import { deleteKey, putKey, readKey } from "../api.js";
import { $ } from "../dom.js";
import { keyDeleted, keyWritten } from "./changes.js";
import { showConflict, startConflict } from "./conflict.js";
import { confirmDelete } from "./dialogs.js";
import { closeEditor, showEditor, typed } from "./editor.js";
import { isConflict, isMissing, say, writeProblem } from "./outcome.js";
import { countChanged } from "./search.js";
import { changeTree, isInTree, markSelected } from "./tree.js";
import { shownKey, showNoValue, showValue } from "./value.js";
import { count } from "../text.js";

/** Whether a write is under way. */
let writing = false;
/** What was read of the key in the conflict that is shown: null where it does not exist. */
let theirs = null;
let handlers = null;

/**
 * Connects the buttons that write. `onShown(key)` is called when another key is shown after a write, `reread(key)` is to read a key
 * again.
 */
export function startWriting(callbacks) {
  handlers = callbacks;
  startConflict({ onOverwrite: overwrite, onTakeTheirs: takeTheirs, onGoOn: showEditor });
  $("delete").addEventListener("click", remove);
}

/** Whether a write is under way. */
export function isWriting() {
  return writing;
}

/** Does one write at a time; `work` throws what went wrong. */
async function write(work, again) {
  if (writing) return;
  setWriting(true);
  try {
    await work();
  } catch (error) {
    say("bad", writeProblem(error, again));
  } finally {
    setWriting(false);
  }
}

function setWriting(now) {
  writing = now;
  $("detail").setAttribute("aria-busy", String(now));
  for (const id of ["put", "delete", "overwrite", "take-theirs"]) $(id).setAttribute("aria-disabled", String(now));
}

/** Writes what was typed, if the key is still as it was when it was read. */
export async function save() {
  await write(async () => {
    const mine = typed();
    await put(mine, mine.base);
  }, save);
}

/** Writes over theirs as it is shown: a third writer is noticed again. */
async function overwrite() {
  await write(() => put(typed(), theirs), overwrite);
}

/** Writes what was typed, if the key is still as in `base`; else shows what is there now beside it. */
async function put(mine, base) {
  say("none", "Saving…");
  let done;
  try {
    done = await putKey(mine.key, mine.bytes, base === null ? { "If-None-Match": "*" } : { "If-Match": base.etag });
  } catch (error) {
    if (!isConflict(error)) throw error;
    return lookAtTheirs(mine);
  }
  const { revision, created } = done;
  const history = created ? { created: revision, version: 1 } : { created: base.created, version: base.version + 1 };
  saved({ key: mine.key, bytes: mine.bytes, etag: `"${revision}"`, revision, ...history }, created);
  say("ok", `${created ? "Created" : "Saved"} at revision ${count(revision)}.`);
}

/** Shows a value that is stored now; `isNew` says whether the tree does not know of the key. */
function saved(found, isNew) {
  closeEditor();
  changeTree((root) => keyWritten(root, found.key, found.bytes.length, isNew));
  if (isNew) countChanged(found.key, 1);
  showValue(found);
  markSelected(found.key);
  handlers.onShown(found.key);
  $("edit").focus();
}

async function lookAtTheirs(mine) {
  try {
    theirs = await readKey(mine.key);
  } catch (error) {
    if (!isMissing(error)) throw error;
    theirs = null;
  }
  if (theirs !== null && sameBytes(theirs.bytes, mine.bytes)) {
    saved(theirs, mine.base === null && !isInTree(mine.key));
    return say("ok", `Stored already, at revision ${count(theirs.revision)}: an earlier attempt got through, or somebody wrote the same.`);
  }
  showConflict(theirs, mine);
  say("warn", "Not saved: nothing was overwritten.");
}

function sameBytes(one, other) {
  return one.length === other.length && one.every((byte, place) => byte === other[place]);
}

function takeTheirs() {
  if (writing) return;
  const { key, base } = typed();
  closeEditor();
  if (theirs === null) gone(key, "There is no such key.");
  else saved(theirs, base === null && !isInTree(key));
  say("none", "What you typed was thrown away.");
}

/** Takes a key that is gone out of the tree. */
export function leaveOut(key) {
  changeTree((root) => keyDeleted(root, key));
  countChanged(key, -1);
}

function gone(key, text) {
  leaveOut(key);
  showNoValue(key, text, "Create it");
  handlers.onShown(key);
  markSelected(key);
}

async function remove() {
  const { key, etag, revision } = shownKey();
  if (writing) return;
  if (!(await confirmDelete(key, revision))) return say("none", "Kept.");
  await write(async () => {
    say("none", "Deleting…");
    try {
      const done = await deleteKey(key, { "If-Match": etag });
      gone(key, `Deleted at revision ${count(done.revision)}.`);
      say("ok", `Deleted at revision ${count(done.revision)}.`);
      $("no-value-act").focus();
    } catch (error) {
      if (!isConflict(error)) throw error;
      await notDeleted(key);
    }
  }, remove);
}

async function notDeleted(key) {
  await handlers.reread(key);
  if (shownKey().bytes === undefined) return say("warn", "Somebody else deleted it before.");
  say("warn", "Not deleted: somebody else changed the key. This is what is stored now.");
}
