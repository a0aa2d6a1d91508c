// What this page has written itself: no answer that was asked for before may hide it again.

/** The newest revision that this page has made. */
let newestOwn = 0;

/** Notes that a write of this page was answered with a revision. */
export function wrote(revision) {
  newestOwn = Math.max(newestOwn, revision);
}

/**
 * The answer to `ask(minRevision)`, which has a `revision`. One that is older than what this page wrote while it was under way is
 * asked for again, with the revision that it has to reach (0: any).
 */
export async function upToDate(ask) {
  for (let minRevision = 0; ; minRevision = newestOwn) {
    const before = newestOwn;
    const answer = await ask(minRevision);
    if (newestOwn === before || answer.revision >= newestOwn) return answer;
  }
}
