// Where the focus goes when the control that had it goes away: never to nowhere, which is the top of the page.

import { $ } from "../dom.js";

/** Moves the focus from a control of a card to the next one of that card that can be seen, or else to "Add a node…". */
export function focusBeside(control) {
  const foot = control.isConnected ? control.closest(".node-foot") : null;
  const controls = [...(foot?.children ?? [])];
  const after = controls.slice(controls.indexOf(control) + 1);
  const next = [...after, ...controls].find(({ hidden }) => !hidden);
  (next ?? $("add")).focus();
}

/** Shows a control or takes it away, and the focus does not go with it. */
export function setHidden(control, isHidden) {
  const hadFocus = document.activeElement === control;
  control.hidden = isHidden;
  if (isHidden && hadFocus) focusBeside(control);
}
