"""A leader's log holds every entry that was committed in an earlier term (paper, figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.role import Role
from tests.sim.invariants.commit_safety import CommitSafety
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class LeaderCompleteness:
    """Looks at each leader once, when it has been elected: perhaps long after a later term has begun elsewhere."""

    def __init__(self, committed: CommitSafety) -> None:
        self._committed = committed

    def after(self, process: Process) -> None:
        raft = process.raft
        if raft.role is not Role.LEADER or process.seen.get("led term") == raft.current_term:
            return
        process.seen["led term"] = raft.current_term
        committed = self._committed
        for index in range(committed.newest, raft.log.base_index, -1):
            term = committed.terms.get(index)
            if term is None or committed.committed_in[index] >= raft.current_term:
                continue
            if raft.log.term_at(index) != term:
                raise Violation(
                    "leader completeness",
                    f"{process.name} leads in term {raft.current_term} without entry {index} of term {term}",
                )
