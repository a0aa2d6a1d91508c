// What has changed in the store is told to all that show it: the tree, and the number of keys.

import { askAgain, keyDeleted, keyWritten } from "./changes.js";
import { wrote } from "./fresh.js";
import { countChanged, recount } from "./search.js";
import { changeTree } from "./tree.js";

/** This page has written {key, bytes, revision}; `isNew` says whether it made the key. */
export function ownWritten({ key, bytes, revision }, isNew) {
  wrote(revision);
  changeTree((root) => keyWritten(root, { key, size: bytes.length, revision, isNew }));
  if (isNew) countChanged(key, 1, revision);
}

/** This page has deleted a key. Where that shows that others have written beside it, what is there now is asked for. */
export function ownDeleted(key, revision) {
  wrote(revision);
  let agrees = true;
  changeTree((root) => (agrees = keyDeleted(root, key, revision)));
  countChanged(key, -1, revision);
  if (!agrees) othersChanged(key);
}

/** Others have made, changed or deleted a key: what was counted with it is not known here, so it is asked for. */
export function othersChanged(key) {
  changeTree((root) => askAgain(root, key));
  recount();
}
