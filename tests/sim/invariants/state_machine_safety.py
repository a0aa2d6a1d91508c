"""No two nodes apply different entries at an index; equal applied indexes mean equal states (paper, figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.entries import Entry
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class StateMachineSafety:
    """Remembers what was applied at each index, and what that made of the store."""

    def __init__(self) -> None:
        self.applied: dict[int, Entry] = {}
        """By index."""
        self._digests: dict[int, str] = {}

    def after(self, process: Process) -> None:
        store, log = process.node.store, process.raft.log
        before: int = process.seen.get("applied", 0)
        if store.applied_index == before:
            return
        if store.applied_index < before:
            raise Violation("state machine safety", f"{process.name} goes from {before} to {store.applied_index}")
        process.seen["applied"] = store.applied_index
        first, last = max(before, log.base_index) + 1, min(store.applied_index, log.last_index)
        for entry in log.between(first, last) if first <= last else ():
            known = self.applied.setdefault(entry.index, entry)
            if known is not entry and known != entry:
                raise Violation("state machine safety", f"{process.name} applies another entry {entry.index}")
        digest = store.digest()
        if self._digests.setdefault(store.applied_index, digest) != digest:
            raise Violation("state machine safety", f"{process.name} has another state at {store.applied_index}")
