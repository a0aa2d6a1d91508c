"""What a run ends with where something is not as it must be."""

from __future__ import annotations

import traceback


class Violation(AssertionError):
    """An invariant does not hold."""

    def __init__(self, invariant: str, detail: str) -> None:
        super().__init__(f"{invariant}: {detail}")
        self.invariant = invariant
        self.detail = detail

    @classmethod
    def by_simulator(cls, error: Exception) -> Violation:
        """Return what an exception of the simulator's own code comes to: a campaign goes on, and tells the seed."""
        lines = [*traceback.format_exception_only(error), *traceback.format_exception(error)]
        return cls("no fault of the simulator's own", "".join(lines))
