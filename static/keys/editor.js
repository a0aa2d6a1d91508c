// The editor: a new key, or another value for one that is there.

import { $, setText } from "../dom.js";
import { editing, encode, formatsOf } from "./formats.js";
import { isJson } from "./json.js";
import { showKey } from "./names.js";
import { showPart } from "./panel.js";
import { keyPath } from "../text.js";

/** What is edited: {base, startKey, startText, lineEnd, wasJson}; `base` is what was read of the key, null for a new one. */
let open = null;

/** Connects the form. */
export function startEditor({ onSave, onCancel }) {
  // No button submits: this is Enter in the field for the key, behind which comes the value, and not yet a write.
  $("editor").addEventListener("submit", (event) => {
    event.preventDefault();
    $("value").focus();
  });
  $("put").addEventListener("click", onSave);
  $("cancel").addEventListener("click", onCancel);
  $("value").addEventListener("input", showHint);
  $("editor").addEventListener("keydown", (event) => {
    const saves = (event.key === "Enter" || event.key === "s") && (event.ctrlKey || event.metaKey);
    if (!saves) return;
    event.preventDefault();
    onSave();
  });
  addEventListener("beforeunload", (event) => {
    if (isDirty()) event.preventDefault();
  });
}

/** Opens the editor for a new key that may begin with `prefix`. */
export function editNew(prefix) {
  openWith({ base: null, startKey: prefix, startText: "", lineEnd: "\n", wasJson: false });
  setText($("editor-title"), "New key");
  setText($("put"), "Create");
  $("key").focus();
}

/** Opens it for a key that was read. What cannot be edited as text is replaced by what is typed. */
export function editValue(found) {
  const formats = formatsOf(found.bytes);
  const { text, lineEnd, why } = editing(formats);
  openWith({ base: found, startKey: found.key, startText: why ? "" : text, lineEnd: lineEnd ?? "\n", wasJson: formats.isJson });
  showKey($("editor-title"), found.key);
  setText($("put"), "Save");
  $("value").focus();
}

function openWith(state) {
  open = state;
  $("key").value = state.startKey;
  $("value").value = state.startText;
  $("editor-key").hidden = state.base !== null;
  $("editor-title").classList.toggle("named", state.base !== null);
  showHint();
  showPart("editor");
}

/** Shows the editor again, as it was left. */
export function showEditor() {
  showPart("editor");
  $("value").focus();
}

/** Closes the editor; what was typed is gone. */
export function closeEditor() {
  open = null;
  $("value").value = "";
}

/** Whether something was typed that is not saved. */
export function isDirty() {
  return open !== null && ($("value").value !== open.startText || (open.base === null && $("key").value !== open.startKey));
}

/** What was typed: {key, text, bytes, base}. Throws an Error for what is no key. */
export function typed() {
  const key = open.base === null ? $("key").value : open.base.key;
  try {
    keyPath(key);
  } catch (error) {
    $("key").focus();
    throw error;
  }
  const text = $("value").value;
  return { key, text, bytes: encode(text, open.lineEnd), base: open.base };
}

/** Whether that, as `typed` returned it, is still what stands there. */
export function isStillTyped({ key, text }) {
  return $("value").value === text && (open.base === null ? $("key").value : open.base.key) === key;
}

/** The key that is edited, for a message. */
export function editedKey() {
  return $("key").value;
}

function showHint() {
  const hints = [];
  if (open.base !== null) hints.push(`Saved only if the key is still at revision ${open.base.revision}.`);
  else hints.push("Created only if there is no such key yet.");
  if (open.lineEnd === "\r\n") hints.push("Lines end in CR LF, as before.");
  if (open.wasJson && !isJson($("value").value)) hints.push("It was JSON, and is none now.");
  setText($("editor-hint"), hints.join(" "));
}
