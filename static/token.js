// The token: entered by a person, kept in this tab, sent to the node that serves the page and to no other.

import { token } from "./api.js";
import { $, setText } from "./dom.js";

/** Connects the box in the head. A form's "submit" tells others that there is a token now. */
export function startToken() {
  showToken();
  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("token").value.trim();
    if (!/^[\x21-\x7e]+( [\x21-\x7e]+)*$/.test(text)) {
      setText($("token-hint"), "A token is printable ASCII.");
      return;
    }
    token.set(text);
    $("token").value = "";
    $("token-box").open = false;
    showToken();
    $("token-box").querySelector("summary").focus();
  });
  $("token-forget").addEventListener("click", () => {
    token.forget();
    $("token").value = "";
    showToken();
  });
}

/** Opens the box, for a token that a request turned out to need. */
export function askForToken() {
  $("token-box").open = true;
  $("token").focus();
}

function showToken() {
  setText($("token-state"), token.get() ? "set for this tab" : "none in this tab");
  setText($("token-hint"), "Kept in this tab only, and sent to this node only.");
}
