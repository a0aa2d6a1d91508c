// The words for a change of the cluster that did not succeed: no document, no network.

import { Refused } from "../api.js";

/** What happened, and what to do where it is not known whether something was changed. */
export function problemOf(error) {
  if (isNotDone(error)) return error.message;
  return `${error.message} Whether it was done is not known: the cards will show it. Look at the nodes before you try again.`;
}

/**
 * Whether nothing was changed for certain: the request was at fault, or the node says itself that the same may be asked again.
 *
 * An error without the node's code is one of something on the way, such as a proxy that gave up waiting for the answer.
 */
function isNotDone(error) {
  if (!(error instanceof Refused)) return false;
  return error.status < 500 || (error.code !== "" && error.document.retryable === true);
}
