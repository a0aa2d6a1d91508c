// Whether what the page shows is what the node says now: the pill in the head, and the note over a stale view.

import { $, setText } from "./dom.js";
import { age, timeOfDay } from "./text.js";

/** The node speaks at least each second; with the step of the watchdog, a frozen one is noticed within two. */
const STALE_MS = 1700;
const WATCH_MS = 100;
const AGE_MS = 1000;

/** Why the node is asked each second, where it is. */
const POLLS_BECAUSE = {
  "held back": "The node is asked each second: something on the way holds its stream back.",
  refused:
    "The node is asked each second: its stream was refused. Either the node has given as many as it may, then close other tabs " +
    "with this page; or something on the way lets no stream through.",
};

/** Says why, in a box of the head, or takes that away where `why` is empty. */
function explain(why) {
  const box = $("live-why");
  const isLost = why === "" && box.contains(document.activeElement);
  setText($("live-because"), why);
  box.hidden = why === "";
  if (isLost) $("token-box").firstElementChild.focus(); // Who read it stays at that place of the page.
}

/**
 * Starts the watchdog. `onChange(state)` is called with "live", "stale" or "connecting" whenever it becomes another.
 *
 * Returns what a feed tells it: `heard(pollsBecause)`, with null where there is nothing to explain, `trouble()`, `pause()`, `resume()`.
 */
export function startLive(onChange) {
  let state = "connecting";
  /** When the node last spoke: performance.now(), and the time of day for people. */
  let heardAt = null;
  let heardAtText = "";
  /** Silence is counted from here; null in a hidden tab, which listens to nobody. */
  let listeningSince = performance.now();

  function become(next, text) {
    setText($("live-text"), text);
    if (state === next) return;
    state = next;
    $("live").dataset.state = next;
    showAge();
    onChange(next);
  }

  function trouble() {
    if (document.hidden) return;
    become("stale", heardAt === null ? "No answer yet" : `Stale since ${heardAtText}`);
  }

  function showAge() {
    const stale = state === "stale" && heardAt !== null;
    setText($("live-age"), stale ? `(${age((performance.now() - heardAt) / 1000)})` : "");
  }

  setInterval(() => {
    if (listeningSince !== null && performance.now() - listeningSince > STALE_MS) trouble();
  }, WATCH_MS);
  setInterval(showAge, AGE_MS);

  return {
    heard(pollsBecause) {
      listeningSince = heardAt = performance.now();
      heardAtText = timeOfDay(new Date());
      become("live", "Live");
      explain(POLLS_BECAUSE[pollsBecause] ?? "");
    },
    trouble,
    pause() {
      listeningSince = null;
    },
    resume() {
      listeningSince = performance.now();
    },
    /** When the node last spoke, as people say it; empty before the first time. */
    since: () => heardAtText,
  };
}
