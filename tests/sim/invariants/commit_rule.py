"""A leader commits by counting: an entry of its own term, on the disks of a majority (paper, section 5.4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.role import Role
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process
    from tests.sim.world import World


class CommitRule:
    """Counts again, with knowledge of all disks, whenever a leader's commit index has moved."""

    def __init__(self, world: World) -> None:
        self._world = world

    def after(self, process: Process) -> None:
        raft = process.raft
        index = raft.commit_index
        before, led_term = process.seen.get("commit rule", (index, 0))
        leads = raft.role is Role.LEADER
        process.seen["commit rule"] = (index, raft.current_term if leads else 0)
        if index == before or not (leads or led_term == raft.current_term):
            return  # a leader that commits its own removal leads no more
        if raft.log.term_at(index) != raft.current_term:
            raise Violation("commit rule", f"{process.name} commits entry {index} of term {raft.log.term_at(index)}")
        voters = raft.configuration.voters
        lacking = [voter for voter in voters if self._lacks(process, voter, index)]
        if 2 * (len(voters) - len(lacking)) <= len(voters):
            raise Violation("commit rule", f"{process.name} commits entry {index}, which {lacking} lack")

    def _lacks(self, leader: Process, voter: str, index: int) -> bool:
        """Return whether a voter certainly lacks the entry; who is down, or has new data, may have had it."""
        machine = self._world.machines.get(voter)
        process = machine.process if machine is not None else None
        member = leader.raft.configuration.get(voter)
        if process is None or (member is not None and member.instance_id not in ("", process.instance_id)):
            return False
        log = process.raft.log
        if index <= log.base_index:
            return False
        return index > log.stable_index or log.term_at(index) != leader.raft.log.term_at(index)
