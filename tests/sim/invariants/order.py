"""How the indexes of one node lie: base ≤ applied ≤ committed ≤ last, and who leads knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.role import Role
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class Order:
    """Looks at one process at rest."""

    def after(self, process: Process) -> None:
        raft, log = process.raft, process.raft.log
        if not log.base_index <= raft.last_applied <= raft.commit_index <= log.last_index:
            raise Violation(
                "order of indexes",
                f"{process.name}: {log.base_index}, {raft.last_applied}, {raft.commit_index}, {log.last_index}",
            )
        if log.stable_index > log.last_index:
            raise Violation("order of indexes", f"{process.name}: more is stable than there is")
        if (raft.leader_id == raft.node_id) != (raft.role is Role.LEADER):
            raise Violation("who leads knows it", f"{process.name}: {raft.role} and {raft.leader_id}")
