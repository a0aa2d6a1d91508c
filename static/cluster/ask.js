// One dialog for all changes of the cluster: what will happen, are you sure, what came of it.

import { NoAnswer, Refused, token } from "../api.js";
import { $, element, setText } from "../dom.js";
import { askForToken } from "../token.js";

const FORCE_VERB = "Do it all the same";
const FORCE_WARNING =
  "With force it is done although too few healthy voters stay: the cluster may stop, and what only the others have may be " +
  "missed. Start the voters that are down instead, if that can be done.";

/** What the dialog is about: {title, points, verb, isHarmful, act(force), done}, or null. */
let question = null;
let isForced = false;
let isBusy = false;

/** Connects the dialog. */
export function startAsking() {
  $("member-dialog").addEventListener("cancel", (event) => {
    if (isBusy) event.preventDefault(); // What was sent cannot be called back: the answer is worth the wait.
  });
  $("member-no").addEventListener("click", () => {
    if (!isBusy) $("member-dialog").close();
  });
  $("member-yes").addEventListener("click", send);
}

/** Asks. Nothing is sent before it is confirmed, and then once. */
export function ask(asked) {
  question = asked;
  isForced = false;
  setText($("member-title"), asked.title);
  $("member-points").replaceChildren(...asked.points.map(point));
  setText($("member-yes"), asked.verb);
  $("member-yes").className = asked.isHarmful ? "danger" : "primary";
  $("member-force").hidden = true;
  say("none", "");
  $("member-dialog").showModal();
  $("member-no").focus();
}

function point(text) {
  const item = element("li");
  item.textContent = text;
  return item;
}

async function send() {
  if (isBusy) return;
  setBusy(true);
  say("none", "Waiting for the cluster…");
  try {
    await question.act(isForced);
    finish("ok", question.done);
  } catch (error) {
    explain(error);
  } finally {
    setBusy(false);
  }
}

function explain(error) {
  if (error instanceof NoAnswer) {
    say("bad", `${error.message} Whether it was done is not known: look at the nodes before you try again.`);
  } else if (!(error instanceof Refused)) {
    throw error;
  } else if (error.status === 401) {
    finish("bad", token.get() ? "The node refuses this token." : "This needs the cluster's token: enter it under Token, and try again.");
    askForToken();
  } else if (error.code === "quorum_at_risk") {
    offerForce(error);
  } else if (error.code === "outcome_unknown") {
    say("bad", `${error.message} Look at the nodes before you try again.`);
  } else {
    say("bad", error.message);
  }
}

/** The second step: nothing is forced by pressing the same button twice. */
function offerForce(error) {
  isForced = true;
  say("bad", error.message);
  setText($("member-force"), FORCE_WARNING);
  $("member-force").hidden = false;
  setText($("member-yes"), FORCE_VERB);
  $("member-no").focus();
}

function finish(level, text) {
  $("member-dialog").close();
  $("members-outcome").dataset.level = level;
  setText($("members-outcome"), text);
}

function say(level, text) {
  $("member-outcome").dataset.level = level;
  setText($("member-outcome"), text);
}

function setBusy(now) {
  isBusy = now;
  $("member-dialog").setAttribute("aria-busy", String(now));
  for (const id of ["member-yes", "member-no"]) $(id).setAttribute("aria-disabled", String(now));
}
