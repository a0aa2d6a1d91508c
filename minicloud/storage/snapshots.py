"""The snapshots on disk: which one is the newest, reading it, and putting another in its place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from attrs import frozen

from minicloud.raft.entries import SnapshotMeta
from minicloud.storage.errors import Damaged, UnsupportedFormat
from minicloud.storage.fail_stop import FailStop
from minicloud.storage.files import Files
from minicloud.storage.garbage import Garbage
from minicloud.storage.snapshot_format import READ_BYTES, SnapshotParser, checked_payloads, read_snapshot_header
from minicloud.storage.whole_files import TEMPORARY_SUFFIX
from minicloud.wire.snapshots import SnapshotHeader

SNAPSHOT_FOLDER = "snapshots"

_NAME = re.compile(r"([0-9]{20})-([0-9]{20})\.snapshot")


@frozen
class DurableSnapshot:
    """A snapshot that is on disk under its own name."""

    header: SnapshotHeader
    path: str
    size: int
    """In bytes."""

    @property
    def meta(self) -> SnapshotMeta:
        """What it replaces."""
        return self.header.meta


def snapshot_path(meta: SnapshotMeta) -> str:
    """Return the path of a snapshot in the data folder."""
    return f"{SNAPSHOT_FOLDER}/{meta.index:020d}-{meta.term:020d}.snapshot"


def snapshot_paths(files: Files) -> list[str]:
    """Return the paths of the snapshots that are there, the newest last."""
    return [f"{SNAPSHOT_FOLDER}/{name}" for name in files.list(SNAPSHOT_FOLDER) if _NAME.fullmatch(name)]


def read_newest_snapshot(files: Files, cluster_id: str) -> DurableSnapshot | None:
    """Find the newest snapshot and check every byte of it.

    Raises:
        Damaged: it is not what was written, or belongs to another cluster.
        UnsupportedFormat: a later version wrote it.
    """
    paths = snapshot_paths(files)
    if not paths:
        return None
    name = files.describe(paths[-1])
    file = files.open_read(paths[-1])
    try:
        header = read_snapshot_header(file, name)
        for _ in checked_payloads(file, name):
            pass
        size = file.size()
    finally:
        file.close()
    if snapshot_path(header.meta) != paths[-1]:
        raise Damaged(name, 0, f"it is the snapshot at index {header.meta.index}, term {header.meta.term}")
    if header.cluster_id != cluster_id:
        raise Damaged(name, 0, f"it is of cluster {header.cluster_id!r}, this node is in {cluster_id!r}")
    return DurableSnapshot(header, paths[-1], size)


class SnapshotFolder:
    """The newest snapshot, the readers of snapshots, and the removal of older ones.

    Args:
        files: the data folder.
        fail_stop: guards the disk.
        garbage: takes what is not needed any more.
        newest: what :func:`read_newest_snapshot` found.
    """

    def __init__(self, files: Files, fail_stop: FailStop, garbage: Garbage, newest: DurableSnapshot | None) -> None:
        self._files = files
        self._fail_stop = fail_stop
        self._garbage = garbage
        self._newest = newest
        self.is_damaged = False
        """Whether the newest snapshot was found not to be what was written."""
        self._readers: dict[str, int] = {}
        self._temporaries = 0

    @property
    def newest(self) -> DurableSnapshot | None:
        """The newest durable snapshot."""
        return self._newest

    def is_news(self, meta: SnapshotMeta) -> bool:
        """Return whether such a snapshot would be newer than what is here, or would take the place of a damaged one."""
        if self._newest is None or meta.index > self._newest.meta.index:
            return True
        # Who still reads the damaged file holds its name: Windows renames nothing to a file that is open.
        return self.is_damaged and snapshot_path(meta) == self._newest.path and self._newest.path not in self._readers

    def temporary_path(self) -> str:
        """Return a path for an unfinished snapshot, never the same twice."""
        self._temporaries += 1
        return f"{SNAPSHOT_FOLDER}/{self._temporaries}{TEMPORARY_SUFFIX}"

    def adopt(self, temporary_path: str, header: SnapshotHeader, size: int) -> None:
        """Make a finished, synced and closed file the newest snapshot; on disk on return. Raises OSError."""
        older = self._newest
        path = snapshot_path(header.meta)
        self._files.rename(temporary_path, path)
        self._files.sync_dir(SNAPSHOT_FOLDER)
        self._newest = DurableSnapshot(header, path, size)
        self.is_damaged = False
        if older is not None and older.path != path and older.path not in self._readers:
            self._garbage.add(older.path, in_slices=True)

    def open_newest(self) -> SnapshotSource | None:
        """Open the newest snapshot for reading; None where there is none, or a damaged one."""
        if self._newest is None or self.is_damaged:
            return None
        source = SnapshotSource(self, self._files, self._fail_stop, self._newest)
        self._readers[self._newest.path] = self._readers.get(self._newest.path, 0) + 1
        return source

    def note_damage(self, snapshot: DurableSnapshot) -> None:
        """Take note that a snapshot is not what was written. Nobody reads it from now on."""
        self.is_damaged = self.is_damaged or snapshot is self._newest

    def release(self, path: str) -> None:
        """Take note that a reader is done. A snapshot that is not the newest any more goes with its last reader."""
        self._readers[path] -= 1
        if self._readers[path]:
            return
        del self._readers[path]
        if self._newest is not None and self._newest.path != path:
            self._garbage.add(path, in_slices=True)


class SnapshotSource:
    """A snapshot open for reading. It stays readable while newer ones take its place, until it is closed."""

    def __init__(self, folder: SnapshotFolder, files: Files, fail_stop: FailStop, snapshot: DurableSnapshot) -> None:
        self._folder = folder
        self._fail_stop = fail_stop
        self._snapshot = snapshot
        self._name = files.describe(snapshot.path)
        with fail_stop:
            self._file = files.open_read(snapshot.path)
        self._is_open = True
        self._parser = SnapshotParser(self._name)
        self._checked_bytes = 0

    @property
    def meta(self) -> SnapshotMeta:
        """What it replaces."""
        return self._snapshot.meta

    @property
    def cluster_id(self) -> str:
        """The cluster whose state it is."""
        return self._snapshot.header.cluster_id

    @property
    def total_bytes(self) -> int:
        """Size of the file."""
        return self._snapshot.size

    def read(self, offset: int, length: int) -> bytes:
        """Return some of the file's bytes, as they are to be sent to a peer.

        What is read in the file's order is checked, each time that it is read from the start: the disk may have changed
        it since it was written. Once damage was found, nobody can open that snapshot any more.

        Args:
            offset: from the start of the file, in bytes.
            length: how many at most; READ_BYTES is the limit, whatever is asked for.

        Raises:
            Damaged: the bytes so far are not what was written.
            StorageFailed: the system refused.
        """
        with self._fail_stop:
            data = self._file.read(offset, min(length, READ_BYTES))
        if offset == 0:
            self._parser, self._checked_bytes = SnapshotParser(self._name), 0
        if offset == self._checked_bytes:
            self._check(data)
        return data

    def _check(self, data: bytes) -> None:
        try:
            self._parser.feed(data)
            self._checked_bytes += len(data)
            if self._checked_bytes >= self.total_bytes or not data:
                self._parser.finish()
        except (Damaged, UnsupportedFormat) as error:
            self._folder.note_damage(self._snapshot)
            if isinstance(error, Damaged):
                raise
            raise Damaged(self._name, 0, str(error)) from None  # this version wrote it, or has read it before

    def records(self) -> Iterator[bytes]:
        """Read the file in slices and yield the payloads between header and end, each one checked.

        Raises:
            Damaged: they are not what was written.
            StorageFailed: the system refused.
        """
        with self._fail_stop:
            yield from checked_payloads(self._file, self._name)

    def close(self) -> None:
        """Let the file go. Closing twice does nothing."""
        if self._is_open:
            self._is_open = False
            self._file.close()
            self._folder.release(self._snapshot.path)
