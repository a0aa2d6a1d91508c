"""Reading the whole log at the start of a node, without changing anything."""

from __future__ import annotations

from attrs import Factory, define

from minicloud.raft.entries import Entry, SnapshotMeta
from minicloud.storage.errors import Damaged
from minicloud.storage.files import Files
from minicloud.storage.segment import (
    LOG_FOLDER,
    Segment,
    SegmentContent,
    SegmentHeader,
    read_header,
    read_newest_segment,
    read_older_segment,
    segment_numbers,
    segment_path,
)
from minicloud.wire.entries import decode_entry
from minicloud.wire.errors import WireError


@define
class LogContent:
    """What the log on disk says."""

    first_index: int
    """Index of the first entry, or that it would have."""
    entries: list[Entry] = Factory(list)
    """Without gaps from ``first_index``."""
    segments: list[Segment] = Factory(list)
    """From the oldest that counts."""
    void_paths: list[str] = Factory(list)
    """Segments that do not count any more, since the log began anew after them."""
    newest: SegmentContent = Factory(SegmentContent)
    """Of the newest segment."""

    @property
    def next_index(self) -> int:
        """Index that the next entry will have."""
        return self.first_index + len(self.entries)

    def holds(self, index: int, term: int) -> bool:
        """Return whether there is an entry of that index and term."""
        position = index - self.first_index
        return 0 <= position < len(self.entries) and self.entries[position].term == term

    def continues(self, snapshot: SnapshotMeta) -> bool:
        """Return whether the log goes on where that snapshot ends (paper, figure 13, steps 6 and 7)."""
        return self.first_index == snapshot.index + 1 or self.holds(snapshot.index, snapshot.term)

    def put(self, entry: Entry) -> bool:
        """Add an entry, or replace what is at its index and after it. Returns False where that would leave a gap."""
        if entry.index > self.next_index:
            return False
        if entry.index < self.next_index:
            del self.entries[max(0, entry.index - self.first_index) :]
            self.first_index = min(self.first_index, entry.index)
            for segment in self.segments:
                segment.first_index = min(segment.first_index, entry.index)
        self.entries.append(entry)
        return True


def read_log(files: Files, snapshot: SnapshotMeta | None) -> LogContent:
    """Read and check all segments that count.

    Args:
        files: the data folder.
        snapshot: the newest durable snapshot, up to which the log must reach back.

    Raises:
        Damaged: something that was on disk is missing or not as it was written.
        UnsupportedFormat: a later version wrote it.
    """
    numbers = segment_numbers(files)
    if not numbers:
        raise Damaged(files.describe(LOG_FOLDER), 0, "it has no segment")
    headers = _read_headers(files, numbers)
    first = min(headers)
    content = LogContent(headers[first][0].next_index)
    content.void_paths = [segment_path(number) for number in numbers if number < first]
    for number in range(first, numbers[-1] + 1):
        if number not in headers:
            raise Damaged(files.describe(segment_path(number)), 0, "it is missing")
        _read_segment(files, number, headers, content)
    first_wanted = 1 if snapshot is None else snapshot.index + 1
    if content.first_index > first_wanted:
        oldest, begins = files.describe(segment_path(first)), content.first_index
        raise Damaged(oldest, 0, f"the entries from {first_wanted} on are missing, the log begins with {begins}")
    return content


def _read_headers(files: Files, numbers: list[int]) -> dict[int, tuple[SegmentHeader, int]]:
    """Read the headers from the newest segment back to where the log begins; what is older is void."""
    headers: dict[int, tuple[SegmentHeader, int]] = {}
    for number in reversed(numbers):
        headers[number] = read_header(files, number)
        if headers[number][0].starts_log:
            break
    return headers


def _read_segment(
    files: Files, number: int, headers: dict[int, tuple[SegmentHeader, int]], content: LogContent
) -> None:
    header, start = headers[number]
    path = segment_path(number)
    if header.next_index > content.next_index:
        raise Damaged(files.describe(path), 0, f"the entries from {content.next_index} on are missing before it")
    successor = headers.get(number + 1)
    if successor is not None:
        found = read_older_segment(files, number, start, successor[0].previous_bytes)
    else:
        found = content.newest = read_newest_segment(files, number, header, start)
    segment = Segment(number, found.end, content.next_index, content.next_index - 1)
    content.segments.append(segment)
    for payload, offset in zip(found.payloads, found.offsets, strict=True):
        try:
            entry = decode_entry(payload)
        except WireError as error:
            raise Damaged(files.describe(path), offset, f"a record is no entry: {error}") from None
        if not content.put(entry):
            raise Damaged(files.describe(path), offset, f"entry {entry.index} follows entry {content.next_index - 1}")
        found.indexes.append(entry.index)
        segment.last_index = entry.index
