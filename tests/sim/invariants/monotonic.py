"""What never goes back: term and commit index of a process, and what a leader knows to match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.role import Role
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class Monotonic:
    """Compares a process with what it was, and its term with that of the processes before it on the same disk."""

    def __init__(self) -> None:
        self._terms: dict[str, int] = {}
        """By instance: what left the process, and so must have been on its disk."""

    def after(self, process: Process) -> None:
        raft = process.raft
        commit_index, match = process.seen.get("monotonic", (0, {}))
        if raft.commit_index < commit_index:
            raise Violation("monotonic commit index", f"{process.name}: {commit_index}, then {raft.commit_index}")
        if raft.current_term < self._terms.get(process.instance_id, 0):
            raise Violation("monotonic term", f"{process.name}: back to {raft.current_term}")
        self._terms[process.instance_id] = max(process.storage._hard_state.current_term, 0)
        new_match: dict[tuple[int, str], int] = {}
        if raft.role is Role.LEADER:
            for node_id, progress in raft.progress.items():
                key = (raft.current_term, node_id)
                new_match[key] = progress.match_index
                if progress.match_index < match.get(key, 0):
                    raise Violation("monotonic match index", f"{process.name}: {key} goes back")
        process.seen["monotonic"] = (raft.commit_index, new_match)
