"""At most one leader is elected in a term (paper, figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.role import Role
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class ElectionSafety:
    """Remembers who led which term."""

    def __init__(self) -> None:
        self._leaders: dict[int, str] = {}

    def after(self, process: Process) -> None:
        raft = process.raft
        if raft.role is not Role.LEADER:
            return
        known = self._leaders.setdefault(raft.current_term, process.name)
        if known != process.name:
            raise Violation("election safety", f"{known} and {process.name} lead in term {raft.current_term}")

    def led_after(self, term: int) -> set[str]:
        """Return the nodes that have led in a newer term than that one."""
        return {name.partition(".")[0] for known, name in self._leaders.items() if known > term}
