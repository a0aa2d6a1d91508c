"""Long work in small pieces, so that it never keeps the reactor from its timers and links."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IDelayedCall, IReactorTime

SLICE_S = 0.005
"""How long one piece may take: well below a heartbeat."""

MAX_STEPS = 64
"""Steps in one piece: a bound that holds on simulated clocks, which stand still while work is done."""


class SlicedWork:
    """Work that goes on by itself, turn by turn, until it is done or given up."""

    def __init__(
        self, reactor: IReactorTime, steps: Iterator[None], guard: Callable[[Callable[[], None]], None]
    ) -> None:
        """Begin in the next turn.

        Args:
            reactor: clock and turns.
            steps: does a small step whenever it is asked for the next item.
            guard: calls what it is given, and deals with a disk that fails.
        """
        self._reactor = reactor
        self._steps = steps
        self._guard = guard
        self._call: IDelayedCall | None = reactor.callLater(0, self._run)

    def stop(self) -> None:
        """Give the rest up."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _run(self) -> None:
        self._call = None
        self._guard(self._slice)

    def _slice(self) -> None:
        until_s = self._reactor.seconds() + SLICE_S
        for _ in range(MAX_STEPS):
            try:
                next(self._steps)
            except StopIteration:
                return
            if self._reactor.seconds() >= until_s:
                break
        self._call = self._reactor.callLater(0, self._run)
