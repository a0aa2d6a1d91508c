// The words for a change of the cluster that did not succeed: no document, no network.

import { leavesOpen } from "../api.js";

/** What happened, and what to do where it is not known whether something was changed. */
export function problemOf(error) {
  if (!leavesOpen(error)) return error.message;
  return `${error.message} Whether it was done is not known: the cards will show it. Look at the nodes before you try again.`;
}
