// Two texts side by side, line by line.

/** Lines of each side that are compared, between those that are equal at both ends: more, nobody reads. */
const MAX_LINES = 5000;
/** Pairs of lines that are compared (20 MB, 50 ms); where there would be more, they are only laid beside each other. */
const MAX_COMPARED = 5_000_000;

/**
 * Rows of {theirs, mine, same}: the lines that stand beside each other. A line that only one side has stands beside null. A row
 * {cut} stands for so many that are not compared.
 */
export function sideBySide(theirs, mine) {
  const [left, right] = [theirs.split("\n"), mine.split("\n")];
  const head = commonHead(left, right);
  const tail = commonHead(left.slice(head).reverse(), right.slice(head).reverse());
  const same = (line) => ({ theirs: line, mine: line, same: true });
  return left
    .slice(0, head)
    .map(same)
    .concat(middle(left.slice(head, left.length - tail), right.slice(head, right.length - tail)))
    .concat(left.slice(left.length - tail).map(same));
}

function commonHead(left, right) {
  let length = 0;
  while (length < left.length && length < right.length && left[length] === right[length]) length += 1;
  return length;
}

function middle(left, right) {
  const cut = Math.max(left.length, right.length) - MAX_LINES;
  const rows = compared(left.slice(0, MAX_LINES), right.slice(0, MAX_LINES));
  if (cut > 0) rows.push({ cut, same: false });
  return rows;
}

function compared(left, right) {
  const rows = [];
  if (left.length * right.length > MAX_COMPARED) return addPairs(rows, left, right);
  const common = commonLengths(left, right);
  let [i, j, gapI, gapJ] = [0, 0, 0, 0];
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) {
      addPairs(rows, left.slice(gapI, i), right.slice(gapJ, j));
      rows.push({ theirs: left[i], mine: right[j], same: true });
      [i, j] = [i + 1, j + 1];
      [gapI, gapJ] = [i, j];
    } else if (common(i + 1, j) >= common(i, j + 1)) i += 1;
    else j += 1;
  }
  return addPairs(rows, left.slice(gapI), right.slice(gapJ));
}

/** The length of the longest common subsequence of what follows a pair of places, as a function of these. */
function commonLengths(left, right) {
  const width = right.length + 1;
  const lengths = new Uint32Array((left.length + 1) * width);
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      lengths[at] = left[i] === right[j] ? lengths[at + width + 1] + 1 : Math.max(lengths[at + width], lengths[at + 1]);
    }
  }
  return (i, j) => lengths[i * width + j];
}

function addPairs(rows, left, right) {
  for (let row = 0; row < Math.max(left.length, right.length); row += 1) {
    rows.push({ theirs: left[row] ?? null, mine: right[row] ?? null, same: left[row] === right[row] });
  }
  return rows;
}
