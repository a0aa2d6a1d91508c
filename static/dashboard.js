// Puts the page together.

import { getJson, Refused } from "./api.js";
import { showCluster } from "./cluster.js";
import { $, setText } from "./dom.js";
import { startKeys } from "./keys.js";
import { poll } from "./poll.js";
import { age } from "./text.js";
import { startToken } from "./token.js";
import { startViews } from "./views.js";

/** When the last answer came: performance.now(), and the time of day for people. */
let answeredAt = null;
let answeredAtText = "";

function live(state, text) {
  $("live").dataset.state = state;
  $("cluster").classList.toggle("stale", state === "stale");
  setText($("live-text"), text);
}

function showAge() {
  const stale = $("live").dataset.state === "stale" && answeredAt !== null;
  setText($("live-age"), stale ? `(${age((performance.now() - answeredAt) / 1000)})` : "");
}

async function question(signal) {
  const [status, cluster] = await Promise.all([getJson("/raft/status", signal), getJson("/cluster/members", signal)]);
  return { status, cluster };
}

function onAnswer({ status, cluster }) {
  answeredAt = performance.now();
  answeredAtText = new Date().toLocaleTimeString([], { hour12: false });
  showCluster(status, cluster);
  live("live", "Live");
  showAge();
}

function onFailure(error) {
  if (error instanceof Refused && error.status === 401) {
    live("stale", "Reading needs the token");
    $("token-box").open = true;
  } else if (answeredAt === null) {
    live("stale", "No answer yet");
  } else {
    live("stale", `Stale since ${answeredAtText}`);
  }
  showAge();
}

startToken();
startKeys();
startViews(() => {});
const pollNow = poll(question, onAnswer, onFailure);
$("token-form").addEventListener("submit", () => pollNow());
