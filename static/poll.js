// Asks again and again, one question at a time.

const PERIOD_MS = 1000;
/** A poll that takes longer has failed: the node is frozen or gone. It is aborted, so that no two ever overlap. */
const TIMEOUT_MS = 2500;

/**
 * Calls `question(signal)` each second, and `onAnswer(answer)` or `onFailure(error)` with what comes of it.
 *
 * Returns a function that polls at once, aborting a poll that is under way.
 */
export function poll(question, onAnswer, onFailure) {
  let underWay = null;
  let timer = 0;

  async function once() {
    clearTimeout(timer);
    underWay?.abort();
    const mine = new AbortController();
    underWay = mine;
    const startedAt = performance.now();
    const limit = setTimeout(() => mine.abort(), TIMEOUT_MS);
    let report;
    try {
      const answer = await question(mine.signal);
      report = () => onAnswer(answer);
    } catch (error) {
      report = () => onFailure(error);
    }
    clearTimeout(limit);
    if (underWay !== mine) return; // A newer poll has taken over, and plans the next one.
    underWay = null;
    timer = setTimeout(once, Math.max(0, startedAt + PERIOD_MS - performance.now()));
    report();
  }

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) once();
  });
  once();
  return once;
}
