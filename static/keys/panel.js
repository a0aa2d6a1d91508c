// The panel beside the tree. It is at one step at a time.
//
// A step begins when a part of the panel is shown, when a key is asked for, and when something is written. What comes late belongs
// to the step in which it was asked for, and is dropped where the panel has moved on: an answer shows nothing over an editor
// that was opened meanwhile, and a token does nothing again that one has turned away from. While something is written, the
// panel is locked: nothing in it can be pressed or typed, so that the answer finds what it is the answer to.

import { $ } from "../dom.js";

const PARTS = ["nothing", "reading", "value-view", "no-value", "editor", "conflict"];
const LOCKED_BUTTONS = ["reread", "edit", "delete", "no-value-act", "put", "cancel", "go-on", "take-theirs", "overwrite"];
const LOCKED_FIELDS = ["key", "value"];

let step = 0;
let locked = false;

/** Connects the lock: a locked button keeps the focus, and does nothing. */
export function startPanel() {
  const stop = (event) => {
    if (event.target.closest("[aria-disabled=true]") === null) return;
    event.preventDefault();
    event.stopPropagation();
  };
  $("detail").addEventListener("click", stop, { capture: true });
}

/** Begins the next step. Returns whether it is still the one that the panel is at, as a function. */
export function moveOn() {
  step += 1;
  return here();
}

/** Whether the panel is still where it is now, as a function. */
export function here() {
  const mine = step;
  return () => mine === step;
}

/** The same action, if the panel is still where it is now. */
export function whileHere(act) {
  const isHere = here();
  return () => (isHere() ? act() : undefined);
}

/** Shows one part of the panel, which is a step. */
export function showPart(name) {
  moveOn();
  for (const part of PARTS) $(part).hidden = part !== name;
}

/** Whether a write is under way. */
export function isLocked() {
  return locked;
}

/** Does some work, for the time of which the panel is locked. */
export async function lockedFor(work) {
  setLocked(true);
  try {
    await work();
  } finally {
    setLocked(false);
  }
}

function setLocked(now) {
  locked = now;
  $("detail").setAttribute("aria-busy", String(now));
  for (const id of LOCKED_BUTTONS) $(id).setAttribute("aria-disabled", String(now));
  for (const id of LOCKED_FIELDS) $(id).readOnly = now;
}

/** Puts the focus on something in the panel, if it is in the panel or nowhere: nobody is called away from elsewhere. */
export function focusHere(node) {
  const focused = document.activeElement;
  if (focused === null || focused === document.body || $("detail").contains(focused)) node.focus();
}

/** Shows the tree or the panel ("detail") where there is room for one of them. */
export function showSide(side) {
  const wasInTree = $("tree").contains(document.activeElement);
  $("desk").dataset.shows = side;
  if (wasInTree && $("tree").offsetParent === null) $("to-tree").focus();
}
