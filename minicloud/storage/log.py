"""The log while the node runs: append, sync, begin a new segment, drop old ones, begin anew."""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from attrs import frozen

from minicloud.raft.entries import Entry
from minicloud.storage.errors import DiskFull
from minicloud.storage.files import AppendFile, Files
from minicloud.storage.garbage import Garbage
from minicloud.storage.log_reader import LogContent
from minicloud.storage.segment import (
    LOG_FOLDER,
    Segment,
    SegmentContent,
    SegmentHeader,
    encode_records,
    new_segment,
    segment_path,
)
from minicloud.storage.terms import TermRuns
from minicloud.storage.whole_files import prepare, publish, replace_whole, room_for
from minicloud.wire.entries import encode_entry

FIRST_SEGMENT = 1
_MARK = b""


def first_segment_content() -> bytes:
    """Return what the only segment of an empty log consists of."""
    return new_segment(FIRST_SEGMENT, SegmentHeader(next_index=1, starts_log=True))[0]


def make_empty_log(files: Files) -> None:
    """Make the log of a new data folder. Raises DiskFull, OSError."""
    replace_whole(files, segment_path(FIRST_SEGMENT), first_segment_content())


@frozen
class NewSegment:
    """A segment that is on disk, but without its name still, so that it means nothing."""

    segment: Segment


class Log:
    """The segments of a data folder, the newest one open for writing.

    Every method raises OSError where the system refuses; nothing more may be written after that.

    Args:
        files: the data folder.
        garbage: takes segments that are not needed any more.
        segment_bytes: a segment that has reached this size is followed by a new one.
        content: what was read; one of :meth:`go_on` and :meth:`replace_at_start` comes next.
    """

    def __init__(self, files: Files, garbage: Garbage, segment_bytes: int, content: LogContent) -> None:
        self._files = files
        self._garbage = garbage
        self._segment_bytes = segment_bytes
        self._segments = content.segments
        self._terms = TermRuns(content.first_index)
        for entry in content.entries:
            self._terms.put(entry.index, entry.term)
        self._file: AppendFile | None = None
        self._synced = 0
        """How much of the newest segment is on disk."""
        self._proven = 0
        """How much of it is known to be on disk after a crash, too (see :mod:`minicloud.storage.segment`)."""
        self._closed_content: SegmentContent | None = None
        """Newest segment as a clean close left it, until something is appended: a start that is refused, or that writes
        nothing, leaves the folder as it was."""

    # At the start

    def go_on(self, content: LogContent) -> None:
        """Make the log that was read ready for writing. Raises DiskFull."""
        newest = content.newest
        is_unproven = newest.torn or newest.end > newest.proven
        if is_unproven and not newest.torn and not self._has_unproven_entries(newest):
            self._closed_content = newest  # only the mark of a clean close is unproven, and nothing depends on it
            self._synced = self._proven = self._segments[-1].size
        elif is_unproven:
            self._carry_over(newest)
        else:
            self._open(self._segments[-1])
        self._remove_at_once(content.void_paths)

    @staticmethod
    def _has_unproven_entries(newest: SegmentContent) -> bool:
        return bisect_left(newest.offsets, newest.proven) < len(newest.offsets)

    def _carry_over(self, newest: SegmentContent) -> None:
        """Put what may be in memory only into a new segment, which is on disk for certain."""
        split = bisect_left(newest.offsets, newest.proven)
        indexes = newest.indexes[split:] or [self.next_index]
        carried = [bytes(payload) for payload in newest.payloads[split:]]
        new = self._prepare(SegmentHeader(indexes[0], previous_bytes=newest.proven), carried)
        new.segment.first_index = min(indexes)
        new.segment.last_index = self.next_index - 1
        older = self._segments[-1]
        older.size = newest.proven
        if split:
            older.last_index = newest.indexes[split - 1]
        self._begin(new)

    def replace_at_start(self, content: LogContent, next_index: int) -> None:
        """Void the log that was read and begin an empty one. Raises DiskFull."""
        old_paths = [*content.void_paths, *(segment.path for segment in self._segments)]
        self._terms = TermRuns(next_index)
        new = self.prepare_restart(next_index)
        self._segments = []
        self._begin(new)
        self._remove_at_once(old_paths)

    def _remove_at_once(self, paths: Iterable[str]) -> None:
        for path in paths:
            self._files.remove(path)
        self._files.sync_dir(LOG_FOLDER)

    # While it runs

    @property
    def first_index(self) -> int:
        """Index of the oldest entry, or that it would have."""
        return self._segments[0].first_index

    @property
    def next_index(self) -> int:
        """Index that the next entry will have."""
        return self._terms.next_index

    @property
    def size(self) -> int:
        """Size of the segments that count, in bytes."""
        return sum(segment.size for segment in self._segments)

    def holds(self, index: int, term: int) -> bool:
        """Return whether there is an entry of that index and term."""
        return self._terms.holds(index, term)

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries, in one system call. They are on disk after :meth:`sync`.

        Args:
            entries: without gaps; the first one is the next, or takes the place of one that is there.

        Raises:
            DiskFull: nothing changed.
        """
        if self._closed_content is not None:
            self._carry_over(self._closed_content)
        newest = self._segments[-1]
        payloads = [encode_entry(entry) for entry in entries]
        data = encode_records(newest.number, newest.size, self._synced, payloads)
        assert self._file is not None
        try:
            with room_for(self._files, newest.path):
                self._file.write(data)
        except DiskFull:
            self._file.truncate(newest.size)
            self._file.sync()  # or a power loss might bring back what we say was not written
            self._synced = newest.size
            raise
        newest.size += len(data)
        self._proven = self._synced
        self._note(entries)

    def _note(self, entries: Sequence[Entry]) -> None:
        for segment in reversed(self._segments):
            if segment.first_index <= entries[0].index:
                break
            segment.first_index = entries[0].index
        for entry in entries:
            self._terms.put(entry.index, entry.term)
        self._segments[-1].last_index = entries[-1].index

    def sync(self) -> None:
        """Return when all that was appended is on disk; begin a new segment where it is time."""
        newest = self._segments[-1]
        if newest.size == self._synced:
            return
        assert self._file is not None
        self._file.sync()
        self._synced = newest.size
        if newest.size >= self._segment_bytes:
            with contextlib.suppress(DiskFull):  # then this one grows until there is room
                self._begin(self._prepare(SegmentHeader(self.next_index, previous_bytes=newest.size)))

    def compact(self, through_index: int) -> None:
        """Give up the oldest segments, as long as they hold only entries up to that index."""
        while len(self._segments) > 1 and self._segments[0].last_index <= through_index:
            self._garbage.add(self._segments.pop(0).path, in_slices=False)

    def prepare_restart(self, next_index: int) -> NewSegment:
        """Make all that a log needs which begins anew at that index, so that :meth:`restart` needs no room.

        Raises:
            DiskFull: nothing changed.
        """
        return self._prepare(SegmentHeader(next_index, starts_log=True))

    def restart(self, new: NewSegment) -> None:
        """Void the log and begin an empty one. On disk on return, in one step."""
        old, self._segments = self._segments, []
        self._begin(new)
        self._terms = TermRuns(new.segment.first_index)
        for segment in old:
            self._garbage.add(segment.path, in_slices=False)

    def close(self) -> None:
        """Mark what was synced as proven, so that later damage to it is found, and close the file."""
        newest = self._segments[-1]
        if self._file is None:
            return
        if self._proven < self._synced == newest.size:
            with contextlib.suppress(OSError):  # nothing depends on it
                self._file.write(encode_records(newest.number, newest.size, self._synced, [_MARK]))
                self._file.sync()
        self.abandon()

    def abandon(self) -> None:
        """Close the file as it is."""
        if self._file is not None:
            self._file.close()
            self._file = None

    # New segments

    def _prepare(self, header: SegmentHeader, carried: Sequence[bytes] = ()) -> NewSegment:
        number = self._segments[-1].number + 1
        data, _ = new_segment(number, header, carried)
        prepare(self._files, segment_path(number), data)
        return NewSegment(Segment(number, len(data), header.next_index, header.next_index - 1))

    def _begin(self, new: NewSegment) -> None:
        publish(self._files, new.segment.path)
        self._closed_content = None
        self._segments.append(new.segment)
        self.abandon()
        self._open(new.segment)

    def _open(self, segment: Segment) -> None:
        self._file = self._files.open_append(segment.path)
        self._synced = self._proven = segment.size
