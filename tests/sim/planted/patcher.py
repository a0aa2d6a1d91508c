"""How a test breaks production code, and mends it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from attrs import frozen

from minicloud.raft.table import REACTIONS


class Patcher:
    """Changes attributes of modules and classes, and remembers what they were."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], None]] = []

    def set(self, owner: Any, name: str, value: Any) -> None:
        """Give a module or class another attribute in the place of one that it has itself."""
        before = vars(owner)[name]  # not getattr: of a property or a class method that is not the thing itself
        self._undo.append(lambda: setattr(owner, name, before))
        setattr(owner, name, value)

    def react(self, reaction: Callable[..., None], other: Callable[..., None]) -> None:
        """Put another reaction to messages in the place of one, in all roles that have it."""
        for key, known in REACTIONS.items():
            if known is reaction:
                self._undo.append(lambda key=key: REACTIONS.__setitem__(key, reaction))
                REACTIONS[key] = other

    def restore(self) -> None:
        """Undo everything, the newest first."""
        while self._undo:
            self._undo.pop()()


@frozen
class PlantedBug:
    """A mutation of the production code."""

    name: str
    what: str
    """What the code does wrong."""
    plant: Callable[[Patcher], None]

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Have the bug inside the block, and not outside."""
        patcher = Patcher()
        try:
            self.plant(patcher)
            yield
        finally:
            patcher.restore()


def bug(what: str) -> Callable[[Callable[[Patcher], None]], PlantedBug]:
    """Make a bug of the function that plants it; it is called like the function."""
    return lambda plant: PlantedBug(plant.__name__, what, plant)
