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

function figure(number) {
  return number === 0 || number >= 100 ? count(Math.round(number)) : number.toFixed(1).replace(/\.0$/, "");
}
