"""Saying what is wrong once, not at each attempt."""

from __future__ import annotations

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

INTERVAL_S = 60.0
"""A peer that cannot be reached or does not fit is dialled every two seconds; its log line is news once a minute."""

MAX_REMEMBERED = 1024
"""Different complaints that are remembered: every cause about every member. Who makes up more is just repeated."""


@define
class _Said:
    at_s: float
    suppressed: int = 0


@define
class Complaints:
    """Writes each complaint to the log at most once per INTERVAL_S."""

    clock: IReactorTime
    log: Logger
    _said: dict[tuple[str, str], _Said] = field(factory=dict, init=False)

    def say(self, cause: str, about: str, text: str) -> None:
        """Log a warning, unless this cause was logged about the same peer less than INTERVAL_S ago.

        Args:
            cause: stable name of what is wrong.
            about: what it is wrong with; together with ``cause`` this is what counts as the same.
            text: the line. That of the first one is logged; those after it may differ.
        """
        now_s = self.clock.seconds()
        previous = self._said.get((cause, about))
        if previous is not None and now_s - previous.at_s < INTERVAL_S:
            previous.suppressed += 1
            return
        if len(self._said) >= MAX_REMEMBERED:
            self._said.clear()
        self._said[cause, about] = _Said(now_s)
        again = f" (and {previous.suppressed} times more before)" if previous and previous.suppressed else ""
        self.log.warn("{text}", text=text + again)
