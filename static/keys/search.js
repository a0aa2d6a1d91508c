// What the tree shows: all keys as folders, or those that begin with what was typed; how many there are, and how old that is.

import { countKeys } from "../api.js";
import { $, setText } from "../dom.js";
import { upToDate } from "./fresh.js";
import { readProblem, sayOfTree } from "./outcome.js";
import { spelledOut } from "./names.js";
import { browse, focusTree, refresh, treeState } from "./tree.js";
import { age, count } from "../text.js";

/** How long typing rests before it is searched for: a node is not asked for each letter. */
const TYPING_REST_MS = 150;
/** The age that is shown is in seconds. */
const AGE_PERIOD_MS = 1000;

/** What is browsed; null before the first time. */
let prefix = null;
/** How many keys there are below it, {count, revision}; null as long as that is not known. */
let total = null;
let callOff = new AbortController();
let typing = 0;

/** Connects the field for searching, and what stands around the tree. */
export function startSearch() {
  $("find").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(search, TYPING_REST_MS);
  });
  $("find-form").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  $("find").addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown") return;
    event.preventDefault();
    focusTree();
  });
  $("refresh").addEventListener("click", refreshAll);
  $("tree-retry").addEventListener("click", refreshAll);
  setInterval(showAge, AGE_PERIOD_MS);
}

/** Shows what the field asks for, if it is not shown yet. */
export function search() {
  clearTimeout(typing);
  const asked = $("find").value;
  if (asked === prefix) return;
  prefix = asked;
  total = null;
  sayProblem("");
  showTotal();
  browse(prefix, prefix === "" ? "/" : "");
  recount();
}

/** Asks for everything again that can be seen. */
function refreshAll() {
  sayProblem("");
  refresh();
  recount();
}

/** Notes that this page has made or deleted a key at a revision. */
export function countChanged(key, change, revision) {
  if (total === null || !key.startsWith(prefix) || total.revision >= revision) return;
  total.count += change;
  showTotal();
}

/** Asks for the number of keys again. */
export async function recount() {
  callOff.abort();
  callOff = new AbortController();
  const { signal } = callOff;
  try {
    const found = await upToDate((minRevision) => countKeys({ prefix, minRevision }, signal));
    if (signal.aborted) return; // Somebody has typed on: the newest answer wins.
    total = found;
    showTotal();
  } catch (error) {
    if (signal.aborted) return;
    setText($("tree-count"), "Not counted");
    treeFailed(error);
  }
}

/** Says why what was asked for is not there, and offers to ask again. */
export function treeFailed(error) {
  sayProblem(readProblem(error, "tree", refreshAll));
}

function sayProblem(text) {
  sayOfTree(text ? "bad" : "none", text);
  $("tree-retry").hidden = !text;
}

function showTotal() {
  if (total === null) return setText($("tree-count"), "Counting…");
  const keys = total.count === 1 ? "1 key" : `${count(total.count)} keys`;
  const begin = total.count === 1 ? "begins" : "begin";
  setText($("tree-count"), prefix ? `${keys} ${begin} with “${spelledOut(prefix)}”` : keys);
}

/** Says how old what is shown is: nothing is asked for on a timer. */
export function showAge() {
  if ($("keys").hidden) return;
  const { oldest } = treeState();
  if (oldest === null) return;
  const seconds = (performance.now() - oldest.readAt) / 1000;
  setText($("tree-age"), `Revision ${count(oldest.revision)}, read ${seconds < 2 ? "just now" : `${age(seconds)} ago`}`);
}

/** Shows, in the place of an empty tree, what that means. */
export function showEmpty() {
  const { root } = treeState();
  const empty = root.rows === 0;
  $("tree-none").hidden = !empty || prefix !== "";
  $("tree-no-match").hidden = !empty || prefix === "";
  setText($("tree-curl"), firstCommand());
}

/** A command that makes a key through any node: a follower passes it on. It is in quotes, as some shells take a `?` for a pattern. */
function firstCommand() {
  // In Windows PowerShell, `curl` is another command.
  const program = navigator.userAgent.includes("Windows") ? "curl.exe" : "curl";
  return `${program} -X PUT "${location.origin}/kv/greeting?forward" -d hello`;
}
