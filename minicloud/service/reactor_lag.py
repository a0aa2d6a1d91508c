"""How late the reactor's timers fire: the time for which something else held it up."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

LAG_INTERVAL_S = 0.1
"""Between two measurements: short enough to meet each stall that matters, long enough to cost nothing."""


class ReactorLag:
    """Sets itself a timer, again and again, and reports in seconds how late it was."""

    def __init__(self, reactor: IReactorTime, report: Callable[[float], object]) -> None:
        self._reactor = reactor
        self._report = report
        self._call: IDelayedCall | None = None
        self._due_at = 0.0

    def start(self) -> None:
        """Begin to measure."""
        self._due_at = self._reactor.seconds() + LAG_INTERVAL_S
        self._call = self._reactor.callLater(LAG_INTERVAL_S, self._measure)

    def stop(self) -> None:
        """End it; stopping twice does nothing."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _measure(self) -> None:
        self._report(max(0.0, self._reactor.seconds() - self._due_at))
        self.start()
