"""The newest things of a kind, each with its number."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class History(Generic[Thing]):
    """Keeps the newest ``limit`` things that were added."""

    def __init__(self, limit: int) -> None:
        self._things: deque[Thing] = deque(maxlen=limit)
        self.count = 0
        """How many there were in all; the newest has this number, the first had 1."""

    def add(self, thing: Thing) -> None:
        """Add one; the oldest makes room for it."""
        self._things.append(thing)
        self.count += 1

    def after(self, number: int) -> list[Thing]:
        """Return what came after the thing of that number, as far as it is kept, the oldest first; 0 stands for all."""
        oldest = self.count - len(self._things)
        return list(islice(self._things, max(0, number - oldest), None))
