"""A leader's log holds every entry that was committed before its term (paper, figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.role import Role
from tests.sim.invariants.commit_safety import CommitSafety
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class LeaderCompleteness:
    """Looks at each leader once, when it has been elected."""

    def __init__(self, committed: CommitSafety) -> None:
        self._committed = committed

    def after(self, process: Process) -> None:
        raft = process.raft
        if raft.role is not Role.LEADER or process.seen.get("led term") == raft.current_term:
            return
        process.seen["led term"] = raft.current_term
        for index in range(self._committed.newest, raft.log.base_index, -1):
            term = self._committed.terms.get(index)
            if term is not None and term < raft.current_term and raft.log.term_at(index) != term:
                raise Violation(
                    "leader completeness",
                    f"{process.name} leads in term {raft.current_term} without entry {index} of term {term}",
                )
