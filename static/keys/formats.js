// What can be made of the bytes of a value: how to show them, and whether they can be edited as text.

import { isJson, layOut } from "./json.js";
import { count, hexDump, size } from "../text.js";

/** Longest value that can be edited as text: a text field with more is slow to type in. */
const EDITABLE_BYTES = 256 * 1024;
/** Longest part of a value that is shown; a browser chokes on much more in one element. */
const SHOWN_BYTES = 64 * 1024;
/** The same as hex: four hexadecimal digits of offset, a thousand lines. */
const HEX_SHOWN_BYTES = 16 * 1024;

/** What no text field keeps, nor a reader sees: control characters other than tab and line ends. */
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/;

/**
 * What a value is: `text` (null where it is not UTF-8), `isPlain` (text without control characters), `isJson`, and `best`, the way
 * to show it first.
 */
export function formatsOf(bytes) {
  const text = decode(bytes);
  const isPlain = text !== null && !CONTROLS.test(text);
  const json = text !== null && isJson(text);
  return { bytes, text, isPlain, isJson: json, best: json ? "json" : isPlain ? "text" : "hex" };
}

/** The value in one of the ways "text", "json", "hex": {shown, note}; the note says what is left out, or differs. */
export function present(formats, way) {
  if (way === "hex") return cutAt(hexDump(formats.bytes.subarray(0, HEX_SHOWN_BYTES)), HEX_SHOWN_BYTES, formats.bytes.length);
  if (way === "json") return laidOut(formats.text);
  const part = new TextDecoder("utf-8", { ignoreBOM: true }).decode(formats.bytes.subarray(0, SHOWN_BYTES), { stream: true });
  return cutAt(part, SHOWN_BYTES, formats.bytes.length);
}

function cutAt(shown, limit, all) {
  return { shown, note: all > limit ? `The first ${size(limit)} of ${size(all)}: download it to see the rest.` : "" };
}

function laidOut(text) {
  const { shown, cut } = layOut(text, SHOWN_BYTES);
  if (cut) return { shown, note: `Laid out for reading, the first ${count(SHOWN_BYTES)} characters: download it to see the rest.` };
  return { shown, note: shown === text ? "" : "Laid out for reading: the stored bytes differ from this in white space." };
}

/**
 * How to edit a value: {text, lineEnd}, or {why} where it cannot be edited as text.
 *
 * A text field knows one kind of line end; a value whose lines all end in CR LF gets them back when it is saved.
 */
export function editing(formats) {
  const { text, isPlain, bytes } = formats;
  if (!isPlain) return { why: text === null ? "It is not text (UTF-8)." : "It has control characters." };
  if (bytes.length > EDITABLE_BYTES) return { why: `It is longer than ${size(EDITABLE_BYTES)}.` };
  const lines = text.replaceAll("\r\n", "");
  if (!text.includes("\r")) return { text, lineEnd: "\n" };
  if (!/[\r\n]/.test(lines)) return { text: text.replaceAll("\r\n", "\n"), lineEnd: "\r\n" };
  return { why: "Its lines end in different ways, which a text field would make the same." };
}

/** The bytes of an edited text. */
export function encode(text, lineEnd) {
  return new TextEncoder().encode(lineEnd === "\n" ? text : text.replaceAll("\n", lineEnd));
}

function decode(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}
