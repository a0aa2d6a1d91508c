"""What this node does each second: counted as it happens, put into samples that are kept for a while."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from minicloud.web.history import History
from minicloud.web.limits import KEPT_SAMPLES, SAMPLE_LATENCIES, SHORTEST_SAMPLE_S
from minicloud.web.request import CLIENT_GONE, KEY_TEMPLATE, KEYS_TEMPLATE

_REDIRECTED = 307
_NO_WORK = frozenset((CLIENT_GONE, _REDIRECTED))
"""A client that left was not answered, and one that is sent to the leader is answered there."""


class Sample(msgspec.Struct, frozen=True):
    """One second of this node. Latencies are None where there was no such request."""

    number: int
    """From 1, growing by one. A restart begins anew."""
    at: float
    """The end of that second, in seconds since the epoch."""
    writes_applied_per_s: float
    """Commands applied to this node's store: the writes of the whole cluster."""
    puts_per_s: float
    gets_per_s: float
    """HEAD of a key included."""
    deletes_per_s: float
    errors_per_s: float
    """Answers of 5xx to requests for keys."""
    put_p50_ms: float | None
    put_p99_ms: float | None
    get_p50_ms: float | None
    get_p99_ms: float | None


class Latencies:
    """How long the requests of one kind took: their number, and a bounded part of them, evenly spread over all.

    Where there are more than fit, every second one is dropped, and from then on every second one is left out; and so on.
    """

    def __init__(self, limit: int = SAMPLE_LATENCIES) -> None:
        self._limit = limit
        self._stride = 1
        self._kept: list[float] = []
        self.count = 0

    def add(self, seconds: float) -> None:
        """Count one."""
        if self.count % self._stride == 0:
            self._kept.append(seconds)
            if len(self._kept) > self._limit:
                del self._kept[1::2]
                self._stride *= 2
        self.count += 1

    def percentiles_ms(self, *ranks: float) -> Sequence[float | None]:
        """Return for each rank (0 to 1) the latency in milliseconds that this part of the requests did not exceed."""
        ordered = sorted(self._kept)
        if not ordered:
            return [None] * len(ranks)
        return [round(ordered[math.ceil(rank * len(ordered)) - 1] * 1000, 3) for rank in ranks]


class Rates:
    """Counts requests and writes, and makes a sample of them when told to.

    ``now`` measures time in seconds, ``wall_clock`` tells the time of day in seconds since the epoch.
    """

    def __init__(self, now: Callable[[], float], wall_clock: Callable[[], float]) -> None:
        self._now = now
        self._wall_clock = wall_clock
        self.samples: History[Sample] = History(KEPT_SAMPLES)
        self.begin()

    def begin(self) -> None:
        """Begin to count for the next sample."""
        self._begun_at = self._now()
        self._applied = 0
        self._errors = 0
        self._puts, self._gets, self._deletes = Latencies(), Latencies(), Latencies()
        self._by_method = {"PUT": self._puts, "GET": self._gets, "HEAD": self._gets, "DELETE": self._deletes}

    def request_finished(self, method: str, route: str, code: int, seconds: float) -> None:
        """Count a request; see WebInstruments."""
        if route == KEY_TEMPLATE:
            latencies = self._by_method.get(method)
            if latencies is not None and code not in _NO_WORK:
                latencies.add(seconds)
        elif route != KEYS_TEMPLATE:
            return
        if code >= 500:
            self._errors += 1

    def applied(self, commands: int) -> None:
        """Count so many commands that were applied to the store."""
        self._applied += commands

    def sample(self) -> None:
        """Put what was counted since the last sample into a new one; after less than SHORTEST_SAMPLE_S, go on counting."""
        elapsed_s = self._now() - self._begun_at
        if elapsed_s < SHORTEST_SAMPLE_S:
            return
        put_p50_ms, put_p99_ms = self._puts.percentiles_ms(0.5, 0.99)
        get_p50_ms, get_p99_ms = self._gets.percentiles_ms(0.5, 0.99)
        self.samples.add(
            Sample(
                number=self.samples.count + 1,
                at=round(self._wall_clock(), 3),
                writes_applied_per_s=round(self._applied / elapsed_s, 2),
                puts_per_s=round(self._puts.count / elapsed_s, 2),
                gets_per_s=round(self._gets.count / elapsed_s, 2),
                deletes_per_s=round(self._deletes.count / elapsed_s, 2),
                errors_per_s=round(self._errors / elapsed_s, 2),
                put_p50_ms=put_p50_ms,
                put_p99_ms=put_p99_ms,
                get_p50_ms=get_p50_ms,
                get_p99_ms=get_p99_ms,
            )
        )
        self.begin()
