// What is asked of the node that serves this page, and of no other.

import { keyPath } from "./text.js";

/** A little more than the node's own limit (10 s), so that its answer wins. */
const ANSWER_TIMEOUT_MS = 12_000;
const TOKEN_ITEM = "minicloud.token";

/** The node answered that it does not do this; `code` and `document` come from its problem document (RFC 9457). */
export class Refused extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `The node answered ${status}.`);
    this.status = status;
    this.code = document.code || "";
    this.document = document;
  }
}

/** No answer came: the node may have got the request, and may not. */
export class NoAnswer extends Error {}

/** The token, kept for this tab. */
export const token = {
  get: () => sessionStorage.getItem(TOKEN_ITEM) ?? "",
  set: (text) => sessionStorage.setItem(TOKEN_ITEM, text),
  forget: () => sessionStorage.removeItem(TOKEN_ITEM),
};

/** A JSON document of the node. */
export async function getJson(path, signal) {
  const response = await ask(path, { signal });
  return response.json();
}

/**
 * A page of a listing: `items` without values, `prefixes` (where there is a delimiter), `revision` and `next_cursor`.
 *
 * `signal` calls it off; the promise is then rejected with the signal's reason.
 */
export async function listKeys({ prefix, delimiter, cursor, limit }, signal) {
  const query = new URLSearchParams({ prefix, limit, keys_only: "true" });
  if (delimiter) query.set("delimiter", delimiter);
  if (cursor) query.set("cursor", cursor);
  return getJson(`/kv?${query}`, bounded(signal));
}

/** How many keys begin with a prefix. */
export async function countKeys(prefix, signal) {
  const query = new URLSearchParams({ prefix, count: "true" });
  return (await getJson(`/kv?${query}`, bounded(signal))).count;
}

/** A key: its bytes, its entity tag, and what the node tells about it. */
export async function readKey(key) {
  const response = await ask(`${keyPath(key)}?format=json`, { signal: bounded() });
  const told = await response.json();
  const bytes = told.value_base64 === undefined ? new TextEncoder().encode(told.value) : fromBase64(told.value_base64);
  const etag = response.headers.get("ETag") ?? "";
  return { key, bytes, etag, revision: told.revision, created: told.create_revision, version: told.version };
}

/** Writes bytes under a key. `condition` holds If-Match or If-None-Match. */
export async function putKey(key, bytes, condition) {
  return write("PUT", key, { ...condition, "Content-Type": "application/octet-stream" }, bytes);
}

/** Deletes a key. */
export async function deleteKey(key, condition) {
  return write("DELETE", key, { ...condition }, undefined);
}

async function write(method, key, headers, body) {
  // A browser cannot follow a redirect to the leader, which is another origin: the node passes the request on.
  const response = await ask(`${keyPath(key)}?forward`, { method, headers, body, signal: bounded() });
  return response.json();
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
    if (error.name === "AbortError") throw error; // The page itself called it off.
    throw new NoAnswer(error.name === "TimeoutError" ? "The node did not answer in time." : "The node did not answer.");
  }
  if (!response.ok) throw new Refused(response.status, await problemOf(response));
  return response;
}

async function problemOf(response) {
  try {
    const document = await response.json();
    return document && typeof document === "object" ? document : {};
  } catch {
    return {};
  }
}
