"""Which term each entry of the log has, in a few numbers: terms come in runs.

Entries that were compacted away are still known here. That costs a number or two a term, and nobody is misled.
"""

from __future__ import annotations

from bisect import bisect_right


class TermRuns:
    """The indexes of a log and the terms at them.

    Args:
        first_index: where the log begins.
    """

    def __init__(self, first_index: int) -> None:
        self.next_index = first_index
        """Index that the next entry will have."""
        self._starts: list[int] = []
        self._terms: list[int] = []
        self._first_index = first_index

    def put(self, index: int, term: int) -> None:
        """Take note of an entry: the next one, or one that replaces the one there and all that follow."""
        assert index <= self.next_index, f"entry {index} after {self.next_index - 1}"
        if index < self.next_index:
            self._cut(index)
        if not self._terms or self._terms[-1] != term:
            self._starts.append(index)
            self._terms.append(term)
        self.next_index = index + 1

    def _cut(self, index: int) -> None:
        while self._starts and self._starts[-1] >= index:
            self._starts.pop()
            self._terms.pop()
        self._first_index = min(self._first_index, index)

    def holds(self, index: int, term: int) -> bool:
        """Return whether there is an entry of that index and term."""
        if not self._first_index <= index < self.next_index:
            return False
        return self._terms[bisect_right(self._starts, index) - 1] == term
