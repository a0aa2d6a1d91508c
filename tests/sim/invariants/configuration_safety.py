"""Who takes part is what the log says, and a committed change is the same for everybody (thesis, section 4.1)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from minicloud.raft.configuration import Configuration
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class ConfigurationSafety:
    """Compares the configurations that a node knows with its entries, and with those that are committed anywhere."""

    def __init__(self) -> None:
        self._committed: dict[int, Configuration] = {}
        """By the index of its entry."""

    def after(self, process: Process) -> None:
        raft, log = process.raft, process.raft.log
        key = (log.configuration_index, raft.commit_index, log.base_index, log.last_index)
        if process.seen.get("configuration safety") == key:
            return
        process.seen["configuration safety"] = key
        for (old, _), (new, _) in itertools.pairwise(log._configurations):
            if old >= new:
                raise Violation("configuration safety", f"{process.name}: the configuration of {new} follows {old}")
        for index, configuration in log._configurations:
            if index > log.last_index or (index > log.base_index and _entry_at(process, index) != configuration):
                raise Violation("configuration safety", f"{process.name}: no entry {index} says {configuration.voters}")
        self._check_committed(process)

    def _check_committed(self, process: Process) -> None:
        raft = process.raft
        index, configuration = raft.committed_configuration
        if index > raft.commit_index:
            return
        if index and self._committed.setdefault(index, configuration) != configuration:
            raise Violation("configuration safety", f"{process.name}: another configuration is committed at {index}")
        newest = max((known for known in self._committed if known <= raft.commit_index), default=0)
        if newest != index:
            raise Violation("configuration safety", f"{process.name} goes by {index}, {newest} is committed")


def _entry_at(process: Process, index: int) -> Configuration | None:
    return process.raft.log.between(index, index)[0].configuration
