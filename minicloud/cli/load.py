"""Makes load: many clients, each with a connection of its own that it keeps open, each asking one thing after the other."""

from __future__ import annotations

import random as random_module
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from attrs import define, field, frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredList, ensureDeferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.failure import Failure

from minicloud.cli.latencies import Latencies
from minicloud.cli.session import Visit
from minicloud.client import Client, ClientError

PAUSE_AFTER_ERROR_S: Final = 0.01
"""A connection that was refused will be refused again at once."""

TIDY_WHEN_INTERRUPTED_S: Final = 5.0
"""How long whoever has pressed Ctrl+C may have to wait until what was written is deleted."""

DELETING_PASSES: Final = 2
"""A client whose delete has failed asks for no other. Its key is left to those that have more luck, and, where it was the last
one, to a second pass: what failed may have been the end of one connection, or of one leader."""

SHOW_EVERY_S: Final = 0.2


@frozen
class Plan:
    """What is to be measured."""

    workload: str
    """``put``, ``get`` or ``mixed``."""
    connections: int
    value_bytes: int
    keys: int
    seconds: float
    reads_percent: float
    """Of a mixed load: how much of it is reads."""
    prefix: str
    """Begins every key that is written."""
    keep: bool
    """Whether the keys stay when all is done."""

    def key(self, number: int) -> str:
        """Return one of the keys."""
        return f"{self.prefix}{number:07}"


class Progress(Protocol):
    """Where to say how far it is."""

    def show(self, what: str, fraction: float, told: str) -> None:
        """Say that ``what`` is done to such a part of 1, and a few words more."""


@define
class Measured:
    """What came of it, so far."""

    latencies: dict[str, Latencies]
    """By verb, of those requests that succeeded."""
    errors: dict[str, int]
    """By verb."""
    seconds: float = 0.0
    """How long it was measured."""
    first_error: ClientError | None = None
    left: int = 0
    """Keys that are still there."""

    @property
    def requests(self) -> int:
        """Requests that succeeded."""
        return sum(latencies.count for latencies in self.latencies.values())


@define
class Load:
    """One run: writes the keys that are read, measures, deletes what it wrote."""

    _plan: Plan
    _visit: Visit
    _progress: Progress
    _random: random_module.Random = field(factory=random_module.Random)
    measured: Measured = field(init=False)
    _clients: list[Client] = field(init=False)
    _value: bytes = field(init=False)
    _turn: int = 0
    _touched: int = 0
    """Keys below this number may have been written."""
    _tidied: int = 0
    _numbers: deque[int] = field(factory=deque)
    """Of keys that still are to be written before it is measured, or to be deleted after it."""
    _asking: list[Deferred[Any]] = field(factory=list)
    """What the clients are about."""
    _tidying: bool = False
    _began_s: float = 0.0
    _ends_s: float = float("inf")
    _interrupted: bool = False
    _given_up: bool = False
    """Whether what is still there stays there."""
    _over: Deferred[None] = field(factory=Deferred)

    def __attrs_post_init__(self) -> None:
        verbs = ("put", "get") if self._plan.workload == "mixed" else (self._plan.workload,)
        self.measured = Measured({verb: Latencies() for verb in verbs}, dict.fromkeys(verbs, 0))
        self._clients = [self._visit.new_client() for _ in range(self._plan.connections)]
        self._value = self._random.randbytes(self._plan.value_bytes)

    async def run(self) -> None:
        """Do all of it. Raises ClientError where the cluster does not even take the keys that are to be there first."""
        self._visit.reactor.addSystemEventTrigger("before", "shutdown", self._interrupt)
        try:
            await self._load_and_tidy()
        finally:
            self.measured.left = self._touched - self._tidied
            self._over.callback(None)

    async def _load_and_tidy(self) -> None:
        try:
            await self._prepare()
            await self._measure()
        finally:
            if not self._plan.keep:
                await self._tidy()

    def _interrupt(self) -> Deferred[None]:
        """Come to an end; the reactor goes on until the Deferred fires."""
        if not self._over.called:
            self._interrupted = True
            self._visit.reactor.callLater(TIDY_WHEN_INTERRUPTED_S, self._give_up)
            self._visit.insisted.addCallback(lambda _: self._give_up())
            if not self._tidying:
                self._cancel()
        return self._over

    def _give_up(self) -> None:
        """Leave what is still there; it is told in the end."""
        self._given_up = True
        self._cancel()

    def _cancel(self) -> None:
        """Wait for no answer any more: a cluster that hangs gives none for as long as a request may take."""
        for asking in self._asking:
            asking.cancel()

    async def _prepare(self) -> None:
        """Write all keys that are to be read; before a load of writes one only, to see whether they are possible."""
        count = 1 if self._plan.workload == "put" else self._plan.keys
        self._numbers.extend(range(count))
        with self._shown("writing keys", lambda: self._touched / count, lambda: f"{self._touched:,}"):
            await self._all(self._write_keys)

    async def _write_keys(self, client: Client) -> None:
        while self._numbers:
            number = self._numbers.popleft()
            self._touched = max(self._touched, number + 1)
            try:
                await client.put(self._plan.key(number), self._value)
            except ClientError:
                self._numbers.clear()  # It is over, so the others have no more to write.
                raise

    async def _measure(self) -> None:
        if self._interrupted:
            return
        self._began_s = self._visit.now()
        self._ends_s = self._began_s + self._plan.seconds
        with self._shown(self._plan.workload, lambda: self._elapsed_s() / self._plan.seconds, self._rate):
            await self._all(self._ask_on)
        self.measured.seconds = self._elapsed_s()

    async def _ask_on(self, client: Client) -> None:
        while (asked_s := self._visit.now()) < self._ends_s:
            verb = self._choose()
            try:
                await self._ask(client, verb)
            except ClientError as error:
                self.measured.errors[verb] += 1
                self.measured.first_error = self.measured.first_error or error
                await deferLater(self._visit.reactor, PAUSE_AFTER_ERROR_S)
            else:
                self.measured.latencies[verb].add(self._visit.now() - asked_s)

    def _choose(self) -> str:
        if self._plan.workload != "mixed":
            return self._plan.workload
        return "get" if self._random.random() * 100 < self._plan.reads_percent else "put"

    def _ask(self, client: Client, verb: str) -> Awaitable[object]:
        number = self._turn
        self._turn = (number + 1) % self._plan.keys
        if verb == "get":
            return client.get(self._plan.key(number))
        self._touched = max(self._touched, number + 1)
        return client.put(self._plan.key(number), self._value)

    async def _tidy(self) -> None:
        self._tidying = True
        self._numbers = deque(range(self._touched))
        with self._shown("deleting keys", lambda: self._tidied / max(1, self._touched), lambda: f"{self._tidied:,}"):
            for _ in range(DELETING_PASSES):
                if not self._given_up:
                    await self._all(self._delete_keys)

    async def _delete_keys(self, client: Client) -> None:
        while self._numbers:
            number = self._numbers.popleft()
            try:
                await client.delete(self._plan.key(number))
            except ClientError:
                self._numbers.append(number)
                return
            self._tidied += 1

    async def _all(self, work: Callable[[Client], Any]) -> None:
        """Let every client do its work. Raises the first error when all have ended; to be interrupted is none."""
        self._asking = [ensureDeferred(work(client)) for client in self._clients]
        done = await DeferredList(self._asking, consumeErrors=True)
        for succeeded, result in done:
            if not succeeded and not (self._interrupted and result.check(CancelledError)):
                result.raiseException()

    def _elapsed_s(self) -> float:
        return self._visit.now() - self._began_s

    def _rate(self) -> str:
        return f"{self.measured.requests / max(self._elapsed_s(), 1e-9):,.0f} a second"

    def _shown(self, what: str, fraction: Callable[[], float], told: Callable[[], str]) -> _Shown:
        return _Shown(self._visit.reactor, lambda: self._progress.show(what, fraction(), told()))


class _Shown:
    """Shows progress while it is entered, and as long as there is a terminal that takes it."""

    def __init__(self, reactor: Any, show: Callable[[], None]) -> None:
        self._loop = LoopingCall(show)
        self._loop.clock = reactor

    def __enter__(self) -> None:
        self._loop.start(SHOW_EVERY_S).addErrback(_pass_over_lost_terminal)

    def __exit__(self, *reason: object) -> None:
        if self._loop.running:
            self._loop.stop()


def _pass_over_lost_terminal(failure: Failure) -> None:
    """Go on without showing: what is measured, and the keys that are to be deleted, matter more."""
    failure.trap(OSError)
