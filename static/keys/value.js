// The value of a key: what is known of it, and its bytes as text, JSON or hex.

import { $, setText } from "../dom.js";
import { copyText, download, toBase64 } from "./copy.js";
import { editing, formatsOf, present } from "./formats.js";
import { showKey, showText } from "./names.js";
import { showPart } from "./panel.js";
import { count, size } from "../text.js";

const WAYS = ["text", "json", "hex"];

/** What is shown: {key, bytes, revision, created, version}, or {key} where there is no value; null for nothing. */
let held = null;
let formats = null;

/** Connects the view. `say(level, text)` tells of what has been copied or saved. */
export function startValue(say) {
  for (const way of WAYS) $(`as-${way}`).addEventListener("change", () => showAs(way));
  const copying = async (text, told) => {
    try {
      await copyText(text);
      say("ok", told);
    } catch (error) {
      say("warn", error.message);
    }
  };
  $("copy-key").addEventListener("click", () => copying(held.key, "The key is in the clipboard."));
  $("copy-value").addEventListener("click", () => {
    if (formats.text === null) copying(toBase64(held.bytes), "The value is in the clipboard, in base64.");
    else copying(formats.text, "The value is in the clipboard.");
  });
  $("download").addEventListener("click", () => download(held.key, held.bytes));
}

/** What is shown, or null. */
export function shownKey() {
  return held;
}

/** Shows a key with its value. */
export function showValue(found) {
  held = found;
  formats = formatsOf(found.bytes);
  showKey($("viewer-title"), found.key);
  setText($("meta-revision"), count(found.revision));
  setText($("meta-created"), count(found.created));
  setText($("meta-version"), count(found.version));
  setText($("meta-size"), size(found.bytes.length));
  for (const way of WAYS) $(`as-${way}`).disabled = !possible(way);
  $(`as-${formats.best}`).checked = true;
  showAs(formats.best);
  const { why } = editing(formats);
  setText($("edit"), why ? "Replace…" : "Edit");
  setText($("edit-hint"), why ? `${why} It can be replaced as a whole.` : "");
  setText($("copy-value"), formats.text === null ? "Copy as base64" : "Copy value");
  showPart("value-view");
}

function possible(way) {
  return way === "hex" || (way === "text" ? formats.text !== null : formats.isJson);
}

function showAs(way) {
  const { shown, note } = present(formats, way);
  const empty = held.bytes.length === 0;
  setText($("viewer-hint"), empty ? "The value is empty." : note);
  $("shown").classList.toggle("hex", way === "hex");
  $("shown").hidden = empty;
  showText($("shown"), shown);
  $("shown").scrollTop = 0;
}

/** Shows, in the place of a value, why there is none. `action` is what a button beside it says. */
export function showNoValue(key, text, action) {
  held = { key };
  showKey($("no-value-title"), key);
  setText($("no-value-text"), text);
  setText($("no-value-act"), action);
  $("no-value-act").hidden = action === "";
  showPart("no-value");
}

/** Shows no key at all. */
export function showNothing() {
  held = null;
  showPart("nothing");
}

/** Shows, in the place of a value, that another key is being read. */
export function showReading(key) {
  showKey($("reading-title"), key);
  showPart("reading");
}

/** Shows what was there before the editor came. */
export function showHeld() {
  showPart(partOfHeld());
}

/** Whether it is what can be seen now. */
export function isHeldShown() {
  return !$(partOfHeld()).hidden;
}

function partOfHeld() {
  if (held === null) return "nothing";
  return held.bytes === undefined ? "no-value" : "value-view";
}
