// Reading: what becomes of the panel between the choice of a key and its value.

import { readKey } from "../api.js";
import { rememberKey } from "./link.js";
import { isMissing, readProblem, say } from "./outcome.js";
import { here, moveOn, showSide, whileHere } from "./panel.js";
import { isInTree, markSelected } from "./tree.js";
import { othersChanged } from "./changed.js";
import { isHeldShown, shownKey, showNoValue, showReading, showValue } from "./value.js";

/** An answer that takes no longer replaces one key by the other without anything between: less would only flicker. */
const QUICK_MS = 200;

/** The newest read: its key, and whether the panel still waits for it. */
let newest = { key: null, isAwaited: () => false };

/** The key that the panel is about: the one that is being read, or else the one that is shown; null for none. */
export function openKey() {
  return newest.isAwaited() ? newest.key : (shownKey()?.key ?? null);
}

/** Reads a key and shows it, unless the panel has moved on by then. */
export async function read(key) {
  let isHere = moveOn();
  newest = { key, isAwaited: () => isHere() };
  say("none", "Reading…");
  rememberKey(key);
  markSelected(key);
  let isForward = false;
  const comeForward = () => {
    if (!isForward) showSide("detail");
    isForward = true;
  };
  /** In the place of another key's value, and of what could be done with it. */
  const wait = () => {
    if (!isHere()) return;
    showReading(key);
    isHere = here();
    comeForward();
  };
  if (!isHeldShown()) wait();
  const timer = setTimeout(() => isHeldShown() && key !== shownKey()?.key && wait(), QUICK_MS);
  const show = await answerOf(key);
  clearTimeout(timer);
  if (!isHere()) return;
  comeForward();
  show();
}

/** Gives up a read under way: the panel stays with what it shows. */
export function stopReading() {
  const isOfAnother = newest.isAwaited() && newest.key !== shownKey()?.key;
  moveOn();
  if (!isOfAnother) return;
  rememberKey(openKey());
  markSelected(openKey());
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
    return () => showFailure(key, error);
  }
}

function showFailure(key, error) {
  if (isMissing(error)) {
    if (isInTree(key)) othersChanged(key);
    showNoValue(key, "There is no such key.", "Create it");
    return say("none", "");
  }
  showNoValue(key, "Its value could not be read.", "Try again");
  say("bad", readProblem(error, "value", whileHere(() => read(key))));
}
