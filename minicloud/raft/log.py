"""The log in memory: a run of entries, and which of them are on disk."""

from __future__ import annotations

from collections.abc import Sequence

from minicloud.raft.configuration import Configuration
from minicloud.raft.entries import Entry, EntryKind, SnapshotMeta

ENTRY_OVERHEAD_BYTES = 128
"""What an entry costs beside its data, about: what flow control and the bounds on memory count for it."""


def entry_bytes(entry: Entry) -> int:
    """Return what an entry counts for in bounds on messages and memory, in bytes."""
    return len(entry.data) + ENTRY_OVERHEAD_BYTES


class RaftLog:
    """Entries ``first_index`` to ``last_index``, without gaps, terms never decreasing.

    Invariants: ``base_index`` is the entry before the first, and its term is known, so that the first can be verified;
    ``stable_index`` (everything up to it is on disk) is at most ``last_index``.
    """

    def __init__(self, snapshot: SnapshotMeta | None, entries: Sequence[Entry]) -> None:
        self.base_index = snapshot.index if snapshot else 0
        self.base_term = snapshot.term if snapshot else 0
        self._entries: list[Entry] = []
        self._configurations: list[tuple[int, Configuration]] = [
            (snapshot.configuration_index, snapshot.configuration) if snapshot else (0, Configuration())
        ]
        self.byte_size = 0
        if entries and entries[0].index <= self.base_index:
            # Entries were kept behind the snapshot: the oldest one only lends its index and term.
            self.base_index, self.base_term = entries[0].index, entries[0].term
            entries = entries[1:]
        for entry in entries:
            self._push(entry)
        self.stable_index = self.last_index

    @property
    def first_index(self) -> int:
        """Index of the oldest entry that is still here, or would be."""
        return self.base_index + 1

    @property
    def last_index(self) -> int:
        """Index of the newest entry."""
        return self.base_index + len(self._entries)

    @property
    def last_term(self) -> int:
        """Term of the newest entry."""
        return self._entries[-1].term if self._entries else self.base_term

    def term_at(self, index: int) -> int | None:
        """Return the term of the entry at that index, None where it is compacted away or not there yet."""
        if index == self.base_index:
            return self.base_term
        if self.base_index < index <= self.last_index:
            return self._entries[index - self.base_index - 1].term
        return None

    def matches(self, index: int, term: int) -> bool:
        """Return whether the entry at that index is of that term, and so is the same as the one meant (Log Matching)."""
        return self.term_at(index) == term

    def is_up_to_date(self, last_index: int, last_term: int) -> bool:
        """Return whether a log that ends so is at least as up-to-date as this one (paper, section 5.4.1)."""
        return (last_term, last_index) >= (self.last_term, self.last_index)

    def between(self, low: int, high: int) -> list[Entry]:
        """Return the entries from ``low`` to ``high``, both included. All must be here."""
        assert self.first_index <= low and high <= self.last_index, (low, high, self.first_index, self.last_index)
        return self._entries[low - self.base_index - 1 : high - self.base_index]

    def batch(self, low: int, max_bytes: int) -> tuple[Entry, ...]:
        """Return the entries from ``low`` on that fit into ``max_bytes``, one at least where there is one."""
        start = low - self.base_index - 1
        total = 0
        for position in range(start, len(self._entries)):
            total += entry_bytes(self._entries[position])
            if total > max_bytes and position > start:
                return tuple(self._entries[start:position])
        return tuple(self._entries[start:])

    def last_index_at_or_below(self, index: int, term: int) -> int:
        """Return the largest index up to ``index`` whose entry is of at most that term; ``base_index`` where none is known to be.

        This is what lets a leader and a follower skip a whole term in one exchange (paper, end of section 5.3).
        """
        index = min(index, self.last_index)
        while index > self.base_index and self._entries[index - self.base_index - 1].term > term:
            index -= 1
        return max(index, self.base_index)

    def append(self, entry: Entry) -> None:
        """Add one entry behind the last."""
        assert entry.index == self.last_index + 1, (entry.index, self.last_index)
        assert entry.term >= self.last_term, (entry.term, self.last_term)
        self._push(entry)

    def truncate_from(self, index: int) -> None:
        """Forget the entries from that index on, and the configurations in them (thesis, section 4.1)."""
        assert index > self.base_index, (index, self.base_index)
        for entry in self._entries[index - self.base_index - 1 :]:
            self.byte_size -= entry_bytes(entry)
        del self._entries[index - self.base_index - 1 :]
        self.stable_index = min(self.stable_index, index - 1)
        while self._configurations[-1][0] >= index:
            self._configurations.pop()

    def compact(self, through_index: int) -> None:
        """Forget the entries up to that index, which a snapshot covers. Never goes back."""
        if through_index <= self.base_index:
            return
        term = self.term_at(through_index)
        assert term is not None, (through_index, self.last_index)
        count = through_index - self.base_index
        for entry in self._entries[:count]:
            self.byte_size -= entry_bytes(entry)
        del self._entries[:count]
        self.base_index, self.base_term = through_index, term
        while len(self._configurations) > 1 and self._configurations[1][0] <= through_index:
            self._configurations.pop(0)

    def reset_to(self, snapshot: SnapshotMeta) -> None:
        """Begin anew behind a snapshot that was installed; all entries are gone."""
        self._entries.clear()
        self.byte_size = 0
        self.base_index, self.base_term = snapshot.index, snapshot.term
        self.stable_index = snapshot.index
        self._configurations = [(snapshot.configuration_index, snapshot.configuration)]

    @property
    def unstable(self) -> tuple[Entry, ...]:
        """Entries that are not on disk yet."""
        return tuple(self._entries[self.stable_index - self.base_index :])

    @property
    def configuration_index(self) -> int:
        """Index of the entry that holds the configuration in force."""
        return self._configurations[-1][0]

    @property
    def configuration(self) -> Configuration:
        """The newest configuration in the log, committed or not: it is the one in force (thesis, section 4.1)."""
        return self._configurations[-1][1]

    def configurations_from(self, index: int) -> list[Configuration]:
        """Return the configuration in force at that index, as far as it is known, and all that follow it."""
        later = [configuration for at, configuration in self._configurations if at > index]
        return [self.configuration_at(index)[1], *later]

    def configuration_at(self, index: int) -> tuple[int, Configuration]:
        """Return the newest configuration at or before that index, and the index of its entry."""
        return next(
            item for item in reversed(self._configurations) if item[0] <= index or item is self._configurations[0]
        )

    def _push(self, entry: Entry) -> None:
        self._entries.append(entry)
        self.byte_size += entry_bytes(entry)
        if entry.kind is EntryKind.CONFIGURATION and entry.index > self.configuration_index:
            # An older one, of an entry kept behind a snapshot, would come after the one that the snapshot brings.
            assert entry.configuration is not None
            self._configurations.append((entry.index, entry.configuration))
