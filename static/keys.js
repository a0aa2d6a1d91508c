// One key at a time: get, put, delete, through the node that serves the page.

import { deleteKey, getKey, NoAnswer, putKey, Refused, token } from "./api.js";
import { $, setText } from "./dom.js";
import { describeValue, size } from "./text.js";
import { askForToken } from "./token.js";

/** What was last read or written: {key, etag, text}; an empty etag says that the key does not exist. */
let known = null;
let busy = false;

/** Connects the form. */
export function startKeys() {
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    work(read);
  });
  $("put").addEventListener("click", () => work(put));
  $("delete").addEventListener("click", () => work(remove));
  $("edit").addEventListener("click", edit);
  $("key").addEventListener("input", showCondition);
  $("value").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) work(put);
  });
}

async function work(task) {
  if (busy) return;
  if ($("key").value === "") {
    say("warn", "Type a key first.");
    $("key").focus();
    return;
  }
  setBusy(true);
  try {
    await task($("key").value);
  } catch (error) {
    explain(error, task !== read);
  } finally {
    setBusy(false);
  }
}

function setBusy(now) {
  busy = now;
  $("key-form").setAttribute("aria-busy", String(now));
  for (const id of ["get", "put", "delete"]) $(id).setAttribute("aria-disabled", String(now));
}

async function read(key) {
  say("none", "Reading…");
  let found;
  try {
    found = await getKey(key);
  } catch (error) {
    if (error instanceof Refused && error.code === "key_not_found") {
      showMissing(key);
      say("warn", "There is no such key.");
      return;
    }
    throw error;
  }
  showValue(key, found.bytes, found.etag);
  say("ok", `Read at revision ${revisionOf(found.etag)}.`);
}

async function put(key) {
  say("none", "Writing…");
  const text = $("value").value;
  const done = await putKey(key, text, condition(key));
  showValue(key, new TextEncoder().encode(text), `"${done.revision}"`);
  say("ok", `${done.created ? "Created" : "Changed"} at revision ${done.revision}.`);
}

async function remove(key) {
  if (!(await confirmed(key))) {
    say("none", "Kept.");
    return;
  }
  say("none", "Deleting…");
  const done = await deleteKey(key, condition(key));
  showMissing(key);
  say("ok", done.deleted ? `Deleted at revision ${done.revision}.` : "There was no such key.");
}

function confirmed(key) {
  const dialog = $("confirm");
  setText($("confirm-key"), key);
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** The headers of a write that must not overwrite what somebody else wrote since we looked. */
function condition(key) {
  if (known === null || known.key !== key || !$("conditional").checked) return {};
  return known.etag === "" ? { "If-None-Match": "*" } : { "If-Match": known.etag };
}

function showCondition() {
  const applies = known !== null && known.key === $("key").value;
  $("condition").hidden = !applies;
  if (!applies) return;
  const text = known.etag === "" ? "Only if it still does not exist" : `Only if it is still at revision ${revisionOf(known.etag)}`;
  setText($("condition-text"), text);
}

function showValue(key, bytes, etag) {
  const { kind, shown, cut, editable } = describeValue(bytes);
  $("shown").classList.toggle("hex", kind.startsWith("hex"));
  known = { key, etag, text: editable ? shown : "" };
  $("conditional").checked = true;
  showTitle(key);
  setText($("meta-etag"), etag);
  setText($("meta-size"), size(bytes.length));
  setText($("meta-kind"), kind);
  setText($("shown"), shown);
  setText($("viewer-hint"), bytes.length === 0 ? "The value is empty." : cut);
  $("meta").hidden = false;
  $("shown").hidden = bytes.length === 0;
  $("edit").hidden = !editable;
  showCondition();
}

function showMissing(key) {
  known = { key, etag: "", text: "" };
  $("conditional").checked = true;
  showTitle(key);
  setText($("viewer-hint"), "This key does not exist.");
  $("meta").hidden = true;
  $("shown").hidden = true;
  $("edit").hidden = true;
  showCondition();
}

function showTitle(key) {
  $("viewer-title").classList.add("named");
  setText($("viewer-title"), key);
}

function edit() {
  $("key").value = known.key;
  $("value").value = known.text;
  showCondition();
  $("value").focus();
}

function explain(error, writes) {
  if (error instanceof Refused) {
    explainRefusal(error);
  } else if (error instanceof NoAnswer) {
    say("bad", writes ? `${error.message} Whether this took effect is not known: get the key before you try again.` : error.message);
  } else {
    say("bad", error.message);
  }
}

function explainRefusal(error) {
  if (error.status === 401) {
    say("bad", token.get() ? "The node refuses this token." : "This needs the cluster's token: enter it under Token.");
    askForToken();
  } else if (error.code === "precondition_failed") {
    const now = error.document.current_revision;
    const where = Number.isInteger(now) ? `is at revision ${now} now` : "does not exist any more";
    say("warn", `Not written: somebody else was faster, the key ${where}. Get it, or lift the condition.`);
  } else if (error.code === "outcome_unknown" || error.status === 500) {
    say("bad", `${error.message} Get the key before you try again.`);
  } else {
    say("bad", error.message);
  }
}

function say(level, text) {
  $("outcome").dataset.level = level;
  setText($("outcome"), text);
}

function revisionOf(etag) {
  return etag.replaceAll('"', "");
}
