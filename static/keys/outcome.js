// What came of an action, said where the action was: beside the tree, or beside the value.

import { leavesOpen, Refused, token } from "../api.js";
import { $, sayAt } from "../dom.js";
import { askForToken } from "../token.js";

/** What to do again once there is a token, by where it was refused. */
const refused = new Map();
/** The token that was not enough, "" for none: with the same one, nothing is tried again. */
let refusedToken = "";

/** Connects the box for the token: what was refused for want of it is done when it comes. */
export function startOutcomes() {
  $("token-form").addEventListener("submit", () =>
    // After all other listeners: one of them keeps the token.
    queueMicrotask(() => {
      if (!token.get() || token.get() === refusedToken) return;
      const again = [...refused.values()];
      refused.clear();
      again.forEach((act) => act());
    }),
  );
}

/** Says something beside the value; levels are "none", "ok", "warn", "bad". */
export function say(level, text) {
  sayAt("outcome", level, text);
}

/** Says something beside the tree. */
export function sayOfTree(level, text) {
  sayAt("tree-outcome", level, text);
}

/** The words for an error of a read; `again` is done when a token comes that was missing. `place` tells actions apart. */
export function readProblem(error, place, again) {
  if (!(error instanceof Refused) || error.status !== 401) return error.message;
  return needsToken(place, again);
}

/** The words for an error of a write; `advice` says what to do where nobody knows whether it took effect. */
export function writeProblem(error, advice, again) {
  if (error instanceof Refused && error.status === 401) return needsToken("value", again);
  if (leavesOpen(error)) return `${error.message} Whether this took effect is not known. ${advice}`;
  return error.document?.retryable ? `${error.message} Try again in a moment.` : error.message;
}

/** Whether an error is that the key is not as it was when it was read. */
export function isConflict(error) {
  return error instanceof Refused && error.code === "precondition_failed";
}

/** Whether an error is that there is no such key. */
export function isMissing(error) {
  return error instanceof Refused && error.code === "key_not_found";
}

function needsToken(place, again) {
  refused.set(place, again);
  refusedToken = token.get();
  if (mayTakeFocus(place)) askForToken();
  if (token.get()) return "The node refuses this token. Enter the right one under Token.";
  return "This needs the cluster's token: enter it under Token.";
}

/** Whether the focus may go to the token: somebody who types elsewhere by now would go on typing into that field. */
function mayTakeFocus(place) {
  const focused = document.activeElement ?? document.body;
  const asked = place === "value" ? "#token-box, #detail" : "#token-box";
  return focused === document.body || focused.closest(asked) !== null;
}
