"""Histories to check a checker with: what brute force says of small ones, and what registers that work make of clients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random

from attrs import define, evolve, field

from tests.sim.linearizability import Kind, NotLinearizable, Operation, check_history

# Brute force.


def after(operation: Operation, held: int) -> int | None:
    """Return what a register that held ``held`` holds after the operation, None where it would not have answered so."""
    if operation.kind is Kind.GET:
        return held if operation.returned is None or operation.value == held else None
    holds = operation.expected is None or operation.expected == held
    result = operation.value if operation.kind is Kind.PUT else 0
    if operation.returned is None:
        return result if holds else held
    if not operation.applied:
        return None if holds else held
    if not holds or operation.existed not in (None, held != 0):
        return None
    return result


def brute_force(left: Sequence[Operation], held: dict[str, int] | None = None) -> bool:
    """Try every order of every subset that has all operations of known outcome, of all keys together."""
    held = held or {}
    if all(operation.returned is None for operation in left):
        return True
    for operation in left:
        if any(other.returned is not None and other.returned < operation.invoked for other in left):
            continue
        result = after(operation, held.get(operation.key, 0))
        rest = [other for other in left if other is not operation]
        if result is not None and brute_force(rest, held | {operation.key: result}):
            return True
    return False


def verdict(history: Sequence[Operation]) -> bool:
    try:
        check_history(history)
    except NotLinearizable:
        return False
    return True


def random_history(random: Random) -> list[Operation]:
    """Return up to 6 operations with answers out of the blue."""
    count = random.randint(1, 6)
    spans = [(begin := random.random(), begin + random.choice((0.05, 0.4)) * random.random()) for _ in range(count)]
    order = sorted(moment for span in spans for moment in span)
    keys = random.choice(("k", "k", "k", "kl"))
    ids = range(count + 1)
    history = []
    for value, (begin, end) in enumerate(spans, 1):
        kind = random.choice((Kind.PUT, Kind.PUT, Kind.DELETE, Kind.GET))
        returned = None if random.random() < 0.3 else order.index(end)
        operation = Operation(random.choice(keys), kind, order.index(begin), returned)
        if kind is Kind.GET:
            history.append(evolve(operation, value=random.choice(ids)))
            continue
        expected = random.choice((None, None, random.choice(ids)))
        history.append(
            evolve(
                operation,
                value=value if kind is Kind.PUT else 0,
                expected=expected,
                applied=expected is None or random.random() < 0.5,
                existed=random.choice((None, True, False)),
            )
        )
    return history


# A register that works, and clients.


@define(eq=False)
class Attempt:
    """A request, and its answer as far as it has one."""

    operation: Operation
    took_effect: bool = False


@define
class AtomicRegisters:
    """Concurrent clients of registers that are atomic: each operation takes effect at some moment before its answer.

    A client that gives up goes on to its next request. What it gave up takes effect at any time, or never.
    """

    random: Random
    keys: str = "k"
    clients: int = 6
    gives_up: float = 0.1
    """Probability that a client does not wait for its answer."""
    attempts: list[Attempt] = field(factory=list)
    waiting: list[Attempt] = field(factory=list)
    given_up: list[Attempt] = field(factory=list)
    """Those that nobody waits for any more, and that have not taken effect."""
    held: Counter[str] = field(factory=Counter)
    position: int = 0

    def run(self, count: int) -> list[Operation]:
        """Return a history of that many operations."""
        while len(self.attempts) < count or self.waiting:
            self.position += 1
            if len(self.attempts) < count and len(self.waiting) < self.clients and self.random.random() < 0.6:
                self.ask()
            elif self.given_up and self.random.random() < 0.05:
                self.take_effect(self.given_up.pop(self.random.randrange(len(self.given_up))))
            elif self.waiting:
                self.go_on(self.random.choice(self.waiting))
        return [attempt.operation for attempt in self.attempts]

    def ask(self) -> None:
        kind = self.random.choice((Kind.PUT, Kind.PUT, Kind.DELETE, Kind.GET, Kind.GET, Kind.GET))
        operation = Operation(self.random.choice(self.keys), kind, self.position, None)
        if kind is Kind.PUT:
            operation = evolve(operation, value=len(self.attempts) + 1)
        if kind is not Kind.GET and self.random.random() < 0.4:
            some_id = self.random.randint(0, len(self.attempts))
            operation = evolve(operation, expected=self.random.choice((self.held[operation.key], 0, some_id)))
        self.attempts.append(Attempt(operation))
        self.waiting.append(self.attempts[-1])

    def go_on(self, attempt: Attempt) -> None:
        if self.random.random() < self.gives_up / 2:
            self.waiting.remove(attempt)
            if not attempt.took_effect:
                self.given_up.append(attempt)
        elif attempt.took_effect:
            self.waiting.remove(attempt)
            attempt.operation = evolve(attempt.operation, returned=self.position)
        else:
            self.take_effect(attempt)

    def take_effect(self, attempt: Attempt) -> None:
        operation, held = attempt.operation, self.held[attempt.operation.key]
        attempt.took_effect = True
        if operation.kind is Kind.GET:
            attempt.operation = evolve(operation, value=held)
            return
        applied = operation.expected in (None, held)
        tells = applied and self.random.random() < 0.8
        attempt.operation = evolve(operation, applied=applied, existed=held != 0 if tells else None)
        if applied:
            self.held[operation.key] = operation.value if operation.kind is Kind.PUT else 0


def with_one_read_changed(random: Random, history: list[Operation]) -> list[Operation]:
    """Return the history with another value in one GET that returned: one that was asked to be written, or absence."""
    reads = [i for i, operation in enumerate(history) if operation.kind is Kind.GET and operation.returned is not None]
    if not reads:
        return history
    chosen = random.choice(reads)
    ids = {0, *(operation.value for operation in history if operation.kind is Kind.PUT)} - {history[chosen].value}
    changed = list(history)
    changed[chosen] = evolve(history[chosen], value=random.choice(sorted(ids) or [1]))
    return changed
