// The last five minutes of rates, as columns for plots: no document, no network.

/** What is kept and plotted, in seconds. */
export const SPAN_S = 300;
/** Samples come each second; a longer step than this is a gap, and no line goes across it. */
const GAP_S = 2.5;

/** The samples that are kept, oldest first, after some came: from their first on, the new ones replace the old ones. */
export function merged(kept, came) {
  if (came.length === 0) return kept;
  const all = [...kept.filter(({ at }) => at < came[0].at), ...came];
  const oldest = all.at(-1).at - SPAN_S;
  return inOrder(all).filter(({ at }) => at >= oldest);
}

/** Without those that a clock which was set back since has measured twice: a plot's times only grow. */
function inOrder(samples) {
  const kept = [];
  for (const sample of samples.toReversed()) {
    if (kept.length === 0 || sample.at < kept.at(-1).at) kept.push(sample);
  }
  return kept.toReversed();
}

/** One column of times and one for each name, with an empty row in each gap. */
export function columns(samples, names) {
  const rows = [];
  samples.forEach((sample, position) => {
    const before = samples[position - 1];
    if (before && sample.at - before.at > GAP_S) rows.push({ at: (before.at + sample.at) / 2 });
    rows.push(sample);
  });
  return [rows.map(({ at }) => at), ...names.map((name) => rows.map((row) => row[name] ?? null))];
}

/** The rows whose value stands alone, where a line would not be seen. */
export function lonely(column) {
  const isNone = (value) => value === null || value === undefined;
  return column.flatMap((value, row) => (!isNone(value) && isNone(column[row - 1]) && isNone(column[row + 1]) ? [row] : []));
}
