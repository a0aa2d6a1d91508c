// Changes of the cluster, asked of the node that serves this page. Each is sent once, whatever comes back.

import { NoAnswer, Refused, token } from "./api.js";

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
  const headers = { "Content-Type": "application/json" };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  let response;
  try {
    response = await fetch(path, {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      cache: "no-store",
      redirect: "error",
      credentials: "omit",
    });
  } catch (error) {
    throw new NoAnswer(error.name === "TimeoutError" ? "The node did not answer in time." : "The node did not answer.");
  }
  if (!response.ok) throw new Refused(response.status, (await response.json().catch(() => null)) ?? {});
}
