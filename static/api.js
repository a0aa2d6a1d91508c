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

/** No answer came. `sent` tells whether the node may have got the request. */
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

/** A key: its bytes, its entity tag and its revision. */
export async function getKey(key) {
  const response = await ask(keyPath(key), { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  const bytes = new Uint8Array(await response.arrayBuffer());
  return { bytes, etag: response.headers.get("ETag") ?? "" };
}

/** Writes a key. `condition` holds If-Match or If-None-Match, or nothing. */
export async function putKey(key, text, condition) {
  const body = new TextEncoder().encode(text);
  return write("PUT", key, { ...condition, "Content-Type": "application/octet-stream" }, body);
}

/** Deletes a key. */
export async function deleteKey(key, condition) {
  return write("DELETE", key, { ...condition }, undefined);
}

async function write(method, key, headers, body) {
  // A browser cannot follow a redirect to the leader, which is another origin: the node passes the request on.
  const path = `${keyPath(key)}?forward`;
  const response = await ask(path, { method, headers, body, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
  return response.json();
}

async function ask(path, options) {
  const headers = { ...options.headers };
  if (token.get()) headers.Authorization = `Bearer ${token.get()}`;
  let response;
  try {
    response = await fetch(path, { ...options, headers, cache: "no-store", redirect: "error", credentials: "omit" });
  } catch (error) {
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
