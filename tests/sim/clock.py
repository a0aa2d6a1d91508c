"""Simulated time: one clock for the whole world, and on it each process's own, which runs fast or slow, leaps, and dies."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import Clock
from zope.interface import implementer

if TYPE_CHECKING:
    from tests.sim.process import Process

TICK = "tick"
"""What a process does when its node's timer is due: whatever comes of it is carried out by a drain in the same moment."""


class WorldClock(Clock):
    """Twisted's Clock with a heap in place of a list that is sorted at each call.

    What is due at the same moment runs in the order in which it was asked for.
    """

    def __init__(self) -> None:
        super().__init__()
        self._heap: list[tuple[float, int, Callable[..., Any], tuple[Any, ...]]] = []
        self._count = 0

    def call_at(self, when: float, function: Callable[..., Any], *args: Any) -> None:
        """Call something at that time, in seconds; it cannot be called off."""
        self._count += 1
        heapq.heappush(self._heap, (max(when, self.rightNow), self._count, function, args))

    def call_in(self, delay_s: float, function: Callable[..., Any], *args: Any) -> None:
        """Call something after so many seconds; it cannot be called off."""
        self.call_at(self.rightNow + delay_s, function, *args)

    @property
    def next_due(self) -> float:
        """When the next call is due; infinity where nothing waits."""
        return self._heap[0][0] if self._heap else float("inf")

    def run_next(self) -> None:
        """Go to the next call and make it."""
        self.rightNow, _, function, args = heapq.heappop(self._heap)
        function(*args)


@implementer(IDelayedCall)
class ProcessCall:
    """A call of a process for later, due by the process's own clock."""

    __slots__ = ("_args", "_clock", "_function", "_kw", "_state", "due", "version")

    def __init__(self, clock: ProcessClock, due: float, function: Callable[..., Any], args: Any, kw: Any) -> None:
        self.due = due
        self.version = 0
        """Counts how often it was set: what the world's clock holds of an older one means nothing."""
        self._clock = clock
        self._function = function
        self._args = args
        self._kw = kw
        self._state = ""

    @property
    def name(self) -> str:
        """What is called."""
        return getattr(self._function, "__name__", "")

    def run(self) -> None:
        """Make the call, unless it was called off while the process could not get to it."""
        if not self._state:
            self._state = "called"
            self._function(*self._args, **self._kw)

    def active(self) -> bool:
        return not self._state

    def cancel(self) -> None:
        self._check_active()
        self._state = "cancelled"
        self._clock.forget(self)

    def getTime(self) -> float:
        return self.due

    def reset(self, seconds_from_now: float) -> None:
        self._check_active()
        self._clock.move(self, self._clock.seconds() + seconds_from_now)

    def delay(self, seconds_later: float) -> None:
        self._check_active()
        self._clock.move(self, self.due + seconds_later)

    def _check_active(self) -> None:
        if self._state:
            raise AlreadyCalled() if self._state == "called" else AlreadyCancelled()


@implementer(IReactorTime)
class ProcessClock:
    """The monotonic clock of one process (``rate`` times as fast as the world's), and its timers."""

    def __init__(self, world_clock: WorldClock, process: Process, rate: float) -> None:
        self._world = world_clock
        self._process = process
        self._rate = rate
        self._offset = 1000.0  # a machine is up for a while before a process begins
        self._since = world_clock.rightNow
        self._pending: dict[ProcessCall, None] = {}

    def seconds(self) -> float:
        """Return the time by this clock; it goes on while the process waits for its disk."""
        return self._offset + (max(self._world.rightNow, self._process.busy_until) - self._since) * self._rate

    def callLater(self, delay: float, function: Callable[..., Any], *args: Any, **kw: Any) -> ProcessCall:
        call = ProcessCall(self, self.seconds() + delay, function, args, kw)
        self._pending[call] = None
        self._set(call)
        return call

    def getDelayedCalls(self) -> list[ProcessCall]:
        return list(self._pending)

    def leap(self, seconds: float) -> None:
        """Go forward at once, as after the machine was suspended: what is due meanwhile is due now."""
        self._offset += seconds
        for call in list(self._pending):
            self._set(call)

    def move(self, call: ProcessCall, due: float) -> None:
        """Make a call due at another time."""
        call.due = due
        self._set(call)

    def forget(self, call: ProcessCall) -> None:
        """Take note that a call was called off."""
        self._pending.pop(call, None)

    def _set(self, call: ProcessCall) -> None:
        call.version += 1
        when = self._since + (call.due - self._offset) / self._rate
        self._world.call_at(when, self._fire, call, call.version)

    def _fire(self, call: ProcessCall, version: int) -> None:
        if call.version == version and call.active() and self._pending.pop(call, self) is None:
            self._process.run(TICK if call.name == "_tick" else "timer", call.run)
