// What happened, newest first: elections, members that come and go.

import { $, element, setText } from "../dom.js";
import { timeOfDay } from "../text.js";

/** As many as the node keeps. */
const SHOWN_ITEMS = 100;
/** How often it is looked whether another day has begun: what was today needs its date then. */
const LOOK_MS = 1000;

const SENTENCES = {
  started: ({ node_id: node }) => ["none", `${node} started`],
  no_leader: ({ term }) => ["bad", `No leader is known, in term ${term}`],
  leader: ({ node_id: node, term }) => ["ok", `${node} leads in term ${term}`],
  election: ({ node_id: node, term }) => ["warn", `${node} stands for election in term ${term}`],
  member_added: ({ node_id: node, suffrage }) => ["none", `${node} joined as a ${suffrage === "Voter" ? "voter" : "learner"}`],
  member_promoted: ({ node_id: node }) => ["ok", `${node} became a voter`],
  member_demoted: ({ node_id: node }) => ["warn", `${node} became a learner`],
  member_removed: ({ node_id: node }) => ["none", `${node} was removed`],
  member_moved: ({ node_id: node }) => ["none", `${node} has a new address`],
  unreachable: ({ node_id: node }) => ["bad", `${node} is not reachable`],
  reachable: ({ node_id: node }) => ["ok", `${node} is reachable again`],
};

/** Starts the list; returns `add(items, isAll)`, `clear()`, and `leaderlessSince()`, a time of day or "". */
export function startNews() {
  let items = [];
  let shownOn = "";

  function show() {
    shownOn = today();
    $("news").replaceChildren(...items.map(entry));
    $("news-empty").hidden = items.length > 0;
  }

  setInterval(() => {
    if (items.length > 0 && shownOn !== today()) show();
  }, LOOK_MS);

  return {
    add(came, isAll) {
      const isFirst = items.length === 0;
      const known = new Set(items.map(nameOf));
      const fresh = came.filter((item) => !known.has(nameOf(item)));
      if (fresh.length === 0 && !isAll) return;
      const kept = isAll ? [] : items;
      items = [...(isAll ? came : fresh).toReversed(), ...kept].slice(0, SHOWN_ITEMS);
      show();
      // The whole list at once is to be read, not to be listened to.
      if (!isFirst && fresh.length > 0) setText($("news-said"), fresh.map((item) => `${sentence(item)[1]}.`).join(" "));
    },
    clear() {
      items = [];
      show();
    },
    leaderlessSince() {
      const newest = items.find(({ kind }) => kind === "no_leader" || kind === "leader");
      return newest?.kind === "no_leader" ? timeOf(newest) : "";
    },
  };
}

/** Numbers begin anew with each start of the node: together with the time, they name an item. */
function nameOf({ number, at }) {
  return `${number} ${at}`;
}

function sentence(item) {
  const say = SENTENCES[item.kind] ?? (({ kind, node_id: node }) => ["none", `${node ?? ""} ${kind}`.trim()]);
  return say(item);
}

function entry(item) {
  const [level, text] = sentence(item);
  const root = element("li");
  root.dataset.level = level;
  const time = root.appendChild(element("time"));
  time.dateTime = new Date(item.at * 1000).toISOString();
  time.textContent = timeOf(item);
  root.appendChild(element("span", "dot")).setAttribute("aria-hidden", "true");
  root.appendChild(element("span")).textContent = text;
  return root;
}

function today() {
  return new Date().toDateString();
}

/** The time of day; with the date where it was not today. */
function timeOf({ at }) {
  const date = new Date(at * 1000);
  const time = timeOfDay(date);
  return date.toDateString() === today() ? time : `${date.toLocaleDateString("en-CA")} ${time}`;
}
