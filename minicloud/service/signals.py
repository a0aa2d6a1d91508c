"""Signals that end a node: the first asks it to finish, the second does not ask."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Any

from twisted.logger import Logger

_log = Logger()

_ENDING_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)
)  # SIGBREAK is Ctrl+Break, of Windows only

SIGNAL_EXIT_BASE = 128
"""What shells add to the number of a signal that ended a process, for its exit status."""


class EndingSignals:
    """Handlers for the signals that end a process.

    They take the place of the reactor's own, which would let the process die of the signal once everything is tidied
    up; a node that was asked to finish, and did, exits with status 0.

    ``stop`` is called on the reactor, once. ``exit_at_once`` ends the process with the status that it is given.
    """

    def __init__(
        self, reactor: Any, stop: Callable[[], object], exit_at_once: Callable[[int], object] = os._exit
    ) -> None:
        self._reactor = reactor
        self._stop = stop
        self._exit_at_once = exit_at_once
        self._asked = False

    def install(self) -> None:
        """Take over. To be called in the main thread once the reactor runs, as it installs its own when it starts."""
        for number in _ENDING_SIGNALS:
            signal.signal(number, self.received)

    def received(self, number: int, frame: FrameType | None) -> None:
        """Take a signal. Python calls this between any two instructions, so all but the exit is left to the reactor."""
        if self._asked:
            self._exit_at_once(SIGNAL_EXIT_BASE + number)
            return
        self._asked = True
        self._reactor.callFromThread(self._begin, signal.Signals(number).name)

    def _begin(self, name: str) -> None:
        _log.info("stopping on {signal}; a second one ends the process at once", signal=name)
        self._stop()
