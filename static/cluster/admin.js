// Changes of the cluster, asked of the node that serves this page. Each is sent once, whatever comes back.

import { ask } from "../api.js";

/** Longer than the node's own limit (10 s) and a hop to the leader, so that their answer wins. */
const ANSWER_TIMEOUT_MS = 15_000;

/** Makes a node a member: `{node_id, raft_addr, http_addr?, voter}`. */
export const join = (wish) => post("/raft/join", wish);

/** Takes a member out; `force` does so even where it costs the quorum. */
export const remove = (nodeId, force) => post("/raft/remove", force ? { node_id: nodeId, force: true } : { node_id: nodeId });

/** Hands leadership to a member. */
export const transfer = (nodeId) => post("/raft/transfer", { node_id: nodeId });

/** Resolves when it is done; rejects with Refused, or with NoAnswer where nobody knows whether it was. */
async function post(path, body) {
  await ask(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  });
}
