"""Snapshots that come into being: written by this node, or received from the leader."""

from __future__ import annotations

from collections.abc import Iterator

from minicloud.raft.entries import SnapshotMeta
from minicloud.storage.errors import BadSnapshot, Damaged, DiskFull, UnsupportedFormat
from minicloud.storage.fail_stop import FailStop
from minicloud.storage.files import AppendFile, Files, ReadFile
from minicloud.storage.snapshot_format import SnapshotParser, checked_payloads, snapshot_record, snapshot_start
from minicloud.storage.snapshots import SnapshotFolder
from minicloud.storage.whole_files import discard, room_for
from minicloud.wire.snapshots import SnapshotHeader

SYNC_BYTES = 1024 * 1024
"""How much of a snapshot is written between syncs: about a millisecond, so that no single call stalls the reactor."""


class UnfinishedFile:
    """A snapshot on its way to the disk, under a temporary name, synced as it grows."""

    def __init__(self, files: Files, path: str) -> None:
        self._files = files
        self.path = path
        self.size = 0
        self._unsynced = 0
        with room_for(files, path):
            self._file: AppendFile | None = files.create(path)

    def write(self, data: bytes) -> None:
        """Append. Raises DiskFull and OSError; in both cases the file is of no use any more."""
        file = self._open_file()
        with room_for(self._files, self.path):
            file.write(data)
        self.size += len(data)
        self._unsynced += len(data)
        if self._unsynced >= SYNC_BYTES:
            self.sync()

    def sync(self) -> None:
        """Return when all of it is on disk."""
        self._open_file().sync()
        self._unsynced = 0

    def _open_file(self) -> AppendFile:
        if self._file is None:
            raise ValueError("this snapshot is finished or given up")
        return self._file

    def close(self) -> None:
        """Close it without removing it."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Close and remove it. Doing so twice, or after it was published, does nothing."""
        if self._file is not None:
            self.close()
            discard(self._files, self.path)


class SnapshotWriter:
    """A snapshot that this node takes of its own state, in as many steps as it likes.

    Args:
        folder: takes it when it is done.
        files: the data folder.
        fail_stop: guards the disk.
        header: what the file begins with.
    """

    def __init__(self, folder: SnapshotFolder, files: Files, fail_stop: FailStop, header: SnapshotHeader) -> None:
        self._folder = folder
        self._fail_stop = fail_stop
        self._header = header
        with fail_stop:
            self._unfinished = UnfinishedFile(files, folder.temporary_path())
            self._write(snapshot_start(header.cluster_id, header.meta))

    def write(self, payload: bytes) -> None:
        """Add a payload.

        Args:
            payload: one JSON value of :mod:`minicloud.wire.snapshots`, of at most MAX_PAYLOAD_BYTES; about 256 KiB keep
                every call below a few milliseconds.

        Raises:
            DiskFull: there was no room; the snapshot is given up, the one before it stays.
            StorageFailed: the system refused.
        """
        if not payload:
            raise ValueError("an empty payload would end the snapshot")
        with self._fail_stop:
            self._write(snapshot_record(self._unfinished.size, payload))

    def _write(self, data: bytes) -> None:
        try:
            self._unfinished.write(data)
        except DiskFull:
            self._unfinished.discard()
            raise

    def commit(self) -> bool:
        """Make it the newest snapshot; on disk on return. The one before it is removed.

        Returns:
            False where a newer one (received from the leader) has overtaken it: this one is given up.

        Raises:
            DiskFull, StorageFailed: as :meth:`write`.
        """
        with self._fail_stop:
            self._write(snapshot_record(self._unfinished.size, b""))
            self._unfinished.sync()
            if not self._folder.is_news(self._header.meta):
                self._unfinished.discard()
                return False
            self._unfinished.close()
            self._folder.adopt(self._unfinished.path, self._header, self._unfinished.size)
            return True

    def abort(self) -> None:
        """Give it up. Does nothing where it is committed or given up already."""
        self._unfinished.discard()


class IncomingSnapshot:
    """A snapshot that the leader sends, in chunks. Each byte is checked when it comes.

    Args:
        files: the data folder.
        fail_stop: guards the disk.
        path: for the unfinished file.
        expected: the header that it must have.
        total_bytes: size that was announced.
    """

    def __init__(
        self, files: Files, fail_stop: FailStop, path: str, expected: SnapshotHeader, total_bytes: int
    ) -> None:
        self._files = files
        self._fail_stop = fail_stop
        self._expected = expected
        self._total_bytes = total_bytes
        self._parser = SnapshotParser("the snapshot from the leader")
        self._is_over = False
        self._reader: ReadFile | None = None
        with fail_stop:
            self._unfinished = UnfinishedFile(files, path)

    @property
    def header(self) -> SnapshotHeader:
        """What was announced, and what was found to be in it once it is complete."""
        return self._expected

    @property
    def meta(self) -> SnapshotMeta:
        """What it replaces."""
        return self._expected.meta

    @property
    def total_bytes(self) -> int:
        """Size that was announced."""
        return self._total_bytes

    @property
    def received_bytes(self) -> int:
        """How many bytes have come: where the next chunk begins."""
        return self._unfinished.size

    @property
    def is_complete(self) -> bool:
        """Whether all of it is here, good, and synced."""
        return self._parser.is_complete and self.received_bytes == self._total_bytes and not self._is_over

    def write_chunk(self, offset: int, data: bytes) -> None:
        """Take a chunk. One that does not begin at ``received_bytes`` (again, or too early) is ignored.

        Args:
            offset: of the chunk, in bytes from the start.
            data: 256 KiB or so.

        Raises:
            BadSnapshot: it is not what was announced; the transfer is given up.
            DiskFull: there was no room; the transfer is given up.
            StorageFailed: the system refused.
        """
        if offset != self.received_bytes or not data or self.is_complete:
            return
        with self._fail_stop:
            try:
                self._check(data)
                self._unfinished.write(data)
                if self.is_complete:
                    self._unfinished.sync()
                    self._unfinished.close()
            except (BadSnapshot, DiskFull):
                self.abort()
                raise

    def _check(self, data: bytes) -> None:
        received = self.received_bytes + len(data)
        if received > self._total_bytes:
            raise BadSnapshot(f"{received} bytes of a snapshot came, {self._total_bytes} were announced")
        try:
            self._parser.feed(data)
            if received == self._total_bytes:
                self._parser.finish()
        except (Damaged, UnsupportedFormat) as error:
            raise BadSnapshot(f"the leader sent a snapshot that can't be used: {error}") from None
        if self._parser.header is not None and self._parser.header != self._expected:
            raise BadSnapshot("the leader sent another snapshot than it announced")

    def records(self) -> Iterator[bytes]:
        """Read the complete snapshot in slices and yield its payloads, each one checked once more.

        One iterator at a time; it is of no use any more once the snapshot is installed or given up.

        Raises:
            ValueError: it is not complete.
            Damaged: the disk did not keep what came.
            StorageFailed: the system refused.
        """
        if not self.is_complete:
            raise ValueError("the snapshot is not complete")
        self.close()
        with self._fail_stop:
            self._reader = self._files.open_read(self._unfinished.path)
            yield from checked_payloads(self._reader, self._files.describe(self._unfinished.path))
            self.close()

    def close(self) -> None:
        """Close the file that :meth:`records` reads, so that it can be renamed."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def take(self) -> str:
        """Hand the file over, to be renamed: return where it is."""
        self.close()
        self._is_over = True
        return self._unfinished.path

    def abort(self) -> None:
        """Give it up. Does nothing where it was installed or given up already."""
        if not self._is_over:
            self._is_over = True
            self.close()
            self._unfinished.close()
            discard(self._files, self._unfinished.path)
