// How things are said: pure functions, no document, no network.

/** Longest part of a value that is shown; a browser chokes on much more in one element. */
export const SHOWN_BYTES = 64 * 1024;

/** Four hexadecimal digits of offset are enough for this. */
const HEX_SHOWN_BYTES = 16 * 1024;
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

/** A size in bytes. */
export function size(bytes) {
  if (bytes < 1024) return bytes === 1 ? "1 byte" : `${bytes} bytes`;
  const [unit, name] = bytes < 1024 * 1024 ? [1024, "KiB"] : [1024 * 1024, "MiB"];
  return `${(bytes / unit).toFixed(1)} ${name} (${count(bytes)} bytes)`;
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

/**
 * How to show a value: as text where it is UTF-8 without control characters other than tab and line ends, else as hex.
 *
 * `editable` is false where a text field would change it: it knows one kind of line end only.
 */
export function describeValue(bytes) {
  const text = decodeUtf8(bytes);
  if (text === null || /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text)) {
    const part = bytes.subarray(0, HEX_SHOWN_BYTES);
    const kind = text === null ? "hex (not UTF-8)" : "hex (has control characters)";
    return { kind, shown: hexDump(part), cut: cutNote(part.length, bytes.length), editable: false };
  }
  const part = bytes.length <= SHOWN_BYTES ? text : new TextDecoder().decode(bytes.subarray(0, SHOWN_BYTES), { stream: true });
  const editable = bytes.length <= SHOWN_BYTES && !text.includes("\r");
  return { kind: "text (UTF-8)", shown: part, cut: cutNote(Math.min(SHOWN_BYTES, bytes.length), bytes.length), editable };
}

function cutNote(shown, all) {
  return shown < all ? `The first ${size(shown)} of ${size(all)}.` : "";
}

function decodeUtf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
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
 * What the banner says: how many voters are up, and how many more may fail.
 *
 * `status` and `cluster` are the documents of /raft/status and /cluster/members of the node that serves the page.
 */
export function quorumSummary(status, cluster) {
  const voters = cluster.members.filter((member) => member.suffrage === "Voter");
  const down = voters.filter((member) => member.healthy === false).map((member) => member.node_id);
  const unseen = voters.some((member) => member.healthy === null || member.healthy === undefined);
  const up = voters.length - down.length;
  const scope = unseen ? `, as far as ${status.node_id} can tell` : "";
  if (status.state === "Removed") {
    return { level: "bad", title: "Not a member", text: `${status.node_id} has been removed from its cluster.` };
  }
  if (voters.length === 0) {
    return { level: "unknown", title: "No cluster yet", text: `${status.node_id} waits to be taken into one.` };
  }
  if (!status.leader_id) {
    const text = "Writes, and reads that are not stale, wait until more than half of the voters agree on one.";
    return { level: "bad", title: "No leader", text };
  }
  if (voters.length === 1) {
    return { level: "warn", title: "One voter", text: "The cluster works, and stops if this node fails. Three voters outlive one." };
  }
  const state = unseen ? `${voters.length} voters` : `${up} of ${voters.length} voters are up`;
  const missing = down.length ? ` Down: ${down.join(", ")}.` : "";
  const spare = Number.isInteger(cluster.failure_tolerance) ? cluster.failure_tolerance : 0;
  if (spare === 0) {
    return { level: "warn", title: "Quorum held, nothing to spare", text: `${state}${scope}; one more failure stops it.${missing}` };
  }
  const more = spare === 1 ? "1 more may fail" : `${spare} more may fail`;
  return { level: "ok", title: "Quorum held", text: `${state}; ${more}${scope}.${missing}` };
}

/** Whether a member can be reached, as far as the serving node knows. */
export function reachability(member, servingNode) {
  if (member.node_id === servingNode) return { level: "ok", text: "Serves this page" };
  if (member.healthy === true) return { level: "ok", text: "Reachable" };
  if (member.healthy === false) return { level: "bad", text: "Not reachable" };
  return { level: "unknown", text: `Not seen by ${servingNode}` };
}

/** What a member does: Leader, Follower, Learner, or what the serving node says of itself. */
export function role(member, status) {
  if (member.node_id === status.node_id) return status.state;
  if (member.is_leader) return "Leader";
  return member.suffrage === "Learner" ? "Learner" : "Follower";
}
