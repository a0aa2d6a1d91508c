"""Snapshots of this node's own store: taking them, and reading the newest one at a start."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from minicloud.kv.store import FrozenView, Store, StoreBuilder
from minicloud.node.instruments import NodeInstruments
from minicloud.node.settings import NodeSettings
from minicloud.node.slices import SlicedWork
from minicloud.raft.core import Raft
from minicloud.raft.entries import SnapshotMeta
from minicloud.raft.log import entry_bytes
from minicloud.storage.errors import Damaged, DiskFull
from minicloud.storage.snapshot_intake import SnapshotWriter
from minicloud.storage.storage import Storage
from minicloud.wire.errors import WireError
from minicloud.wire.snapshots import (
    SnapshotFooter,
    SnapshotItems,
    decode_snapshot_payload,
    encode_items,
    encode_snapshot_footer,
)

MAX_LOG_BYTES = 64 * 1024 * 1024
"""Entries in memory, in bytes, from which a snapshot is taken however few they are: large values fill memory, too."""

MAX_TRAILING_BYTES = MAX_LOG_BYTES // 4
"""Entries kept behind a snapshot, in bytes: far enough below MAX_LOG_BYTES that the next snapshot is not due at once."""

SLICE_ITEMS = 256
"""Keys in one payload at most; a step that reads and encodes them takes about a millisecond."""

SLICE_BYTES = 256 * 1024
"""Bytes of keys and values in one payload, but for a single larger value: what storage writes without a stall."""

RETRY_S = 10.0
"""After the disk was full, until a snapshot is tried again."""

_log = Logger()


class RestoredStore:
    """A store that is built of a snapshot's payloads, one by one."""

    def __init__(self) -> None:
        self._builder = StoreBuilder()
        self._count = 0
        self._expected: int | None = None

    def add(self, payload: bytes) -> None:
        """Take the next payload. Raises ValueError (WireError is one) where it can't be part of a snapshot."""
        part = decode_snapshot_payload(payload)
        if isinstance(part, SnapshotItems):
            self._builder.add_items(part.items)
            self._count += len(part.items)
        elif isinstance(part, SnapshotFooter):
            self._expected = part.items
        else:
            raise WireError("snapshot payload: a second header")

    def finish(self, applied_index: int) -> Store:
        """Return the store. Raises ValueError where something is missing."""
        if self._expected != self._count:
            raise ValueError(f"the snapshot has {self._count} items, its footer says {self._expected}")
        return self._builder.finish(applied_index)


def load_newest(storage: Storage) -> Store:
    """Return the store of the newest snapshot on disk, an empty one where there is none; all at once.

    Raises:
        Damaged: the snapshot is not what a node writes.
        StorageFailed: the system refused.
    """
    source = storage.open_snapshot()
    if source is None:
        return Store()
    try:
        restored = RestoredStore()
        for payload in source.records():
            restored.add(payload)
        return restored.finish(source.meta.index)
    except ValueError as error:
        raise Damaged(f"the snapshot at index {source.meta.index}", 0, str(error)) from None
    finally:
        source.close()


class SnapshotTaker:
    """Writes the store to disk from time to time, so that the log behind it can go."""

    def __init__(
        self,
        settings: NodeSettings,
        reactor: IReactorTime,
        raft: Raft,
        storage: Storage,
        instruments: NodeInstruments,
        guard: Callable[[Callable[[], None]], None],
    ) -> None:
        self._settings = settings
        self._reactor = reactor
        self._raft = raft
        self._storage = storage
        self._instruments = instruments
        self._guard = guard
        self._work: SlicedWork | None = None
        self._view: FrozenView | None = None
        self._writer: SnapshotWriter | None = None
        self._not_before_s = 0.0

    def consider(self, store: Store) -> None:
        """Begin a snapshot if it is time for one."""
        if self._work is not None or not self._is_due(store) or self._reactor.seconds() < self._not_before_s:
            return
        index = store.applied_index
        term = self._raft.log.term_at(index)
        assert term is not None, f"entry {index} was applied, and no snapshot covers it"
        configuration_index, configuration = self._raft.log.configuration_at(index)
        meta = SnapshotMeta(index, term, configuration, configuration_index)
        self._view = store.freeze()
        self._work = SlicedWork(self._reactor, self._steps(meta, self._view), self._guarded)

    def _is_due(self, store: Store) -> bool:
        newest = self._raft.snapshot.index if self._raft.snapshot is not None else 0
        if self._storage.is_snapshot_damaged or store.applied_index - newest >= self._settings.snapshot_entries:
            return True
        return self._raft.log.byte_size > MAX_LOG_BYTES and store.applied_index > newest

    def stop(self) -> None:
        """Give up the one under way."""
        if self._work is not None:
            self._work.stop()
        self._work = None
        if self._view is not None:
            self._view.close()
            self._view = None
        if self._writer is not None:
            writer, self._writer = self._writer, None
            writer.abort()

    def _guarded(self, work: Callable[[], None]) -> None:
        def act() -> None:
            try:
                work()
            except DiskFull as error:
                _log.warn("no snapshot was taken: {error}", error=error)
                self._not_before_s = self._reactor.seconds() + RETRY_S
                self.stop()

        self._guard(act)

    def _steps(self, meta: SnapshotMeta, view: FrozenView) -> Iterator[None]:
        started_s = self._reactor.seconds()
        writer = self._writer = self._storage.create_snapshot(meta)
        while items := view.next_items(SLICE_ITEMS, SLICE_BYTES):
            writer.write(encode_items(items))
            yield
        writer.write(encode_snapshot_footer(SnapshotFooter(view.count)))
        yield
        is_newest = writer.commit()
        self._writer = self._view = self._work = None
        if is_newest:
            self._taken(meta, self._reactor.seconds() - started_s)

    def _taken(self, meta: SnapshotMeta, seconds: float) -> None:
        newest = self._raft.snapshot
        if newest is not None and newest.index > meta.index:
            return  # the leader has sent a newer one meanwhile, and the next drain puts it in the place of the log
        through = self._compact_through(meta.index)
        self._raft.snapshot_taken(meta, through)
        self._storage.compact(through)
        self._instruments.snapshot_taken(self._storage.snapshot_bytes, seconds)
        _log.info(
            "took a snapshot at index {index}: {size} bytes in {seconds:.3f} s",
            index=meta.index,
            size=self._storage.snapshot_bytes,
            seconds=seconds,
        )

    def _compact_through(self, index: int) -> int:
        """Return up to where the log may go: behind that index stay so many entries, unless they are too large."""
        log = self._raft.log
        low = max(log.first_index, index - self._settings.snapshot_trailing_entries + 1)
        room = MAX_TRAILING_BYTES
        for position in range(index, low - 1, -1):
            room -= entry_bytes(log.between(position, position)[0])
            if room < 0:
                return position
        return max(0, low - 1)
