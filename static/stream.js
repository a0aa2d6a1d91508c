// One stream of server-sent events, from its opening to its end.

/** A proxy that holds streams back gives nothing, the node gives its first event at once. */
const FIRST_EVENT_MS = 3000;
/** The node speaks each second. A stream that is silent for this long leads to a node that froze, or to none. */
const SILENCE_MS = 5000;
const NAMES = ["cluster", "rates", "news"];

/**
 * Opens the stream, and calls `onEvent(name, data, isFirst)` for each event; `isFirst` for the first one of that name, which
 * holds everything that the node has kept.
 *
 * `onEnd(reason)` is called once, and nothing after it: "refused" (the node, or a proxy, gives no stream), "held back" (no
 * first event), "lost" (it broke before that), or "ended" (it broke, or fell silent, after it had spoken). Returns a function
 * that closes the stream and says nothing.
 */
export function openStream(path, onEvent, onEnd) {
  const source = new EventSource(path);
  const heard = new Set();
  let timer = setTimeout(() => end("held back"), FIRST_EVENT_MS);

  function close() {
    clearTimeout(timer);
    source.close();
  }
  function end(reason) {
    close();
    onEnd(reason);
  }
  for (const name of NAMES) {
    source.addEventListener(name, ({ data }) => {
      clearTimeout(timer);
      timer = setTimeout(() => end("ended"), SILENCE_MS);
      const isFirst = !heard.has(name);
      heard.add(name);
      onEvent(name, JSON.parse(data), isFirst);
    });
  }
  // The browser would reopen it by itself, but never after a refusal, and with the wait that it likes.
  source.addEventListener("error", () => {
    if (heard.size > 0) end("ended");
    else end(source.readyState === EventSource.CLOSED ? "refused" : "lost");
  });
  return close;
}
