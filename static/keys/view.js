// The view of keys: the tree and the search on one side, the value and the editor on the other, and what happens between them.

import { readKey } from "../api.js";
import { $ } from "../dom.js";
import { confirmLeave } from "./dialogs.js";
import { closeEditor, editedKey, editNew, editValue, isDirty, startEditor } from "./editor.js";
import { isMissing, readProblem, say, startOutcomes } from "./outcome.js";
import { search, showAge, showEmpty, startSearch, treeFailed } from "./search.js";
import { activePrefix, focusTree, isInTree, markSelected, reveal, startTree } from "./tree.js";
import { showHeld, shownKey, showNothing, showNoValue, showValue, startValue } from "./value.js";
import { isWriting, leaveOut, save, startWriting } from "./writing.js";

/** Number of the newest read: the answer to an older one is not shown. */
let newestRead = 0;

/** Connects the view. */
export function startKeys() {
  startOutcomes();
  startTree({ onKey: choose, onChange: treeChanged, onError: treeFailed });
  startSearch();
  startValue(say);
  startEditor({ onSave: save, onCancel: cancel });
  startWriting({ onShown: rememberKey, reread: read });
  $("new-key").addEventListener("click", () => create(activePrefix()));
  $("none-create").addEventListener("click", () => create(""));
  $("edit").addEventListener("click", () => editValue(shownKey()));
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

function showOnNarrowScreens(side) {
  $("desk").dataset.shows = side;
}

function backToTree() {
  showOnNarrowScreens("tree");
  focusTree();
}

// Which key: the location's hash says it, so that keys can be linked to.

function followHash() {
  const [view, ...rest] = location.hash.slice(1).split("/");
  if (view !== "keys") return;
  search();
  const key = decoded(rest.join("/"));
  if (key === "") return rememberKey(shownKey()?.key ?? null);
  if (key === null) return say("bad", "This link names no key: its percent-encoding is broken. Choose a key in the list.");
  if (key === shownKey()?.key) return;
  choose(key);
  reveal(key);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function rememberKey(key) {
  if (!location.hash.startsWith("#keys")) return; // Another view is shown by now.
  history.replaceState(null, "", key === null ? "#keys" : `#keys/${encodeURIComponent(key)}`);
}

async function choose(key) {
  if (await mayLeave()) await read(key);
  else rememberKey(shownKey()?.key ?? null);
}

/** Whether what was typed is saved, or may be thrown away. */
async function mayLeave() {
  if (isWriting()) {
    say("warn", "This is still being written: wait for the answer.");
    return false;
  }
  if (isDirty() && !(await confirmLeave(editedKey()))) return false;
  closeEditor();
  return true;
}

// Reading

async function read(key) {
  const number = (newestRead += 1);
  say("none", "Reading…");
  rememberKey(key);
  markSelected(key);
  const show = await answerOf(key);
  if (number !== newestRead) return;
  const focusIsInTree = $("tree").contains(document.activeElement);
  showOnNarrowScreens("detail");
  show();
  if (focusIsInTree && $("tree").offsetParent === null) $("to-tree").focus();
}

/** What to do with what the node says of a key. */
async function answerOf(key) {
  try {
    const found = await readKey(key);
    return () => {
      showValue(found);
      say("none", "");
    };
  } catch (error) {
    return () => {
      const missing = isMissing(error);
      if (missing && isInTree(key)) leaveOut(key);
      showNoValue(key, missing ? "There is no such key." : "Its value could not be read.", missing ? "Create it" : "Try again");
      say(missing ? "none" : "bad", missing ? "" : readProblem(error, "value", () => read(key)));
    };
  }
}

function actOnNoValue() {
  const { key } = shownKey();
  if ($("no-value-act").textContent === "Create it") create(key);
  else read(key);
}

// New keys

async function create(prefix) {
  if (!(await mayLeave())) return;
  newestRead += 1;
  say("none", "");
  showOnNarrowScreens("detail");
  editNew(prefix);
}

async function cancel() {
  if (!(await mayLeave())) return;
  say("none", "");
  showHeld();
  if (shownKey() === null) backToTree();
  else $(shownKey().bytes === undefined ? "new-key" : "edit").focus();
}
