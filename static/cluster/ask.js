// One dialog for all changes of the cluster: what will happen, are you sure, what came of it. One change at a time.

import { isRequestError, Refused, token } from "../api.js";
import { $, element, sayAt, setText } from "../dom.js";
import { focusBeside } from "./focus.js";
import { problemOf } from "./problem.js";
import { askForToken } from "../token.js";

const WAITING = "Waiting for the cluster…";
const FORCE_VERB = "Do it all the same";
const FORCE_WARNING =
  "With force it is done although too few healthy voters stay: the cluster may stop, and what only the others have may be " +
  "missed. Start the voters that are down instead, if that can be done.";

/**
 * What the dialog is about: {title, points, verb, isHarmful, act(force), done, isForced, opener}, or null.
 *
 * Whoever waits for an answer holds on to its own: a browser lets a dialog be closed whether or not the page wants that.
 */
let question = null;
let isBusy = false;

/** Connects the dialog. */
export function startAsking() {
  $("member-dialog").addEventListener("cancel", (event) => {
    if (isBusy) event.preventDefault(); // What was sent cannot be called back: the answer is worth the wait.
  });
  $("member-dialog").addEventListener("close", closed);
  $("member-no").addEventListener("click", () => {
    if (!isBusy) $("member-dialog").close();
  });
  $("member-yes").addEventListener("click", ({ detail: clicksInARow }) => {
    if (clicksInARow <= 1) send(); // The second click of two was meant for what the button said at the first.
  });
}

/** Asks. Nothing is sent before it is confirmed, and then once. */
export function ask(asked) {
  if (!mayAsk()) return;
  question = { ...asked, isForced: false, opener: document.activeElement };
  setText($("member-title"), question.title);
  $("member-points").replaceChildren(...question.points.map(point));
  setText($("member-yes"), question.verb);
  $("member-yes").className = question.isHarmful ? "danger" : "primary";
  $("member-force").hidden = true;
  say("none", "");
  open();
}

/** Whether a question may be asked now. One that was sent and has no answer yet is shown again instead, and says so. */
export function mayAsk() {
  if (!isBusy) return true;
  say("none", `${WAITING} This has no answer yet: what you asked for now can be asked for after it.`);
  tell("none", "");
  open();
  return false;
}

function open() {
  if (!isOpen()) $("member-dialog").showModal();
  $("member-no").focus();
}

function closed() {
  const { activeElement: focused, body } = document;
  // The browser gives the focus back to the opener, if that can still be seen.
  const isLost = focused === body || $("member-dialog").contains(focused);
  if (isLost && question.opener !== body) focusBeside(question.opener);
  if (isBusy) tell("none", `${question.verb}: waiting for the cluster. What comes of it will be said here.`);
}

function point(text) {
  const item = element("li");
  item.textContent = text;
  return item;
}

async function send() {
  if (isBusy) return;
  const mine = question;
  setBusy(true);
  say("none", WAITING);
  try {
    await mine.act(mine.isForced);
    finish("ok", mine.done);
  } catch (error) {
    explain(mine, error);
  } finally {
    setBusy(false);
  }
}

function explain(mine, error) {
  if (error instanceof Refused && error.status === 401) {
    refuseToken(mine);
  } else if (error instanceof Refused && error.code === "quorum_at_risk") {
    offerForce(mine, error);
  } else {
    fail(mine, problemOf(error));
    if (!isRequestError(error)) throw error; // A fault of this page: the console has it.
  }
}

function refuseToken(mine) {
  const missing = "This needs the cluster's token: enter it under Token, and try again.";
  const text = token.get() ? "The node refuses this token." : missing;
  if (!isOpen()) return fail(mine, text); // Whoever has gone on to other things keeps the focus there.
  finish("bad", text);
  askForToken();
}

/** The second step: nothing is forced by pressing the same button twice, and nothing that is not in sight. */
function offerForce(mine, error) {
  if (!isOpen()) return fail(mine, `${error.message} Nothing was changed.`);
  mine.isForced = true;
  say("bad", error.message);
  setText($("member-force"), FORCE_WARNING);
  $("member-force").hidden = false;
  setText($("member-yes"), FORCE_VERB);
  $("member-no").focus();
}

/** Says it in the dialog, or where that was closed, with its name on the page: nothing fails unseen. */
function fail(mine, text) {
  if (isOpen()) say("bad", text);
  else tell("bad", `${mine.verb}: ${text}`);
}

function finish(level, text) {
  $("member-dialog").close();
  tell(level, text);
}

function isOpen() {
  return $("member-dialog").open;
}

/** Says something in the dialog. */
function say(level, text) {
  sayAt("member-outcome", level, text);
}

/** Says something on the page. */
function tell(level, text) {
  sayAt("members-outcome", level, text);
}

function setBusy(now) {
  isBusy = now;
  $("member-dialog").setAttribute("aria-busy", String(now));
  for (const id of ["member-yes", "member-no"]) $(id).setAttribute("aria-disabled", String(now));
}
