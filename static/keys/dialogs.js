// Questions before something is lost. The harmless answer has the focus, and is what Escape means.

import { $, setText } from "../dom.js";
import { showKey } from "./names.js";

/** Whether a key is to be deleted, the question being asked with its name and revision. */
export function confirmDelete(key, revision) {
  showKey($("delete-key"), key);
  setText($("delete-revision"), String(revision));
  return answered($("delete-dialog"));
}

/** Whether what was typed is to be thrown away. */
export function confirmLeave(key) {
  showKey($("leave-key"), key === "" ? "a new key" : key);
  return answered($("leave-dialog"));
}

function answered(dialog) {
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
