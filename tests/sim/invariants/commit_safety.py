"""What is committed at an index is so for ever, and everywhere (paper, section 5.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class CommitSafety:
    """Remembers the term of each committed entry."""

    def __init__(self) -> None:
        self.terms: dict[int, int] = {}
        """By index."""
        self.committed_in: dict[int, int] = {}
        """By index, the term in which it was committed: that of the leader which counted, not that of the entry."""
        self.newest = 0

    def after(self, process: Process) -> None:
        raft = process.raft
        first = max(process.seen.get("committed", 0), raft.log.base_index) + 1
        for index in range(first, raft.commit_index + 1):
            term = raft.log.term_at(index)
            assert term is not None
            self.committed_in.setdefault(index, raft.current_term)
            if self.terms.setdefault(index, term) != term:
                raise Violation(
                    "commit safety",
                    f"{process.name} takes entry {index} of term {term} for committed, it is of {self.terms[index]}",
                )
        process.seen["committed"] = raft.commit_index
        self.newest = max(self.newest, raft.commit_index)
