// JSON, laid out for reading. Only white space changes: numbers, escapes and repeated names stay as they were written.

const INDENT = "  ";
/** Deeper levels are not moved further to the right: a value of nothing but brackets would become huge. */
const MAX_INDENT_LEVELS = 40;
/** Larger values are not looked at: a browser would stand still for it. */
const MAX_JSON_LENGTH = 256 * 1024;

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[[\]{}:,]|[^\s[\]{}:,"]+/g;

/** Whether a text is an object or a list in JSON. */
export function isJson(text) {
  if (text.length > MAX_JSON_LENGTH || !/^\s*[[{]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Valid JSON on lines of its own, up to `maxLength` characters; `cut` says whether something was left out. */
export function layOut(text, maxLength) {
  const parts = [];
  let [length, level, before] = [0, 0, ""];
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === "}" || token === "]") level -= 1;
    const gap = gapBetween(before, token, level);
    parts.push(gap, token);
    length += gap.length + token.length;
    if (length > maxLength) return { shown: parts.join("").slice(0, maxLength), cut: true };
    if (token === "{" || token === "[") level += 1;
    before = token;
  }
  return { shown: parts.join(""), cut: false };
}

function gapBetween(before, token, level) {
  const opened = before === "{" || before === "[";
  const closes = token === "}" || token === "]";
  if (before === "" || token === "," || token === ":" || (opened && closes)) return "";
  if (before === ":") return " ";
  return `\n${INDENT.repeat(Math.min(level, MAX_INDENT_LEVELS))}`;
}
