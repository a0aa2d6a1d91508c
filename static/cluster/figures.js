// How the cluster view says numbers: pure functions, no document, no network.

import { count, DASH } from "../text.js";

/** A rate: "0", "0.5", "12", "1,234". */
export function perSecond(number) {
  return Number.isFinite(number) ? figure(number) : DASH;
}

/** A time in milliseconds: "0.84 ms", "12.3 ms", "1,240 ms". */
export function milliseconds(number) {
  if (!Number.isFinite(number)) return DASH;
  return `${number < 1 ? number.toFixed(2) : figure(number)} ms`;
}

/** A number at an axis, where there is little room: "0.5", "12", "12k". */
export function tick(number) {
  if (number >= 10_000) return `${Math.round(number / 1000)}k`;
  return number.toLocaleString("en-US", { maximumFractionDigits: 1 });
}

function figure(number) {
  return number === 0 || number >= 100 ? count(Math.round(number)) : number.toFixed(1).replace(/\.0$/, "");
}
