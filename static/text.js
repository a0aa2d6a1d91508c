// How things are said: pure functions, no document, no network.

const HEX_COLUMNS = 16;
export const DASH = "–";

/** A number with thin separators, or a dash for what is not known. */
export function count(number) {
  return Number.isInteger(number) ? number.toLocaleString("en-US") : DASH;
}

/** A time in milliseconds: "12 ms", "3.4 s", "2 min". */
export function shortTime(milliseconds) {
  if (!Number.isFinite(milliseconds)) return DASH;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1000).toFixed(1)} s`;
  return age(milliseconds / 1000);
}

/** An age in seconds, in its two largest units. */
export function age(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0) return DASH;
  const whole = Math.floor(seconds);
  const units = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = units.findIndex(([number]) => number > 0);
  const chosen = first < 0 ? units.slice(-1) : units.slice(first, first + 2);
  return chosen.map(([number, unit]) => `${number} ${unit}`).join(" ");
}

/** The time of day: "09:26:53". */
export function timeOfDay(date) {
  return date.toLocaleTimeString("en-GB");
}

/** A size in bytes. */
export function size(bytes) {
  if (bytes < 1024) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  return `${shortSize(bytes)} (${count(bytes)} bytes)`;
}

/** A size in bytes, short: "12 B", "3.4 KiB", "1.2 GiB". */
export function shortSize(bytes) {
  if (!Number.isInteger(bytes)) return DASH;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let number = bytes;
  while (number >= 1024 && units.length > 1) {
    number /= 1024;
    units.shift();
  }
  return `${units[0] === "B" ? number : number.toFixed(1)} ${units[0]}`;
}

/**
 * The path of a key, or an Error that says why this browser cannot ask for it.
 *
 * Everything but letters, digits and a few marks is percent-encoded, so that the key arrives as it was typed. Browsers take
 * "." and "..", encoded or not, for steps in the path: those two keys cannot be reached from here.
 */
export function keyPath(key) {
  if (key === "") throw new Error("Type a key first.");
  if (key === "." || key === "..") {
    throw new Error(`Browsers cannot ask for the key “${key}”; cloudctl can.`);
  }
  try {
    return `/kv/${encodeURIComponent(key)}`;
  } catch {
    throw new Error("This key has half a character in it (a lone surrogate).");
  }
}

/** Offset, bytes and ASCII, sixteen to a line. */
export function hexDump(bytes) {
  const lines = [];
  for (let start = 0; start < bytes.length; start += HEX_COLUMNS) {
    const row = Array.from(bytes.subarray(start, start + HEX_COLUMNS));
    const hex = row.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const ascii = row.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    lines.push(`${start.toString(16).padStart(4, "0")}  ${hex.padEnd(HEX_COLUMNS * 3 - 1)}  ${ascii}`);
  }
  return lines.join("\n");
}

/**
 * Whether a member is up, as far as the serving node knows: true, false, or null where it cannot tell.
 *
 * The leader's word counts first, because a quorum is made of whom it hears; where it says nothing, whether it answers over HTTP.
 */
export function isUp(member, servingNode) {
  if (member.node_id === servingNode) return true;
  return member.healthy ?? member.answers ?? null;
}

/**
 * What the banner says: how many voters are up, and how many more may fail.
 *
 * `status` is the document of /raft/status of the node that serves the page, `cluster` what its /events tell of the cluster.
 * `missing` are the voters that have to be started again before the cluster works.
 */
export function quorumSummary(status, cluster) {
  const voters = cluster.members.filter((member) => member.suffrage === "Voter");
  if (status.state === "Removed") {
    return { level: "bad", title: "Not a member", text: `${status.node_id} has been removed from its cluster.`, missing: [] };
  }
  if (voters.length === 0) {
    return { level: "unknown", title: "No cluster yet", text: `${status.node_id} waits to be taken into one.`, missing: [] };
  }
  const down = voters.filter((voter) => isUp(voter, status.node_id) === false);
  const needed = Math.floor(voters.length / 2) + 1;
  if (voters.length - down.length < needed && !hearsLeader(status, voters)) return lostQuorum(voters, down, needed);
  if (!status.leader_id) return noLeader(status, voters, needed);
  return heldQuorum(status, cluster, voters, down);
}

/** A leader that is heard has a quorum, whatever else is seen from here: it steps down without one. */
function hearsLeader(status, voters) {
  if (status.leader_id === status.node_id) return false;
  return voters.some((voter) => voter.node_id === status.leader_id && voter.healthy === true);
}

function lostQuorum(voters, down, needed) {
  const up = voters.length - down.length;
  const text =
    `${up} of ${voters.length} voters ${up === 1 ? "is" : "are"} up, and ${needed} are needed. Nothing can be written, and only ` +
    `reads with ?stale are answered, until ${needed - up} more ${needed - up === 1 ? "runs" : "run"}. Nothing that was answered is lost.`;
  return { level: "bad", title: "Quorum lost", text, missing: down };
}

function noLeader(status, voters, needed) {
  const up = voters.filter((voter) => isUp(voter, status.node_id) === true).length;
  if (up < needed) {
    const text = "Writes, and reads that are not stale, wait until more than half of the voters agree on one.";
    return { level: "bad", title: "No leader", text, missing: [] };
  }
  const text = `${up} of ${voters.length} voters are up, which is enough. Writes, and reads that are not stale, wait until they agree on one.`;
  return { level: "warn", title: "Electing a leader…", text, missing: [] };
}

function heldQuorum(status, cluster, voters, down) {
  const unseen = voters.some((voter) => isUp(voter, status.node_id) === null);
  const scope = unseen ? `, as far as ${status.node_id} can tell` : "";
  if (voters.length === 1) {
    const text = "The cluster works, and stops if this node fails. Three voters outlive one.";
    return { level: "warn", title: "One voter", text, missing: [] };
  }
  const up = voters.length - down.length;
  const state = unseen ? `${voters.length} voters` : `${up} of ${voters.length} voters are up`;
  const missing = down.length ? ` Down: ${down.map((voter) => voter.node_id).join(", ")}.` : "";
  const spare = cluster.failure_tolerance;
  if (spare === 0) {
    const text = `${state}${scope}; one more failure stops it.${missing}`;
    return { level: "warn", title: "Quorum held, nothing to spare", text, missing: [] };
  }
  const more = spare === 1 ? "1 more may fail" : `${spare} more may fail`;
  return { level: down.length ? "warn" : "ok", title: "Quorum held", text: `${state}; ${more}${scope}.${missing}`, missing: [] };
}

/** Whether a member can be reached, as far as the serving node knows. */
export function reachability(member, servingNode) {
  const { healthy = null, answers = null } = member;
  if (member.node_id === servingNode) return { level: "ok", text: "Serves this page" };
  const hearer = member.is_leader ? servingNode : "the leader";
  if (healthy === true && answers === false) return { level: "warn", text: `Does not answer over HTTP, but ${hearer} hears it` };
  if (healthy === false && answers === true) return { level: "warn", text: `Answers over HTTP, but ${hearer} does not hear it` };
  if (healthy === true) return { level: "ok", text: "Reachable" };
  if (healthy === false) return { level: "bad", text: "Not reachable" };
  if (answers === true) return { level: "ok", text: "Answers over HTTP" };
  if (answers === false) return { level: "bad", text: "Does not answer over HTTP" };
  return { level: "unknown", text: `Not seen by ${servingNode}` };
}

/** What a member does: what it says itself, or else Leader, Follower or Learner as the serving node sees it. */
export function role(member, status) {
  if (member.node_id === status.node_id) return status.state;
  if (member.reported && member.answers !== false) return member.reported.state;
  if (member.is_leader) return "Leader";
  if (isUp(member, status.node_id) === false) return member.suffrage; // What it does, nobody knows.
  return member.suffrage === "Learner" ? "Learner" : "Follower";
}
