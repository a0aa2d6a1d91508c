"""``GET /events``: what happens in the cluster, as server-sent events (the HTML standard, section 9.2) or once as JSON.

Nothing waits in a queue for a client. Each stream knows how far it has come in the kept samples and news, and gets what
is new when there is room; pictures of the cluster that come while there is none are left out, the newest one counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

from attrs import define

from minicloud.node.errors import NodeStopping
from minicloud.web.answers import NO_STORE, Answer, json_answer, json_body
from minicloud.web.consistency import choice
from minicloud.web.history import History, Thing
from minicloud.web.limits import (
    CLUSTER_INTERVAL_S,
    LOOK_INTERVAL_S,
    MAX_STREAMS,
    SAMPLE_INTERVAL_S,
    STREAM_RETRY_MS,
    STREAM_STALL_S,
)
from minicloud.web.neighbours import Neighbours
from minicloud.web.news import News
from minicloud.web.overview import Overview
from minicloud.web.problems import bad_parameter, overloaded
from minicloud.web.query import parse_query
from minicloud.web.rates import Rates
from minicloud.web.request import Request
from minicloud.web.steady import SteadyLoop
from minicloud.web.stream import Stream, StreamedAnswer

_SAMPLES_AFTER, _NEWS_AFTER = "samples_after", "news_after"
_KNOWN = frozenset({"format", _SAMPLES_AFTER, _NEWS_AFTER})
_FORMATS = {"json": True}
_NUMBER = re.compile(r"[0-9]{1,12}")
"""At one a second, 12 digits are enough for 30,000 years."""
_TYPE = b"text/event-stream; charset=utf-8"
_LINES = NO_STORE + b"X-Accel-Buffering: no\r\n"
"""The second one asks nginx not to hold events back."""
_RETRY = b"retry: %d\n\n" % STREAM_RETRY_MS


@define(eq=False)
class _Watcher:
    """One stream, and how far it has come."""

    stream: Stream
    samples: int = 0
    """Number of the newest sample that was sent."""
    items: int = 0
    """Number of the newest news that was sent."""


class Events:
    """The meaning of ``/events``, and the two loops behind it: one looks at the node, one takes samples.

    ``reactor`` tells time. Between ``start`` and ``stop`` the loops go on whether or not anybody watches, so that a page
    that is opened late has something to show.
    """

    def __init__(self, overview: Overview, rates: Rates, news: News, neighbours: Neighbours, reactor: Any) -> None:
        self._overview = overview
        self._rates = rates
        self._news = news
        self._neighbours = neighbours
        self._now = reactor.seconds
        self._watchers: dict[_Watcher, None] = {}
        self._shown: object = None
        self._shown_at = 0.0
        self._loops = (
            SteadyLoop(self._rates.sample, SAMPLE_INTERVAL_S, "sampling the rates", reactor),
            SteadyLoop(self._look, LOOK_INTERVAL_S, "looking for what /events tells", reactor),
        )

    # Life

    def start(self) -> None:
        """Begin to look and to count."""
        self._news.begin()
        self._rates.begin()
        for loop in self._loops:
            loop.start(now=False)

    def stop(self) -> None:
        """End it; stopping twice does nothing. Streams are ended by the site."""
        self._neighbours.stop()
        for loop in self._loops:
            loop.stop()

    # Asked

    def get(self, request: Request) -> Answer:
        """Answer with a stream, or with JSON where that is asked for; raises Problem (400, 503) and NodeStopping."""
        if request.site.stopping:
            raise NodeStopping  # a stream that begins now would have to be cut
        parameters = parse_query(request.query, _KNOWN)
        if choice(parameters, "format", _FORMATS):
            return self._once(_number(parameters, _SAMPLES_AFTER), _number(parameters, _NEWS_AFTER))
        for name in (_SAMPLES_AFTER, _NEWS_AFTER):
            if name in parameters:
                raise bad_parameter(f"{name} goes with format=json: a stream sends all that is kept, then what is new")
        if len(self._watchers) >= MAX_STREAMS:
            raise overloaded(f"{MAX_STREAMS} streams of events are open; close a page, or ask with format=json.")
        return StreamedAnswer(200, content_type=_TYPE, header_lines=_LINES, begin=self._begin)

    def _once(self, samples_after: int, news_after: int) -> Answer:
        self._neighbours.watch()
        return json_answer(
            {
                "cluster": self._overview.document(),
                "rates": {"samples": _after(samples_after, self._rates.samples)},
                "news": {"items": _after(news_after, self._news.items)},
            }
        )

    def _begin(self, stream: Stream) -> None:
        watcher = _Watcher(stream)
        self._watchers[watcher] = None
        stream.on_end = partial(self._watchers.pop, watcher, None)
        stream.on_room = partial(self._catch_up, watcher)
        self._neighbours.watch()
        stream.write(_RETRY + self._picture() + self._samples(watcher) + self._items(watcher))

    # Sending

    def _look(self) -> None:
        try:
            self._news.look()
        finally:  # whatever the news stumbles over, there is more to be shown
            self._show()

    def _show(self) -> None:
        self._cut_stalled()
        if not self._watchers:
            return
        self._neighbours.watch()
        picture = self._picture_if_due()
        for watcher in list(self._watchers):
            if watcher.stream.paused_s is None:
                self._send(watcher, picture)

    def _cut_stalled(self) -> None:
        for watcher in list(self._watchers):
            paused_s = watcher.stream.paused_s
            if paused_s is not None and paused_s >= STREAM_STALL_S:
                watcher.stream.cut()

    def _picture_if_due(self) -> bytes:
        """Return the cluster as an event where it has changed, or was last shown long ago; else nothing."""
        signature, now = self._overview.signature(), self._now()
        # Judged half a look early: timers are late now and then, never early.
        if signature == self._shown and now < self._shown_at + CLUSTER_INTERVAL_S - LOOK_INTERVAL_S / 2:
            return b""
        self._shown, self._shown_at = signature, now
        return self._picture()

    def _catch_up(self, watcher: _Watcher) -> None:
        self._send(watcher, self._picture())

    def _send(self, watcher: _Watcher, picture: bytes) -> None:
        has_samples = watcher.samples < self._rates.samples.count
        has_items = watcher.items < self._news.items.count
        data = picture + (self._samples(watcher) if has_samples else b"") + (self._items(watcher) if has_items else b"")
        if data:
            watcher.stream.write(data)

    def _picture(self) -> bytes:
        return _event(b"cluster", self._overview.document())

    def _samples(self, watcher: _Watcher) -> bytes:
        sent, watcher.samples = watcher.samples, self._rates.samples.count
        return _event(b"rates", {"samples": self._rates.samples.after(sent)})

    def _items(self, watcher: _Watcher) -> bytes:
        sent, watcher.items = watcher.items, self._news.items.count
        return _event(b"news", {"items": self._news.items.after(sent)})


def _number(parameters: Mapping[str, str], name: str) -> int:
    text = parameters.get(name, "0")
    if not _NUMBER.fullmatch(text):
        raise bad_parameter(f"{name}: expected the number of the newest one that is known, such as 17, not {text!r}")
    return int(text)


def _after(number: int, history: History[Thing]) -> list[Thing]:
    """Return what came after that number: all, where it has not come yet and so is from before this node was restarted."""
    return history.after(number if number <= history.count else 0)


def _event(name: bytes, document: dict[str, Any]) -> bytes:
    """Return one event; ``json_body`` ends the line of its data."""
    return b"event: %b\ndata: %b\n" % (name, json_body(document))
