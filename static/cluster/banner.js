// The banner: whether the cluster works, how many more nodes may fail, and what to do when it does not.

import { $, element, setText } from "../dom.js";
import { addressesOf } from "./addresses.js";
import { count, quorumSummary, reachability, shortSize } from "../text.js";

const START_COMMAND = "twistd -n minicloud --config …";

/** Shows it. `leaderlessSince` is a time of day, or "" where it is not known. */
export function showBanner(cluster, leaderlessSince) {
  const { status } = cluster;
  const { level, title, text, missing } = quorumSummary(status, cluster);
  const since = !status.leader_id && leaderlessSince !== "" ? ` Without a leader since ${leaderlessSince}.` : "";
  $("banner").dataset.level = level;
  setText($("banner-title"), title);
  setText($("banner-text"), text + since);
  showRepair(missing);
  showPips(cluster);
  setText($("fact-leader"), status.leader_id || "none");
  setText($("fact-term"), count(status.term));
  setText($("fact-commit"), count(status.commit_index));
  setText($("fact-keys"), count(cluster.keys));
  setText($("fact-bytes"), shortSize(cluster.key_bytes));
  setText($("fact-pending"), count(cluster.pending_proposals));
}

/** Which nodes to start, and how. */
function showRepair(missing) {
  const wanted = missing.map((member) => `${member.node_id} (${addressesOf(member)})`);
  $("repair").hidden = wanted.length === 0;
  const list = $("repair-nodes");
  if (list.dataset.shown === wanted.join("\n")) return; // Else a selection in it would be lost each second.
  list.dataset.shown = wanted.join("\n");
  list.replaceChildren(...wanted.map(repairOf));
}

function repairOf(name) {
  const item = element("li");
  const command = element("code");
  command.textContent = START_COMMAND;
  item.append(`${name}: `, command);
  return item;
}

/** A disc for each voter: full where it is up, struck out where it is down, hollow where the serving node cannot tell. */
function showPips({ status, members }) {
  const voters = members.filter((member) => member.suffrage === "Voter");
  const pips = $("pips");
  while (pips.children.length > voters.length) pips.lastElementChild.remove();
  while (pips.children.length < voters.length) pips.append(element("li"));
  voters.forEach((voter, position) => {
    pips.children[position].dataset.level = reachability(voter, status.node_id).level;
  });
}
