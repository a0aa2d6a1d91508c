// Two texts side by side, line by line.

/** Pairs of lines that are compared (20 MB, 50 ms); where there would be more, they are only laid beside each other. */
const MAX_COMPARED = 5_000_000;

/**
 * Rows of {theirs, mine, same}: the lines that stand beside each other. A line that only one side has stands beside null.
 */
export function sideBySide(theirs, mine) {
  const [left, right] = [theirs.split("\n"), mine.split("\n")];
  const head = commonHead(left, right);
  const tail = commonHead(left.slice(head).reverse(), right.slice(head).reverse());
  const same = (line) => ({ theirs: line, mine: line, same: true });
  return [
    ...left.slice(0, head).map(same),
    ...middle(left.slice(head, left.length - tail), right.slice(head, right.length - tail)),
    ...left.slice(left.length - tail).map(same),
  ];
}

function commonHead(left, right) {
  let length = 0;
  while (length < left.length && length < right.length && left[length] === right[length]) length += 1;
  return length;
}

function middle(left, right) {
  if (left.length * right.length > MAX_COMPARED) return pairs(left, right);
  const lengths = commonLengths(left, right);
  const rows = [];
  let [i, j, gapI, gapJ] = [0, 0, 0, 0];
  const closeGap = () => rows.push(...pairs(left.slice(gapI, i), right.slice(gapJ, j)));
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) {
      closeGap();
      rows.push({ theirs: left[i], mine: right[j], same: true });
      [i, j] = [i + 1, j + 1];
      [gapI, gapJ] = [i, j];
    } else if (lengths[i + 1][j] >= lengths[i][j + 1]) i += 1;
    else j += 1;
  }
  [i, j] = [left.length, right.length];
  closeGap();
  return rows;
}

/** Lengths of the longest common subsequences of what follows each pair of places. */
function commonLengths(left, right) {
  const lengths = Array.from({ length: left.length + 1 }, () => new Uint32Array(right.length + 1));
  for (let i = left.length - 1; i >= 0; i -= 1) {
    for (let j = right.length - 1; j >= 0; j -= 1) {
      lengths[i][j] = left[i] === right[j] ? lengths[i + 1][j + 1] + 1 : Math.max(lengths[i + 1][j], lengths[i][j + 1]);
    }
  }
  return lengths;
}

function pairs(left, right) {
  return Array.from({ length: Math.max(left.length, right.length) }, (_, row) => ({
    theirs: left[row] ?? null,
    mine: right[row] ?? null,
    same: false,
  }));
}
