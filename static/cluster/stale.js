// What is said over a view that is stale: since when, and where else to look.

import { dashboardOf, inOrder } from "./addresses.js";
import { $, element, setText } from "../dom.js";
import { isUp } from "../text.js";

/** Shows the note, or takes it away where `since` is null. `cluster` is what the node said last, null where it never did. */
export function showStaleNote(cluster, since) {
  $("cluster").classList.toggle("stale", since !== null);
  $("stale-note").hidden = since === null || cluster === null;
  if (since === null || cluster === null) return;
  const { node_id: nodeId } = cluster.status;
  setText($("stale-text"), `${nodeId} does not answer. Below is what it said last, at ${since}; this page goes on by itself once it answers again.`);
  const others = inOrder(cluster.members).filter((member) => member.node_id !== nodeId && isUp(member, nodeId) !== false);
  $("stale-others").replaceChildren(...elsewhere(others));
}

function elsewhere(others) {
  if (others.length === 0) return [];
  const linked = others.filter((member) => dashboardOf(member) !== null);
  if (linked.length > 0) return ["See the cluster as others do: ", ...linked.flatMap(linkTo), "."];
  const names = others.map(({ node_id: nodeId }) => nodeId).join(", ");
  return [`See the cluster as others do: open the dashboard of ${names}, at the address by which you reach it from here.`];
}

function linkTo(member, position) {
  const link = element("a");
  link.href = dashboardOf(member);
  link.textContent = member.node_id;
  return position === 0 ? [link] : [", ", link];
}
