"""A leader changes who takes part only once an entry of its own term is committed (Ongaro's correction of July 2015).

Otherwise two leaders could each build on a configuration that the other does not have, and their majorities not overlap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.role import Role
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class FirstCommit:
    """Looks at leaders."""

    def after(self, process: Process) -> None:
        raft = process.raft
        if raft.role is Role.LEADER and raft.log.configuration_index > raft.term_start_index > raft.commit_index:
            raise Violation(
                "first commit before a change",
                f"{process.name} appends a configuration at {raft.log.configuration_index}, "
                f"its term begins at {raft.term_start_index}, {raft.commit_index} is committed",
            )
