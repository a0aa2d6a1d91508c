"""Time that only goes forward, for a reactor that is made to read the wall clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def make_monotonic(reactor: Any, monotonic: Callable[[], float] = time.monotonic) -> None:
    """Make ``reactor.seconds`` count from ``monotonic``, whose unit is seconds too, and carry over the calls that wait.

    Twisted's reactors read ``time.time`` (``twisted.internet.base.ReactorBase.seconds``), both when a call is made for
    later and when they look which calls are due. A step of the wall clock backwards would hold up every timer of the
    node, a step forwards would fire all of them at once: elections out of nothing. To be called before anything counts
    on time.
    """
    now = reactor.seconds()
    waiting = [(call, call.getTime() - now) for call in reactor.getDelayedCalls()]
    # Not by assignment: to the type checker ``seconds`` is a method, and a method of the class it stays.
    vars(reactor)["seconds"] = monotonic
    for call, remaining_s in waiting:
        call.seconds = monotonic
        call.reset(max(0.0, remaining_s))
