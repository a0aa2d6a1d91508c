// The cluster as the serving node sees it: banner, facts, a card for each node.

import { $, element, setText } from "./dom.js";
import { age, count, DASH, quorumSummary, reachability, role, shortTime } from "./text.js";

/** The cards by node id. They are kept and filled again, so that focus and selection stay where they are. */
const cards = new Map();

/** Shows what /raft/status and /cluster/members said. */
export function showCluster(status, cluster) {
  showServing(status, cluster);
  showBanner(status, cluster);
  showCards(status, cluster);
}

function showServing(status, cluster) {
  const self = cluster.members.find((member) => member.node_id === status.node_id);
  const parts = [self?.http_addr || location.host, `version ${status.version}`, `up ${age(status.uptime_seconds)}`];
  setText($("served-node"), status.node_id);
  setText($("served-detail"), ` · ${parts.join(" · ")}`);
  document.title = `${status.node_id} · minicloud`;
}

function showBanner(status, cluster) {
  const { level, title, text } = quorumSummary(status, cluster);
  $("banner").dataset.level = level;
  setText($("banner-title"), title);
  setText($("banner-text"), text);
  showPips(status, cluster);
  setText($("fact-leader"), status.leader_id || "none");
  setText($("fact-term"), count(status.term));
  setText($("fact-commit"), count(status.commit_index));
  setText($("fact-members"), count(cluster.members.length));
}

/** A disc for each voter: full where it is up, struck out where it is down, hollow where the serving node cannot tell. */
function showPips(status, cluster) {
  const voters = cluster.members.filter((member) => member.suffrage === "Voter");
  const pips = $("pips");
  while (pips.children.length > voters.length) pips.lastElementChild.remove();
  while (pips.children.length < voters.length) pips.append(document.createElement("li"));
  voters.forEach((voter, position) => {
    pips.children[position].dataset.level = reachability(voter, status.node_id).level;
  });
}

function showCards(status, cluster) {
  const present = new Set(cluster.members.map((member) => member.node_id));
  for (const [nodeId, card] of cards) {
    if (present.has(nodeId)) continue;
    card.root.remove();
    cards.delete(nodeId);
  }
  const members = [...cluster.members].sort((a, b) => (a.node_id < b.node_id ? -1 : 1));
  members.forEach((member, position) => {
    if (!cards.has(member.node_id)) cards.set(member.node_id, makeCard());
    const card = cards.get(member.node_id);
    if ($("nodes").children[position] !== card.root) $("nodes").insertBefore(card.root, $("nodes").children[position] ?? null);
    fillCard(card, member, status);
  });
  const others = members.length > 1;
  setText($("cluster-hint"), others ? `A dash is what ${status.node_id} does not know of that node; its own dashboard does.` : "");
}

const FIELDS = [
  ["Term", "term"],
  ["Committed", "commit"],
  ["Applied", "applied"],
  ["In its log", "match"],
  ["Lag", "lag"],
  ["Last contact", "contact"],
];

function makeCard() {
  const root = element("li", "node");
  const head = root.appendChild(element("div", "node-head"));
  const name = head.appendChild(element("h3", "node-name"));
  const badge = head.appendChild(element("span", "badge"));
  const reach = root.appendChild(element("p", "reach"));
  reach.appendChild(element("span", "dot")).setAttribute("aria-hidden", "true");
  const reachText = reach.appendChild(element("span"));
  const list = root.appendChild(element("dl", "numbers"));
  const values = {};
  for (const [label, field] of FIELDS) {
    const pair = list.appendChild(element("div"));
    pair.appendChild(element("dt")).textContent = label;
    values[field] = pair.appendChild(element("dd"));
  }
  const foot = root.appendChild(element("p", "node-foot"));
  const address = foot.appendChild(element("span", "address"));
  const link = foot.appendChild(element("a"));
  link.textContent = "Open its dashboard";
  return { root, name, badge, reach, reachText, values, address, link };
}

function fillCard(card, member, status) {
  const isSelf = member.node_id === status.node_id;
  const doing = role(member, status);
  const { level, text } = reachability(member, status.node_id);
  card.root.dataset.level = level;
  card.root.classList.toggle("self", isSelf);
  setText(card.name, member.node_id);
  setText(card.badge, doing);
  card.badge.dataset.role = doing.toLowerCase();
  setText(card.reachText, text);
  setText(card.values.term, isSelf ? count(status.term) : DASH);
  setText(card.values.commit, isSelf ? count(status.commit_index) : DASH);
  setText(card.values.applied, isSelf ? count(status.applied_index) : DASH);
  setText(card.values.match, count(isSelf ? status.last_log_index : member.match_index));
  const lag = isSelf && status.is_leader ? 0 : member.lag_entries;
  setText(card.values.lag, lag === 0 ? "none" : count(lag));
  card.values.lag.classList.toggle("behind", lag > 0);
  setText(card.values.contact, contact(member, status, isSelf));
  for (const value of Object.values(card.values)) value.classList.toggle("unknown", value.textContent === DASH);
  setText(card.address, `HTTP ${member.http_addr || DASH} · Raft ${member.raft_addr || DASH}`);
  showLink(card.link, member, isSelf);
}

function contact(member, status, isSelf) {
  if (isSelf) return status.is_leader ? "leads" : shortTime(status.last_contact_ms ?? NaN);
  return shortTime(member.last_contact_ms ?? NaN);
}

function showLink(link, member, isSelf) {
  const target = isSelf ? null : dashboardOf(member.http_addr);
  link.hidden = target === null;
  if (target !== null && link.href !== target) {
    link.href = target;
    link.setAttribute("aria-label", `Dashboard of ${member.node_id}`);
  }
}

/** The address of a member's dashboard; null where its HTTP address is none. It can only ever be http or https. */
function dashboardOf(address) {
  if (!/^[^\s/?#@\\]+:\d{1,5}$/.test(address ?? "")) return null;
  try {
    return new URL(`${location.protocol}//${address}/dashboard`).href;
  } catch {
    return null;
  }
}
