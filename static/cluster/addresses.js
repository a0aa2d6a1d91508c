// Where a member is: as text, and as a link to its own dashboard.

import { DASH } from "../text.js";

/** Both addresses of a member, for people. */
export function addressesOf(member) {
  return `HTTP ${member.http_addr || DASH} · Raft ${member.raft_addr || DASH}`;
}

/**
 * The address of a member's dashboard, http or https; null where its HTTP address is none, or none for this browser.
 *
 * A bare name, such as containers have, means something in their own network only: to this browser where it has opened this page by
 * one, too.
 */
export function dashboardOf(member, here = location.hostname) {
  if (!/^[^\s/?#@\\]+:\d{1,5}$/.test(member.http_addr ?? "")) return null;
  try {
    const { href, hostname } = new URL(`${location.protocol}//${member.http_addr}/dashboard`);
    return isBareName(hostname) && !isBareName(here) ? null : href;
  } catch {
    return null;
  }
}

function isBareName(hostname) {
  return !/[.:]/.test(hostname) && hostname !== "localhost";
}

/** The members in the order of their names: node2 before node10. */
export function inOrder(members) {
  return [...members].sort((one, other) => one.node_id.localeCompare(other.node_id, "en", { numeric: true }));
}
