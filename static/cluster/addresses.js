// Where a member is: as text, and as a link to its own dashboard.

import { DASH } from "../text.js";

/** Both addresses of a member, for people. */
export function addressesOf(member) {
  return `HTTP ${member.http_addr || DASH} · Raft ${member.raft_addr || DASH}`;
}

/** The address of a member's dashboard; null where its HTTP address is none. It can only ever be http or https. */
export function dashboardOf(member) {
  if (!/^[^\s/?#@\\]+:\d{1,5}$/.test(member.http_addr ?? "")) return null;
  try {
    return new URL(`${location.protocol}//${member.http_addr}/dashboard`).href;
  } catch {
    return null;
  }
}

/** The members in the order of their names: node2 before node10. */
export function inOrder(members) {
  return [...members].sort((one, other) => one.node_id.localeCompare(other.node_id, "en", { numeric: true }));
}
