"""One segment of the log: its format, and how to tell a write that was cut short from damage.

A segment is a line with its kind and version, a header record, and log records, each

=========  ============================================================================================
bytes      what
=========  ============================================================================================
8          length and checksum (:mod:`minicloud.storage.frames`; the salt is the segment's number)
4          the *proven* offset: how much of this segment was on disk when this record was written
the rest   an entry as :func:`minicloud.wire.entries.encode_entry` makes it, or nothing: a *mark*
=========  ============================================================================================

**The tail.** A record that is not whole, at an offset X of the newest segment, is one of two things.

- *Torn*: it was written and not synced when the power went. Nobody was answered on the strength of it, nor of what
  follows it, so the log ends at X.
- *Damaged*: it was on disk, and nothing of this log may be used.

A later record tells: if one says that more than X bytes were proven, X was on disk. If none does, all that follows
belongs to one sync that may not have ended, and a disk may have done its parts in any order. What it has left out reads
as zeros. So if a whole record follows, and no sector in between is zeros, then nothing was left out: damage, too. Where
nothing whole follows it is torn; that an end which was synced, and never followed by anything, was damaged later, can't
be told from this. A *mark*, written when a log is closed in good order, closes that gap for everything before it.

**Replacement.** Nothing on disk is changed. A record whose index is not the next one takes the place of the entry
that had it, and of all entries after that one. The same holds between segments.

**What a restart does not know.** What follows the newest proven offset may be in memory only, though it reads well:
after a failed sync, systems take lost pages for written ones, and the next sync succeeds. So a restart carries these
records over into a new segment, which is synced before it gets its name, and whose header says how much of the one
before it counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec
from attrs import Factory, define, frozen

from minicloud.storage.errors import Damaged
from minicloud.storage.files import Files, read_all
from minicloud.storage.frames import HEADER_BYTES, MAX_PAYLOAD_BYTES, BadFrame, check_magic, frame, magic, parse_frame
from minicloud.wire.limits import MAX_COMMAND_BYTES

LOG_FOLDER = "log"

_KIND = "log"
_PROVEN_BYTES = 4
_SECTOR_BYTES = 512
"""The smallest part that a disk writes or leaves out as a whole; larger ones are multiples of it."""
_HEADER_READ_BYTES = 4096
"""More than first line and header take."""
_ENTRY_FRAME_BYTES = 2048
"""What an entry has around its command, generously."""
_NAME = re.compile(r"([0-9]{16})\.log")
_POSSIBLE_RECORD = re.compile(rb"\x00(?!\x00{11})")
"""Where a record can begin: the first byte of its length is zero, and its first twelve bytes are not all zeros."""

assert MAX_COMMAND_BYTES + _ENTRY_FRAME_BYTES + _PROVEN_BYTES <= MAX_PAYLOAD_BYTES, "the largest entry fits"


@frozen
class SegmentHeader:
    """What a segment says of itself and of the one before it."""

    next_index: int
    """Index of the entry that would have been next when the segment was made."""
    previous_bytes: int = 0
    """How much of the segment before this one counts; what follows there is carried over here, or was torn."""
    carried_bytes: int = 0
    """How many bytes of records were in this segment before it got its name: all on disk since."""
    starts_log: bool = False
    """The log begins anew here, at ``next_index``: everything in earlier segments is void."""


@define
class Segment:
    """What the log remembers of a segment."""

    number: int
    size: int
    """How many of its bytes count."""
    first_index: int
    """Where the log begins if this segment is the oldest."""
    last_index: int
    """Where the log ended when this segment did; no entry in it that still counts has a larger index."""

    @property
    def path(self) -> str:
        """Its path in the data folder."""
        return segment_path(self.number)


@define
class SegmentContent:
    """What was read from a segment."""

    payloads: list[memoryview] = Factory(list)
    """The entries' bytes, in the order of the file."""
    offsets: list[int] = Factory(list)
    """Where each entry's record begins."""
    indexes: list[int] = Factory(list)
    """Each entry's index, once they are decoded."""
    end: int = 0
    """Where the last good record ends."""
    proven: int = 0
    """How much of it is known to be on disk, whatever happens."""
    torn: str = ""
    """What is wrong with what follows ``end``; empty where nothing does."""


def segment_path(number: int) -> str:
    """Return the path of that segment in the data folder."""
    return f"{LOG_FOLDER}/{number:016d}.log"


def segment_numbers(files: Files) -> list[int]:
    """Return the numbers of the segments that are there, in order. Files of other names are none of ours."""
    matches = (_NAME.fullmatch(name) for name in files.list(LOG_FOLDER))
    return [int(match[1]) for match in matches if match is not None]


def new_segment(number: int, header: SegmentHeader, carried: Iterable[bytes] = ()) -> tuple[bytes, int]:
    """Return the content of a new segment, and the number of bytes before its records.

    Args:
        number: of the segment.
        header: ``carried_bytes`` is filled in.
        carried: the payloads of records that it begins with.
    """
    payloads = list(carried)
    carried_bytes = sum(HEADER_BYTES + _PROVEN_BYTES + len(payload) for payload in payloads)
    start = magic(_KIND)
    fields = {
        "next_index": header.next_index,
        "previous_bytes": header.previous_bytes,
        "carried_bytes": carried_bytes,
        "starts_log": header.starts_log,
    }
    start += frame(number, len(start), msgspec.json.encode(fields))
    return start + encode_records(number, len(start), 0, payloads), len(start)


def encode_records(number: int, offset: int, proven: int, payloads: Iterable[bytes]) -> bytes:
    """Return the records of some entries, that will stand at ``offset`` of a segment.

    Args:
        number: of the segment.
        offset: in bytes from its start.
        proven: how many of its bytes are on disk now.
        payloads: the entries' bytes; an empty one makes a mark.
    """
    proven_field = proven.to_bytes(_PROVEN_BYTES, "big")
    records: list[bytes] = []
    for payload in payloads:
        record = frame(number, offset, proven_field, payload)
        records.append(record)
        offset += len(record)
    return b"".join(records)


def read_header(files: Files, number: int) -> tuple[SegmentHeader, int]:
    """Return a segment's header, and where its records begin.

    Raises:
        Damaged, UnsupportedFormat: it can't be read. No crash leaves that: a segment gets its name when it is whole.
    """
    path = segment_path(number)
    file = files.open_read(path)
    try:
        data = file.read(0, _HEADER_READ_BYTES)
    finally:
        file.close()
    start = check_magic(data, _KIND, files.describe(path))
    payload = parse_frame(data, start, number, start)
    if isinstance(payload, BadFrame):
        raise Damaged(files.describe(path), start, payload.reason)
    return msgspec.json.decode(payload, type=SegmentHeader), start + HEADER_BYTES + len(payload)


def read_older_segment(files: Files, number: int, start: int, size: int) -> SegmentContent:
    """Return what a segment holds that is not the newest: on disk, all that counts, before the next one was made.

    Args:
        files: the data folder.
        number: of the segment.
        start: where its records begin.
        size: how much of it counts.

    Raises:
        Damaged: any of that is not as it was written.
    """
    path = segment_path(number)
    data = memoryview(read_all(files, path))[:size]
    content = SegmentContent(end=start, proven=size)
    bad = _read_records(data, number, content)
    if bad is None and content.end != size:
        bad = BadFrame("it is cut short")
    if bad is not None:
        raise Damaged(files.describe(path), content.end, bad.reason)
    return content


def read_newest_segment(files: Files, number: int, header: SegmentHeader, start: int) -> SegmentContent:
    """Return what the newest segment holds, up to a torn tail.

    Raises:
        Damaged: something of it that had been on disk is not as it was written.
    """
    path = segment_path(number)
    data = memoryview(read_all(files, path))
    content = SegmentContent(end=start, proven=start + header.carried_bytes)
    bad = _read_records(data, number, content)
    if bad is None and content.end < content.proven:
        bad = BadFrame("it is cut short")
    if bad is not None:
        if content.end < content.proven or not _is_torn(data, number, content.end):
            raise Damaged(files.describe(path), content.end, bad.reason)
        content.torn = bad.reason
    return content


def _read_records(data: memoryview, number: int, content: SegmentContent) -> BadFrame | None:
    """Read the records from ``content.end`` on; return what stopped it, None at the end of the data."""
    position = content.end
    while position < len(data):
        payload = parse_frame(data, position, number, position)
        if isinstance(payload, BadFrame):
            return payload
        if len(payload) < _PROVEN_BYTES:
            return BadFrame("a record is too short")
        content.proven = max(content.proven, _proven(payload))
        if len(payload) > _PROVEN_BYTES:
            content.payloads.append(payload[_PROVEN_BYTES:])
            content.offsets.append(position)
        position += HEADER_BYTES + len(payload)
        content.end = position
    return None


def _proven(payload: memoryview) -> int:
    return int.from_bytes(payload[:_PROVEN_BYTES], "big")


def _is_torn(data: memoryview, number: int, bad: int) -> bool:
    """Return whether the bad record at that offset can be a write that was cut short (see the top of this file)."""
    first_later = 0
    for position, payload in _later_records(data, number, bad):
        if _proven(payload) > bad:
            return False
        first_later = first_later or position
    return not first_later or _misses_a_sector(data, bad, first_later)


def _later_records(data: memoryview, number: int, bad: int) -> Iterator[tuple[int, memoryview]]:
    """Find the good records after a bad one, wherever they begin."""
    position = bad + 1
    while (match := _POSSIBLE_RECORD.search(data, position)) is not None:
        payload = _plausible_record(data, match.start(), number)
        if payload is None:
            position = match.start() + 1
        else:
            yield match.start(), payload
            position = match.start() + HEADER_BYTES + len(payload)


def _plausible_record(data: memoryview, position: int, number: int) -> memoryview | None:
    proven_at = position + HEADER_BYTES
    if int.from_bytes(data[proven_at : proven_at + _PROVEN_BYTES], "big") > position:
        return None  # spares the checksum over most of what is random
    payload = parse_frame(data, position, number, position)
    return None if isinstance(payload, BadFrame) or len(payload) < _PROVEN_BYTES else payload


def _misses_a_sector(data: memoryview, start: int, end: int) -> bool:
    """Return whether some sector's part of these bytes is all zeros."""
    while start < end:
        sector_end = min(end, (start // _SECTOR_BYTES + 1) * _SECTOR_BYTES)
        if not any(data[start:sector_end]):
            return True
        start = sector_end
    return False
