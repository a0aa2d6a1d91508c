"""What a leader takes for matching is on that follower's disk (paper, figure 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.role import Role
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process
    from tests.sim.world import World


class MatchIndex:
    """Compares a leader's progress with the logs of those followers that are in its term."""

    def __init__(self, world: World) -> None:
        self._world = world

    def after(self, process: Process) -> None:
        raft = process.raft
        if raft.role is not Role.LEADER:
            return
        for node_id, progress in raft.progress.items():
            machine = self._world.machines.get(node_id)
            follower = machine.process if machine is not None else None
            if follower is None or follower.raft.current_term != raft.current_term:
                continue
            member = raft.configuration.get(node_id)
            if member is None or member.instance_id not in ("", follower.instance_id):
                continue
            match_index, log = progress.match_index, follower.raft.log
            terms = {raft.log.term_at(match_index), log.term_at(match_index)} - {None}
            if match_index > log.stable_index or len(terms) > 1:
                raise Violation(
                    "match index",
                    f"{process.name} counts entry {match_index} of {follower.name}, "
                    f"which has {log.stable_index}, of term {log.term_at(match_index)}",
                )
