"""Those who wait, each until a time limit: one sweep serves all of them, in place of a timer for each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred

SWEEP_S = 0.02
"""How late a time limit may be noticed. Limits are seconds; nobody misses 20 ms."""

T = TypeVar("T")


@define(eq=False)
class Waiter(Generic[T]):
    """Somebody who waits for a result. Whoever asked may cancel ``deferred``; that stops nothing else."""

    deadline_s: float
    """On the reactor's clock."""
    on_deadline: Callable[[Waiter[T]], Exception]
    """Forgets the waiter and returns why it did not get its result."""
    started_s: float
    """On the reactor's clock."""
    deferred: Deferred[T] = field(factory=Deferred)

    def succeed(self, result: T) -> None:
        """Give the result, if anybody still waits for it."""
        if not self.deferred.called:
            self.deferred.callback(result)

    def fail(self, error: Exception) -> None:
        """Say why there is no result, if anybody still waits for it."""
        if not self.deferred.called:
            self.deferred.errback(error)


class Deadlines:
    """All waiters, in slots of SWEEP_S by their time limit."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._slots: dict[int, dict[Waiter[Any], None]] = {}
        self._swept = 0

    def wait(self, timeout_s: float, on_deadline: Callable[[Waiter[Any]], Exception]) -> Waiter[Any]:
        """Return a new waiter with so many seconds left."""
        now = self._now()
        waiter: Waiter[Any] = Waiter(now + timeout_s, on_deadline, now)
        self._slots.setdefault(_slot(waiter), {})[waiter] = None
        return waiter

    def forget(self, waiter: Waiter[Any]) -> None:
        """Take note that the waiter has its result."""
        slot = self._slots.get(_slot(waiter))
        if slot is not None:
            slot.pop(waiter, None)
            if not slot:
                del self._slots[_slot(waiter)]

    def sweep(self) -> None:
        """Tell those whose time is over."""
        now_slot = math.floor(self._now() / SWEEP_S)
        if now_slot == self._swept:
            return
        self._swept = now_slot
        for number in sorted(slot for slot in self._slots if slot <= now_slot):
            for waiter in self._slots.pop(number):
                waiter.fail(waiter.on_deadline(waiter))


def _slot(waiter: Waiter[Any]) -> int:
    return math.ceil(waiter.deadline_s / SWEEP_S)
