"""The bytes of a snapshot file, which are also the bytes that peers send each other.

A line with kind and version; a header record (:class:`minicloud.wire.snapshots.SnapshotHeader`); the payloads, one
record each; an empty record that says: this is all. Records: see :mod:`minicloud.storage.frames`, with salt 0. Since a
record's place is in its checksum, none can be missing in the middle.
"""

from __future__ import annotations

from collections.abc import Iterator

from minicloud.raft.entries import SnapshotMeta
from minicloud.storage.errors import Damaged
from minicloud.storage.files import ReadFile
from minicloud.storage.frames import HEADER_BYTES, BadFrame, check_magic, frame, magic, parse_frame
from minicloud.wire.errors import WireError
from minicloud.wire.snapshots import SnapshotHeader, decode_snapshot_header, encode_snapshot_header

READ_BYTES = 256 * 1024
"""How much of a snapshot is read, checked or sent in one step: takes below a millisecond."""

_KIND = "snapshot"
_MAGIC = magic(_KIND)
_SALT = 0


def snapshot_start(cluster_id: str, meta: SnapshotMeta) -> bytes:
    """Return what a snapshot file begins with."""
    return _MAGIC + snapshot_record(len(_MAGIC), encode_snapshot_header(SnapshotHeader(cluster_id, meta)))


def snapshot_record(offset: int, payload: bytes) -> bytes:
    """Return the record of a payload that stands at ``offset`` of the file; an empty payload ends the snapshot.

    Raises:
        ValueError: the payload is too long.
    """
    return frame(_SALT, offset, payload)


class SnapshotParser:
    """Takes a snapshot's bytes in order, in pieces of any size, and checks every one of them.

    Args:
        file: name of the file, for errors.
    """

    def __init__(self, file: str) -> None:
        self._file = file
        self._pending = bytearray()
        self._offset = 0
        self.header: SnapshotHeader | None = None
        """Set as soon as the header has come."""
        self.is_complete = False
        """Whether the end has come, and everything before it was good."""

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the payloads that they complete.

        Raises:
            Damaged: they are not what a writer of snapshots wrote.
            UnsupportedFormat: a later version wrote them.
        """
        self._pending += data
        if self._offset == 0:
            if len(self._pending) < len(_MAGIC):
                return []
            self._consume(check_magic(bytes(self._pending), _KIND, self._file))
        return [payload for payload in self._records() if payload]

    def _records(self) -> Iterator[bytes]:
        position = 0
        while True:
            if self.is_complete and position < len(self._pending):
                raise Damaged(self._file, self._offset + position, "something follows the end")
            found = parse_frame(self._pending, position, _SALT, self._offset + position)
            if isinstance(found, BadFrame):
                if not found.is_short:
                    raise Damaged(self._file, self._offset + position, found.reason)
                break
            payload = bytes(found)
            found.release()
            yield self._take(payload, self._offset + position)
            position += HEADER_BYTES + len(payload)
        self._consume(position)

    def _take(self, payload: bytes, offset: int) -> bytes:
        """Return what of that record is a payload, empty where it is none."""
        if not payload:
            self.is_complete = self.header is not None
        if self.header is not None:
            return payload
        try:
            self.header = decode_snapshot_header(payload)
        except WireError as error:
            raise Damaged(self._file, offset, f"no snapshot header: {error}") from None
        return b""

    def _consume(self, length: int) -> None:
        del self._pending[:length]
        self._offset += length

    def finish(self) -> None:
        """Take note that no more bytes come. Raises Damaged where the snapshot is not complete."""
        if not self.is_complete:
            raise Damaged(self._file, self._offset, "it is cut short")


def checked_payloads(file: ReadFile, name: str) -> Iterator[bytes]:
    """Read a snapshot in slices and yield its payloads, each one checked.

    Args:
        file: the snapshot.
        name: of the file, for errors.

    Raises:
        Damaged, UnsupportedFormat: see SnapshotParser.
    """
    parser = SnapshotParser(name)
    offset = 0
    while data := file.read(offset, READ_BYTES):
        offset += len(data)
        yield from parser.feed(data)
    parser.finish()


def read_snapshot_header(file: ReadFile, name: str) -> SnapshotHeader:
    """Return what a snapshot says of itself. Raises as :func:`checked_payloads`."""
    parser = SnapshotParser(name)
    offset = 0
    while parser.header is None:
        data = file.read(offset, READ_BYTES)
        offset += len(data)
        parser.feed(data)
        if not data:
            parser.finish()
    return parser.header
