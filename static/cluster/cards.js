// A card for each node: what it says of itself, and what the leader knows of it.

import { addressesOf, dashboardOf, inOrder } from "./addresses.js";
import { $, addPair, element, setText } from "../dom.js";
import { setHidden } from "./focus.js";
import { age, count, DASH, isUp, reachability, role, shortTime } from "../text.js";

/** The cards by node id. They are kept and filled again, so that focus and selection stay where they are. */
const cards = new Map();

const FIELDS = [
  ["Term", "term"],
  ["Committed", "commit"],
  ["Applied", "applied"],
  ["In its log", "match"],
  ["Lag", "lag"],
  ["Last contact", "contact"],
];

/** Shows a card for each member. `actions` has `transfer(nodeId)` and `remove(nodeId)`, for its buttons. */
export function showCards(cluster, actions) {
  const present = new Set(cluster.members.map((member) => member.node_id));
  for (const [nodeId, card] of cards) {
    if (present.has(nodeId)) continue;
    if (card.root.contains(document.activeElement)) $("add").focus();
    card.root.remove();
    cards.delete(nodeId);
  }
  inOrder(cluster.members).forEach((member, position) => {
    const { node_id: nodeId } = member;
    if (!cards.has(nodeId)) cards.set(nodeId, makeCard(nodeId, actions));
    const card = cards.get(nodeId);
    const there = $("nodes").children[position] ?? null;
    if (there !== card.root) $("nodes").insertBefore(card.root, there);
    fillCard(card, member, cluster);
  });
}

function makeCard(nodeId, actions) {
  const root = element("li", "node");
  const head = root.appendChild(element("div", "node-head"));
  const name = head.appendChild(element("h3", "node-name"));
  const badge = head.appendChild(element("span", "badge"));
  const reach = root.appendChild(element("p", "reach"));
  reach.appendChild(element("span", "dot")).setAttribute("aria-hidden", "true");
  const reachText = reach.appendChild(element("span"));
  const list = root.appendChild(element("dl", "numbers"));
  const values = {};
  for (const [label, field] of FIELDS) values[field] = addPair(list, label);
  const about = root.appendChild(element("p", "node-about"));
  const address = about.appendChild(element("span", "address"));
  const running = about.appendChild(element("span"));
  const foot = root.appendChild(element("div", "node-foot"));
  const link = foot.appendChild(element("a"));
  link.textContent = "Dashboard";
  const transfer = button(foot, "Make leader…", `Make ${nodeId} the leader`, () => actions.transfer(nodeId));
  const remove = button(foot, "Remove…", `Remove ${nodeId} from the cluster`, () => actions.remove(nodeId));
  return { root, name, badge, reachText, values, address, running, link, transfer, remove };
}

function button(parent, text, label, act) {
  const made = parent.appendChild(element("button", "quiet small"));
  made.type = "button";
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

function fillCard(card, member, cluster) {
  const { status } = cluster;
  const isSelf = member.node_id === status.node_id;
  const doing = role(member, status);
  const { level, text } = reachability(member, status.node_id);
  card.root.dataset.level = level;
  card.root.classList.toggle("self", isSelf);
  setText(card.name, member.node_id);
  setText(card.badge, doing);
  card.badge.dataset.role = doing.toLowerCase();
  setText(card.reachText, text);
  fillNumbers(card.values, member, cluster);
  setText(card.address, addressesOf(member));
  setText(card.running, runningSince(isSelf ? status : member.reported));
  showLink(card.link, member, isSelf);
  // Without a leader, nobody can hand leadership over: the voters elect one.
  const mayLead = member.suffrage === "Voter" && Boolean(status.leader_id) && member.node_id !== status.leader_id;
  setHidden(card.transfer, !mayLead || isUp(member, status.node_id) === false);
}

function fillNumbers(values, member, cluster) {
  const said = figures(member, cluster);
  for (const [field, text] of Object.entries(said)) {
    setText(values[field], text);
    values[field].classList.toggle("unknown", text === DASH);
  }
  values.lag.classList.toggle("behind", member.lag_entries > 0);
}

function figures(member, { status, members }) {
  const isSelf = member.node_id === status.node_id;
  const own = isSelf ? status : member.reported;
  return {
    term: count(own?.term),
    commit: count(own?.commit_index),
    applied: count(own?.applied_index),
    match: count(own?.last_log_index ?? member.match_index),
    lag: lag(member, own, status, members),
    contact: contact(member, status, isSelf),
  };
}

/** How many entries a member lacks: by the leader's count, or about so by what the two say of themselves. */
function lag(member, own, status, members) {
  if (member.node_id === status.leader_id) return "none";
  if (Number.isInteger(member.lag_entries)) return member.lag_entries === 0 ? "none" : count(member.lag_entries);
  const leader = members.find(({ node_id: nodeId }) => nodeId === status.leader_id);
  const newest = leader?.reported?.last_log_index;
  if (!Number.isInteger(newest) || !own) return DASH;
  const missing = Math.max(0, newest - own.last_log_index);
  return missing === 0 ? "none" : `about ${count(missing)}`;
}

/** How long ago the serving node heard of it, over Raft or else over HTTP; of itself, how long ago it heard the leader. */
function contact(member, status, isSelf) {
  if (isSelf) return status.is_leader ? "leads" : shortTime(status.last_contact_ms ?? NaN);
  return shortTime(member.last_contact_ms ?? member.answered_ms ?? NaN);
}

function runningSince(own) {
  return own ? `Version ${own.version} · up ${age(own.uptime_seconds)}` : "";
}

function showLink(link, member, isSelf) {
  const target = isSelf ? null : dashboardOf(member);
  setHidden(link, target === null);
  if (target !== null && link.href !== target) {
    link.href = target;
    link.setAttribute("aria-label", `Dashboard of ${member.node_id}`);
  }
}
