"""Something that is done again and again, and that no fault of ours ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from minicloud.web.limits import FAULT_LOG_INTERVAL_S


class SteadyLoop:
    """Calls ``act`` each ``interval_s`` seconds. When it raises, that is logged, and the next call comes all the same.

    A LoopingCall alone ends with the first exception, for good. ``name`` says in the log what it is that failed;
    ``reactor`` tells time.
    """

    _log = Logger()

    def __init__(self, act: Callable[[], object], interval_s: float, name: str, reactor: Any) -> None:
        self._act = act
        self._interval_s = interval_s
        self._name = name
        self._now = reactor.seconds
        self._loop = LoopingCall(self._turn)
        self._loop.clock = reactor
        self._faults = 0
        """How many there were since the last one that was logged."""
        self._logged_at: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether it goes on."""
        return self._loop.running

    def start(self, *, now: bool) -> None:
        """Begin, with a call at once or after the first interval."""
        self._loop.start(self._interval_s, now=now)

    def stop(self) -> None:
        """End it; stopping twice does nothing."""
        if self._loop.running:
            self._loop.stop()

    def _turn(self) -> None:
        try:
            self._act()
        except Exception:
            self._complain()

    def _complain(self) -> None:
        """Log the exception that is being handled, unless one was logged a short time ago."""
        self._faults += 1
        now = self._now()
        if self._logged_at is not None and now < self._logged_at + FAULT_LOG_INTERVAL_S:
            return
        self._log.failure(
            "A fault in minicloud itself: {name} failed, and goes on (faults since it was last said: {faults})",
            name=self._name,
            faults=self._faults,
        )
        self._faults, self._logged_at = 0, now
