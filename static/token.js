// The token: entered by a person, kept in this tab, sent to the node that serves the page and to no other.

import { token } from "./api.js";
import { $, setText } from "./dom.js";
import { count } from "./text.js";

/** The longest one that a node takes in its config. */
const MAX_TOKEN_LENGTH = 4096;

/** Connects the box in the head. A form's "submit" tells others that there is a token now. */
export function startToken() {
  showToken();
  $("token-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const text = $("token").value.trim();
    const fault = faultOf(text);
    if (fault !== null) {
      $("token").setAttribute("aria-invalid", "true");
      setText($("token-hint"), fault);
      $("token").focus();
      return;
    }
    token.set(text);
    $("token").value = "";
    showToken();
    closeBox();
  });
  $("token-box").addEventListener("keydown", (event) => {
    if (event.key === "Escape" && $("token-box").open) closeBox();
  });
  $("token-forget").addEventListener("click", () => {
    token.forget();
    $("token").value = "";
    showToken();
  });
}

/** What is wrong with a token, by what the nodes take as auth_token, and what to do about it; null where nothing is. */
function faultOf(text) {
  if (text === "") return "Enter the token first: it is what the nodes have as auth_token in their config, or as AUTH_TOKEN.";
  if (/^Bearer\s/i.test(text)) return "Enter the token alone, without the word Bearer before it.";
  if (/\s/.test(text)) return "A token has no spaces inside, and this one has. Copy it again, and nothing beside it.";
  if (!/^[\x21-\x7e]+$/.test(text)) return "A token is printable ASCII. This one is not: copy it again from the nodes' config.";
  if (text.length > MAX_TOKEN_LENGTH) return `A token has at most ${count(MAX_TOKEN_LENGTH)} characters. This is something else: copy the token again.`;
  return null;
}

/** Opens the box, for a token that a request turned out to need. */
export function askForToken() {
  $("token-box").open = true;
  $("token").focus();
}

function closeBox() {
  $("token-box").open = false;
  $("token-box").querySelector("summary").focus();
}

function showToken() {
  $("token").removeAttribute("aria-invalid");
  setText($("token-state"), token.get() ? "set for this tab" : "none in this tab");
  setText($("token-hint"), "Kept in this tab only, and sent to this node only.");
}
