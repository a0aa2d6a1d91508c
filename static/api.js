// What is asked of the node that serves this page, and of no other.

import { keyPath } from "./text.js";

/** A little more than the node's own limit (10 s), so that its answer wins. */
const ANSWER_TIMEOUT_MS = 12_000;
/** The same for a write: a follower waits for the leader (12 s), and has begun later than the page. */
const WRITE_TIMEOUT_MS = 15_000;
const TOKEN_ITEM = "minicloud.token";

/** The node answered that it does not do this; `code` and `document` come from its problem document (RFC 9457). */
export class Refused extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `Something on the way to the node answered ${status}.`);
    this.status = status;
    this.code = document.code || "";
    this.document = document;
  }
}

/** No answer came, or a part of one: the node may have got the request, and may not. */
export class NoAnswer extends Error {}

/** Whether an error is of a request, and none of this page itself. */
export function isRequestError(error) {
  return error instanceof Refused || error instanceof NoAnswer;
}

/**
 * Whether an error leaves open whether the change that was asked for was made, of a key or of the cluster.
 *
 * It was not where the request was at fault (below 500), or where the node says so itself: with a code of its own, and that the
 * same may be asked again. One without a code is of something on the way, such as a proxy that gave up waiting. Whatever else
 * went wrong, the node may have got the request by then: no answer, a part of one, or this page called it off.
 */
export function leavesOpen(error) {
  if (!(error instanceof Refused)) return true;
  const isToldUndone = !["", "outcome_unknown"].includes(error.code) && error.document.retryable === true;
  return error.status >= 500 && !isToldUndone;
}

/** The token, kept for this tab. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN_ITEM) ?? "",
  set: (text) => sessionStorage.setItem(TOKEN_ITEM, text),
  forget: () => sessionStorage.removeItem(TOKEN_ITEM),
};

/** A JSON document of the node. */
export async function getJson(path, signal) {
  return bodyOf(await ask(path, { signal }));
}

/**
 * A page of a listing: `items` without values, `prefixes` (where there is a delimiter), `revision` and `next_cursor`.
 *
 * With a `minRevision`, it is as new as that. `signal` calls it off; the promise is then rejected with the signal's reason.
 */
export async function listKeys({ prefix, delimiter, cursor, limit, minRevision }, signal) {
  const query = new URLSearchParams({ prefix, limit, keys_only: "true" });
  if (minRevision) query.set("min_revision", minRevision);
  if (delimiter) query.set("delimiter", delimiter);
  if (cursor) query.set("cursor", cursor);
  return getJson(`/kv?${query}`, bounded(signal));
}

/** How many keys begin with a prefix, {count, revision}; with a `minRevision`, as new as that. */
export async function countKeys({ prefix, minRevision }, signal) {
  const query = new URLSearchParams({ prefix, count: "true" });
  if (minRevision) query.set("min_revision", minRevision);
  return getJson(`/kv?${query}`, bounded(signal));
}

/** A key: its bytes, and what the node tells about it. */
export async function readKey(key) {
  const told = await getJson(`${keyPath(key)}?format=json`, bounded());
  const bytes = told.value_base64 === undefined ? new TextEncoder().encode(told.value) : fromBase64(told.value_base64);
  return { key, bytes, revision: told.revision, created: told.create_revision, version: told.version };
}

/** Writes bytes under a key, if it is still at that revision; null: if there is no such key. */
export async function putKey(key, bytes, revision) {
  const condition = revision === null ? { "If-None-Match": "*" } : ifStillAt(revision);
  return write("PUT", key, { ...condition, "Content-Type": "application/octet-stream" }, bytes);
}

/** Deletes a key, if it is still at that revision. */
export async function deleteKey(key, revision) {
  return write("DELETE", key, ifStillAt(revision), undefined);
}

/** The entity tag is made of the revision: the one in an answer's head, proxies that compress make weak, and no write takes it. */
function ifStillAt(revision) {
  return { "If-Match": `"${revision}"` };
}

async function write(method, key, headers, body) {
  // A browser cannot follow a redirect to the leader, which is another origin: the node passes the request on.
  return bodyOf(await ask(`${keyPath(key)}?forward`, { method, headers, body, signal: AbortSignal.timeout(WRITE_TIMEOUT_MS) }));
}

function bounded(signal) {
  const limit = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  return signal ? AbortSignal.any([signal, limit]) : limit;
}

function fromBase64(text) {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/** One request, with the token where there is one; rejects with Refused or NoAnswer, and AbortError where `signal` called it off. */
export async function ask(path, options) {
  const headers = { ...options.headers };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store", redirect: "error", credentials: "omit" });
  } catch (error) {
    throw noAnswer(error, "The node did not answer.");
  }
  if (!response.ok) throw new Refused(response.status, await problemOf(response));
  return response;
}

/** The JSON in an answer; rejects with NoAnswer where it breaks off, or is none. */
async function bodyOf(response) {
  try {
    return await response.json();
  } catch (error) {
    throw noAnswer(error, "The node's answer did not come whole.");
  }
}

function noAnswer(error, words) {
  if (error.name === "AbortError") return error; // The page itself called it off.
  return new NoAnswer(error.name === "TimeoutError" ? "The node did not answer in time." : words);
}

async function problemOf(response) {
  try {
    const document = await response.json();
    return document && typeof document === "object" ? document : {};
  } catch {
    return {};
  }
}
