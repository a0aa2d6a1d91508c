"""The face of the room: one data folder, opened, checked, locked, and written to in ways that survive a crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import evolve, frozen

from minicloud.raft.entries import Entry, HardState, SnapshotMeta
from minicloud.storage.fail_stop import FailStop
from minicloud.storage.files import Files, Lock
from minicloud.storage.folder import FoundFolder, lock_folder, make_folder, read_folder, tidy_folder
from minicloud.storage.garbage import Garbage
from minicloud.storage.hard_state import write_hard_state
from minicloud.storage.identity import Identity, write_identity
from minicloud.storage.log import Log
from minicloud.storage.snapshot_intake import IncomingSnapshot, SnapshotWriter
from minicloud.storage.snapshots import SnapshotFolder, SnapshotSource
from minicloud.wire.limits import MAX_COMMAND_BYTES
from minicloud.wire.snapshots import SnapshotHeader

SEGMENT_BYTES = 16 * 1024 * 1024
"""Size at which a log segment is followed by a new one: small enough to be removed in 4 ms, large enough to be rare."""


@frozen
class Recovered:
    """What was on disk when the folder was opened."""

    hard_state: HardState
    snapshot: SnapshotMeta | None
    """The newest snapshot; open_snapshot reads it."""
    entries: tuple[Entry, ...]
    """Without gaps; begins at or before the entry after the snapshot."""
    notes: tuple[str, ...]
    """What a person should know, one line each, such as where a torn tail was cut."""


class Storage:
    """What one node keeps on disk. Nothing here is thread-safe, and every call blocks until the disk has done it.

    Every method that writes raises StorageFailed where the system refuses, and from then on always: the process must
    end, and a restart finds out what is on disk. DiskFull is no failure: nothing was changed, and the call may be
    made again.
    """

    def __init__(self, files: Files, fail_stop: FailStop, lock: Lock, segment_bytes: int, found: FoundFolder) -> None:
        """Take a folder that was read; :meth:`open` is the way to get one."""
        self._files = files
        self._fail_stop = fail_stop
        self._lock = lock
        self._garbage = Garbage(files)
        self._hard_state = found.hard_state
        self._identity = found.identity
        self._snapshots = SnapshotFolder(files, fail_stop, self._garbage, found.snapshot)
        self._log = Log(files, self._garbage, segment_bytes, found.log)
        self.is_new = found.is_new
        """Whether there was nothing before."""
        self.recovered = Recovered(found.hard_state, found.snapshot_meta, found.entries, found.notes)
        """What was on disk; see :meth:`forget_recovered`."""

    @classmethod
    def open(
        cls,
        files: Files,
        *,
        node_id: str,
        new_instance_id: Callable[[], str],
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Storage:
        """Open a data folder, or make it; check all that is in it.

        Args:
            files: the folder.
            node_id: whose it must be.
            new_instance_id: makes the instance id of a new folder.
            segment_bytes: size at which a log segment is followed by a new one.

        Raises:
            FolderInUse: another process has it.
            ForeignFolder: it is another node's.
            Damaged: what was on disk is not what was written. Nothing was changed.
            UnsupportedFormat: a later version wrote it. Nothing was changed.
            DiskFull: there is no room to begin.
            StorageFailed: the system refused.
        """
        fail_stop = FailStop(files.describe(""))
        with fail_stop:
            lock = lock_folder(files)
            try:
                found = read_folder(files, node_id) or make_folder(files, node_id, new_instance_id())
                storage = cls(files, fail_stop, lock, segment_bytes, found)
                tidy_folder(files, found)
                storage._begin(found)
            except BaseException:
                lock.release()
                raise
        return storage

    def _begin(self, found: FoundFolder) -> None:
        if found.snapshot_meta is not None and found.is_log_superseded:
            self._log.replace_at_start(found.log, found.snapshot_meta.index + 1)
        else:
            self._log.go_on(found.log)

    def forget_recovered(self) -> None:
        """Give up the recovered entries, so that their memory can go when nobody else holds them."""
        self.recovered = evolve(self.recovered, entries=())

    def close(self) -> None:
        """Close all files and unlock the folder. What was not synced may be lost. Closing twice does nothing."""
        if self._fail_stop.failure is None:
            self._log.close()
        self._log.abandon()
        self._lock.release()

    # Who it is

    @property
    def identity(self) -> Identity:
        """Whose folder it is."""
        return self._identity

    def set_cluster(self, cluster_id: str) -> None:
        """Note which cluster this node is part of, once and for all; on disk on return.

        Raises:
            ValueError: it is part of another one.
            DiskFull, StorageFailed: see the class.
        """
        if self._identity.cluster_id == cluster_id:
            return
        if self._identity.cluster_id:
            raise ValueError(f"this node is in cluster {self._identity.cluster_id}, not in {cluster_id}")
        identity = evolve(self._identity, cluster_id=cluster_id)
        with self._fail_stop:
            write_identity(self._files, identity)
        self._identity = identity

    # Term and vote

    def save_hard_state(self, hard_state: HardState) -> None:
        """Put the term and the vote on disk; there on return. Raises DiskFull, StorageFailed: see the class."""
        if hard_state == self._hard_state:
            return
        with self._fail_stop:
            write_hard_state(self._files, hard_state)
        self._hard_state = hard_state

    # The log

    @property
    def log_bytes(self) -> int:
        """Size of the log on disk, in bytes."""
        return self._log.size

    @property
    def log_first_index(self) -> int:
        """Index of the oldest entry on disk, or that it would have."""
        return self._log.first_index

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries; :meth:`sync` brings them to the disk.

        Args:
            entries: without gaps among them. The first is the next one of the log, or takes the place of one that is
                there; then all that followed that one is gone, too.

        Raises:
            ValueError: they leave a gap, replace what the snapshot covers, or are too large.
            DiskFull, StorageFailed: see the class.
        """
        if not entries:
            return
        self._check_order(entries)
        with self._fail_stop:
            self._log.append(entries)

    def _check_order(self, entries: Sequence[Entry]) -> None:
        first = entries[0].index
        floor = self._snapshots.newest.meta.index if self._snapshots.newest is not None else 0
        if not floor < first <= self._log.next_index:
            raise ValueError(f"entry {first} is not between snapshot ({floor}) and next ({self._log.next_index})")
        for expected, entry in enumerate(entries, first):
            if entry.index != expected:
                raise ValueError(f"entry {entry.index} in the place of {expected}")
            if len(entry.data) > MAX_COMMAND_BYTES:
                raise ValueError(f"entry {entry.index} is too large to be read again: {len(entry.data)} bytes")

    def sync(self) -> None:
        """Return when all that was appended is on disk. Costs nothing where nothing was. Raises StorageFailed."""
        with self._fail_stop:
            self._log.sync()
            self._garbage.step()

    def compact(self, through_index: int) -> None:
        """Give up whole segments that hold only entries up to that index, but never beyond the newest snapshot.

        They are removed one by one, now and by the syncs that follow. Raises StorageFailed.
        """
        newest = self._snapshots.newest
        if newest is None:
            return
        with self._fail_stop:
            self._log.compact(min(through_index, newest.meta.index))
            self._garbage.step()

    # Snapshots

    @property
    def snapshot(self) -> SnapshotMeta | None:
        """The newest durable snapshot."""
        return self._snapshots.newest.meta if self._snapshots.newest is not None else None

    @property
    def is_snapshot_damaged(self) -> bool:
        """Whether the newest snapshot was found not to be what was written: it takes another one, of that index or later."""
        return self._snapshots.is_damaged

    @property
    def snapshot_bytes(self) -> int:
        """Size of the newest snapshot in bytes, 0 where there is none."""
        return self._snapshots.newest.size if self._snapshots.newest is not None else 0

    def create_snapshot(self, meta: SnapshotMeta) -> SnapshotWriter:
        """Begin a snapshot of this node's own state.

        Args:
            meta: what it replaces; the log holds that entry, or a snapshot covers it (then commit returns False, unless
                it takes the place of that very snapshot, which is damaged).

        Raises:
            ValueError: the log does not hold that entry, or the cluster is not known yet.
            DiskFull, StorageFailed: see the class.
        """
        is_covered = self.snapshot is not None and meta.index <= self.snapshot.index
        if not is_covered and not self._log.holds(meta.index, meta.term):
            raise ValueError(f"the log has no entry {meta.index} of term {meta.term}")
        return SnapshotWriter(self._snapshots, self._files, self._fail_stop, self._snapshot_header(meta))

    def receive_snapshot(self, meta: SnapshotMeta, total_bytes: int) -> IncomingSnapshot:
        """Begin to receive a snapshot.

        Args:
            meta: what the leader announced.
            total_bytes: its size, as announced.

        Raises:
            ValueError: the cluster is not known yet.
            DiskFull, StorageFailed: see the class.
        """
        path = self._snapshots.temporary_path()
        return IncomingSnapshot(self._files, self._fail_stop, path, self._snapshot_header(meta), total_bytes)

    def _snapshot_header(self, meta: SnapshotMeta) -> SnapshotHeader:
        if not self._identity.cluster_id:
            raise ValueError("a snapshot belongs to a cluster, and this node is in none yet")
        return SnapshotHeader(self._identity.cluster_id, meta)

    def install_snapshot(self, incoming: IncomingSnapshot) -> bool:
        """Put a snapshot that was received in the place of what it covers; on disk on return, or not at all.

        The log is kept if it holds the snapshot's last entry; else it begins anew after it (paper, figure 13).

        Returns:
            False where this node has that snapshot or a newer one: nothing changed, the transfer is given up.

        Raises:
            ValueError: it is not complete.
            DiskFull, StorageFailed: see the class.
        """
        if not incoming.is_complete:
            raise ValueError("the snapshot is not complete")
        if not self._snapshots.is_news(incoming.meta):
            incoming.abort()
            return False
        with self._fail_stop:
            is_kept = self._log.holds(incoming.meta.index, incoming.meta.term)
            restart = None if is_kept else self._log.prepare_restart(incoming.meta.index + 1)
            self._snapshots.adopt(incoming.take(), incoming.header, incoming.total_bytes)
            if restart is not None:
                self._log.restart(restart)
        return True

    def open_snapshot(self) -> SnapshotSource | None:
        """Open the newest snapshot for reading; None where there is none, or a damaged one. Raises StorageFailed."""
        return self._snapshots.open_newest()
