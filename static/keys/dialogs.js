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

/** The answer to the question that a dialog asks from now on. The event "close" comes late: it may be that of an earlier question. */
function answered(dialog) {
  const asked = new AbortController();
  dialog.showModal();
  return new Promise((resolve) => {
    const end = (answer) => {
      asked.abort();
      resolve(answer);
    };
    const take = (event) => {
      event.preventDefault();
      dialog.close();
      // Where nothing had the focus before, it stays in what is not there any more, until the next frame.
      if (dialog.contains(document.activeElement)) document.activeElement.blur();
      end(event.submitter?.value === "yes");
    };
    dialog.addEventListener("submit", take, { signal: asked.signal });
    dialog.addEventListener("close", () => dialog.open || end(false), { signal: asked.signal });
  });
}
