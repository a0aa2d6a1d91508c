// Asks again and again, one question at a time.

const PERIOD_MS = 1000;
/** A poll that takes longer has failed: the node is frozen or gone. It is aborted, so that no two ever overlap. */
const TIMEOUT_MS = 2500;

/**
 * Calls `question(signal)` each second, the first time at once, and `onAnswer(answer)` or `onFailure(error)` with what comes
 * of it.
 *
 * Returns a function that stops it, aborting a poll that is under way: neither is called after that.
 */
export function poll(question, onAnswer, onFailure) {
  let stopped = false;
  let timer = 0;
  let underWay = null;

  async function once() {
    const startedAt = performance.now();
    underWay = new AbortController();
    const limit = setTimeout(() => underWay.abort(), TIMEOUT_MS);
    let report;
    try {
      const answer = await question(underWay.signal);
      report = () => onAnswer(answer);
    } catch (error) {
      report = () => onFailure(error);
    }
    clearTimeout(limit);
    if (stopped) return;
    timer = setTimeout(once, Math.max(0, startedAt + PERIOD_MS - performance.now()));
    report();
  }

  once();
  return () => {
    stopped = true;
    clearTimeout(timer);
    underWay.abort();
  };
}
