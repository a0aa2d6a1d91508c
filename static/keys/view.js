// The view of keys: the tree and the search on one side, the value and the editor on the other, and what happens between them.

import { $ } from "../dom.js";
import { confirmLeave } from "./dialogs.js";
import { closeEditor, editedKey, editNew, editValue, isDirty, showEditor, startEditor } from "./editor.js";
import { linkedKey, rememberKey } from "./link.js";
import { say, startOutcomes } from "./outcome.js";
import { isLocked, showSide, startPanel } from "./panel.js";
import { openKey, read, stopReading } from "./reading.js";
import { search, showAge, showEmpty, startSearch, treeFailed } from "./search.js";
import { activePrefix, focusTree, reveal, startTree } from "./tree.js";
import { showHeld, shownKey, showNothing, startValue } from "./value.js";
import { save, startWriting } from "./writing.js";

/** Connects the view. */
export function startKeys() {
  startOutcomes();
  startPanel();
  startTree({ onKey: choose, onChange: treeChanged, onError: treeFailed });
  startSearch();
  startValue(say);
  startEditor({ onSave: save, onCancel: cancel });
  startWriting();
  $("new-key").addEventListener("click", () => create(activePrefix()));
  $("none-create").addEventListener("click", () => create(""));
  $("edit").addEventListener("click", edit);
  $("reread").addEventListener("click", () => read(shownKey().key));
  $("no-value-act").addEventListener("click", actOnNoValue);
  $("to-tree").addEventListener("click", backToTree);
  showNothing();
  addEventListener("hashchange", followHash);
  followHash();
}

// The tree

function treeChanged() {
  showAge();
  showEmpty();
}

function backToTree() {
  showSide("tree");
  focusTree();
}

// Which key

function followHash() {
  const key = linkedKey();
  if (key === undefined) return;
  search();
  if (key === "") return rememberKey(openKey());
  if (key === null) return say("bad", "This link names no key: its percent-encoding is broken. Choose a key in the list.");
  if (key === openKey()) return;
  choose(key);
  reveal(key);
}

async function choose(key) {
  if (await mayLeave()) await read(key);
  else rememberKey(openKey());
}

/** Whether what was typed is saved, or may be thrown away. */
async function mayLeave() {
  if (isLocked()) {
    say("warn", "This is still being written: wait for the answer.");
    return false;
  }
  if (isDirty() && !(await confirmLeave(editedKey()))) {
    showEditor();
    return false;
  }
  closeEditor();
  return true;
}

function actOnNoValue() {
  const { key } = shownKey();
  if ($("no-value-act").textContent === "Create it") create(key);
  else read(key);
}

// The editor

async function create(prefix) {
  if (!(await mayLeave())) return;
  stopReading();
  say("none", "");
  showSide("detail");
  editNew(prefix);
}

function edit() {
  stopReading();
  say("none", "");
  editValue(shownKey());
}

async function cancel() {
  if (!(await mayLeave())) return;
  say("none", "");
  showHeld();
  if (shownKey() === null) backToTree();
  else $(shownKey().bytes === undefined ? "new-key" : "edit").focus();
}
