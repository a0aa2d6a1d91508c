// Taking things out of the page: to the clipboard, or as a file.

import { element } from "../dom.js";

/** Longest name of a downloaded file, in characters; file systems allow 255 bytes. */
const MAX_FILE_NAME = 80;
/** How long a browser is given to begin to read what it saves. */
const KEEP_URL_MS = 10_000;

/** Copies a text. Throws an Error that says what to do where the browser does not let the page do it. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Browsers have no clipboard for pages over plain HTTP from another machine.
    if (!copyFromField(text)) throw new Error("The browser does not let this page copy. Select the text and press Ctrl+C.");
  }
}

function copyFromField(text) {
  const [field, before] = [element("textarea", "unseen"), document.activeElement];
  field.value = text;
  document.body.append(field);
  field.select();
  const copied = document.execCommand("copy");
  field.remove();
  before?.focus();
  return copied;
}

/**
 * Saves bytes as a file: those that are shown, not what the node may have by now, and without a request, which could not carry a
 * token.
 */
export function download(key, bytes) {
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  const link = element("a");
  [link.href, link.download] = [url, fileName(key)];
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), KEEP_URL_MS);
}

/** The last part of a key that has one, without what file systems or shells take amiss. */
function fileName(key) {
  const last = key.split("/").filter((part) => part !== "").at(-1) ?? "";
  const harmless = last.replace(/[^\p{L}\p{N}._ -]/gu, "_").replace(/^[. ]+/, "");
  return Array.from(harmless).slice(0, MAX_FILE_NAME).join("") || "value";
}

/** Bytes in base64. */
export function toBase64(bytes) {
  let binary = "";
  for (let start = 0; start < bytes.length; start += 8192) binary += String.fromCharCode(...bytes.subarray(start, start + 8192));
  return btoa(binary);
}
