"""Configurations follow each other one vote at a time, and one is committed before the next (thesis, section 4.1)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from minicloud.raft.configuration import Configuration
from minicloud.raft.role import Role
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class Configurations:
    """Looks at the configurations in each log."""

    def after(self, process: Process) -> None:
        raft = process.raft
        known: list[tuple[int, Configuration]] = raft.log._configurations
        key = (raft.log.configuration_index, raft.commit_index)
        if process.seen.get("configurations") == key:
            return
        process.seen["configurations"] = key
        for (_, old), (index, new) in itertools.pairwise(known):
            if old.members and len(frozenset(old.voters) ^ frozenset(new.voters)) > 1:
                raise Violation("one vote at a time", f"{process.name}: {old.voters} to {new.voters} at {index}")
        if raft.role is Role.LEADER:
            pending = [index for index, _ in known if index > raft.commit_index]
            if len(pending) > 1:
                raise Violation("one change at a time", f"{process.name} has uncommitted ones at {pending}")
