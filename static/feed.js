// What the node tells this page: a stream of events, and questions each second where there is no stream to be had.

import { getJson } from "./api.js";
import { poll } from "./poll.js";
import { openStream } from "./stream.js";

const PATH = "/events";
/** Streams are opened this often at most, whatever ends them. */
const REOPEN_MS = 1000;
/**
 * A stream that has not spoken for this long is no longer waited for alone: a poll has a second then, before the page calls
 * it silence (live.js). The stream may still come: its own patience (stream.js) is for slow lines.
 */
const MEANWHILE_MS = 700;
/** While polling. A proxy that holds streams back will do so for longer than this; one that was restarted will not. */
const STREAM_AGAIN_MS = 30_000;

/**
 * Feeds `listener` for as long as the tab is shown. A hidden tab asks for nothing: a browser has six connections to a host.
 *
 * - `onCluster(document)`, `onRates(samples, isAll)`, `onNews(items, isAll)`: what the node says; `isAll` where these are all
 *   that it has kept, and not only the new ones
 * - `onHeard(pollsBecause)`: after each of these; why there is no stream, "refused" or "held back"; null where there is one, or
 *   where that is not known yet
 * - `onTrouble()`: no stream could be opened, or a poll failed. Not that a stream ended: something on the way may do that to
 *   each, and whether the node is still there, the next one tells
 * - `onPause()`, `onResume()`: the tab was hidden, or is shown again
 */
export function startFeed(listener) {
  let closeStream = null;
  let stopPolling = null;
  let timer = 0;
  let meanwhile = 0;
  let openedAt = 0;
  /** Where the polls are, see `reached`; null when everything is to be asked for. */
  let place = null;
  /** Why there is no stream, see `onHeard`. It is remembered while the tab is hidden: there will be none then, either. */
  let pollsBecause = null;

  function open() {
    clearTimers();
    closeStream?.();
    openedAt = performance.now();
    closeStream = openStream(PATH, onEvent, onEnd);
    meanwhile = setTimeout(startPolling, MEANWHILE_MS);
  }

  function clearTimers() {
    clearTimeout(timer);
    clearTimeout(meanwhile);
  }

  function onEvent(name, data, isFirst) {
    clearTimeout(meanwhile);
    stopPolling?.();
    stopPolling = pollsBecause = null;
    tell(name, data, isFirst);
    listener.onHeard(null);
  }

  function onEnd(reason) {
    clearTimeout(meanwhile);
    closeStream = null;
    if (reason === "refused" || reason === "held back") {
      pollsBecause = reason;
      startPolling();
    } else if (reason === "lost" && stopPolling === null) {
      listener.onTrouble();
    }
    const soonest = openedAt + REOPEN_MS - performance.now();
    timer = setTimeout(open, pollsBecause === null ? Math.max(0, soonest) : STREAM_AGAIN_MS);
  }

  function startPolling() {
    if (stopPolling !== null) return;
    place = null;
    let failing = false;
    const question = (signal) => getJson(`${PATH}?format=json${onlyAfter(place)}`, signal);
    const onAnswer = (answer) => {
      tellAll(answer);
      listener.onHeard(pollsBecause);
      if (failing && closeStream === null) open();
      failing = false;
    };
    const onFailure = () => {
      failing = true;
      place = null; // The node that answers next may be one that was started anew.
      listener.onTrouble();
    };
    stopPolling = poll(question, onAnswer, onFailure);
  }

  function tellAll(answer) {
    const isAll = place === null;
    tell("cluster", answer.cluster, isAll);
    tell("rates", answer.rates, isAll);
    tell("news", answer.news, isAll);
    place = reached(place, answer);
  }

  function tell(name, data, isAll) {
    if (name === "cluster") listener.onCluster(data);
    else if (name === "rates") listener.onRates(data.samples, isAll);
    else listener.onNews(data.items, isAll);
  }

  function pause() {
    clearTimers();
    closeStream?.();
    stopPolling?.();
    closeStream = stopPolling = null;
    listener.onPause();
  }

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      pause();
    } else {
      listener.onResume();
      if (pollsBecause !== null) startPolling();
      open();
    }
  });
  if (document.hidden) listener.onPause();
  else open();
}

/**
 * How far the polls have come with this answer to a question from `place` on: the numbers of the newest sample and item, of
 * which node, and how long it was up. Null for everything anew, where another node answered, or the same one after a restart.
 */
function reached(place, { cluster: { status }, rates, news }) {
  const { node_id: node, uptime_seconds: uptime } = status;
  if (place !== null && (node !== place.node || uptime < place.uptime)) return null; // Their numbers are others.
  return {
    node,
    uptime,
    sample: rates.samples.at(-1)?.number ?? place?.sample ?? 0,
    item: news.items.at(-1)?.number ?? place?.item ?? 0,
  };
}

/** The part of a question that leaves out what came before. */
function onlyAfter(place) {
  return place === null ? "" : `&samples_after=${place.sample}&news_after=${place.item}`;
}
