"""Two entries of the same index and term are the same, and so are all before them (paper, figure 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.entries import Entry
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class LogMatching:
    """Remembers each entry and the term of the one before it: by induction, logs that agree there agree before."""

    def __init__(self) -> None:
        self._entries: dict[tuple[int, int], tuple[int, Entry]] = {}

    def after(self, process: Process) -> None:
        log = process.raft.log
        checked: dict[int, int] = process.seen.setdefault("log matching", {})
        for index in range(log.last_index, log.base_index, -1):
            term = log.term_at(index)
            assert term is not None
            if checked.get(index) == term:
                break
            checked[index] = term
            self._check(process, index, term)

    def _check(self, process: Process, index: int, term: int) -> None:
        log = process.raft.log
        previous_term = log.term_at(index - 1)
        assert previous_term is not None
        entry = log.between(index, index)[0]
        known_term, known = self._entries.setdefault((index, term), (previous_term, entry))
        if known_term != previous_term:
            raise Violation(
                "log matching",
                f"{process.name}: entry {index} of term {term} follows term {previous_term}, elsewhere {known_term}",
            )
        if known is not entry and known != entry:
            raise Violation("log matching", f"{process.name}: entry {index} of term {term} is another one elsewhere")
