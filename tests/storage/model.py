"""A storage room in a few lines: what must be there, and what may be there, after a crash."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy

from attrs import define, evolve, field, frozen

from minicloud.raft.entries import Entry, HardState, SnapshotMeta
from minicloud.storage.errors import DiskFull
from minicloud.storage.memory_files import MemoryFiles
from minicloud.storage.storage import Storage
from tests.storage.helpers import open_storage, receive, snapshot_bytes, take_snapshot


@frozen
class State:
    """One state that may be found on a disk."""

    cluster_id: str = ""
    hard_state: HardState = field(factory=HardState)
    snapshot: SnapshotMeta | None = None
    base: int = 0
    """Index of the entry before ``log``, which is never compacted here."""
    log: tuple[Entry, ...] = ()

    @property
    def next_index(self) -> int:
        return self.base + len(self.log) + 1

    @property
    def snapshot_index(self) -> int:
        return self.snapshot.index if self.snapshot is not None else 0

    def at(self, index: int) -> Entry | None:
        return self.log[index - self.base - 1] if self.base < index < self.next_index else None

    def put(self, entry: Entry) -> State:
        return evolve(self, log=(*self.log[: entry.index - self.base - 1], entry))

    def continues(self, snapshot: SnapshotMeta) -> bool:
        kept = self.at(snapshot.index)
        return self.base == snapshot.index or (kept is not None and kept.term == snapshot.term)

    def as_opened(self) -> State:
        """A log that does not reach the snapshot, or contradicts it, is superseded."""
        if self.snapshot is None or self.continues(self.snapshot):
            return self
        return evolve(self, base=self.snapshot.index, log=())

    def is_found(self, storage: Storage) -> bool:
        found = storage.recovered
        older = [item for item in found.entries if item.index <= self.snapshot_index]
        newer = found.entries[len(older) :]
        return (
            storage.identity.cluster_id == self.cluster_id
            and found.hard_state == self.hard_state
            and found.snapshot == self.snapshot
            and newer == self.log[max(0, self.snapshot_index - self.base) :]
            and all(self.at(item.index) == item for item in older)
        )


@define
class Model:
    """Knows what is on disk, and what has been written since."""

    synced: State = field(factory=State)
    unsynced: tuple[Entry, ...] = ()
    """Entries that were appended since."""

    @property
    def now(self) -> State:
        return self._after(len(self.unsynced))

    def _after(self, count: int) -> State:
        state = self.synced
        for item in self.unsynced[:count]:
            state = state.put(item)
        return state

    def possible(self) -> list[State]:
        """All states that a crash may leave now."""
        return [self._after(count).as_opened() for count in range(len(self.unsynced) + 1)]

    def append(self, new: Sequence[Entry]) -> None:
        self.unsynced = (*self.unsynced, *new)

    def sync(self) -> None:
        self.synced, self.unsynced = self.now, ()

    def change(self, **fields: object) -> None:
        self.synced = evolve(self.synced, **fields)

    def adopt_snapshot(self, snapshot: SnapshotMeta) -> None:
        if snapshot.index <= self.synced.snapshot_index:
            return
        if not self.now.continues(snapshot):
            self.change(base=snapshot.index, log=())
            self.unsynced = ()
        self.change(snapshot=snapshot)


class Pair:
    """A Storage and its model, driven together. ``allowed`` is what a crash may leave during the newest call."""

    def __init__(self, files: MemoryFiles) -> None:
        self.files = files
        self.model = Model()
        self.allowed = self.model.possible()
        self.storage: Storage | None = None

    def open(self) -> None:
        """Open, and check what is found."""
        self.storage = None
        storage = open_storage(self.files)
        matching = [state for state in self.allowed if state.is_found(storage)]
        assert matching, f"found {storage.identity} {storage.recovered}, allowed: {self.allowed}"
        indexes = [item.index for item in storage.recovered.entries]
        assert indexes == list(range(storage.log_first_index, storage.log_first_index + len(indexes)))
        assert storage.log_first_index <= matching[0].snapshot_index + 1
        self.model = Model(matching[0])
        self.allowed = self.model.possible()
        self.storage = storage

    def _do(self, call: Callable[[], object], method: str, *arguments: object, **fields: object) -> None:
        """Make a call, after which the model is what ``method`` makes of it; without room it stays as it is."""
        before = copy(self.model)
        getattr(self.model, method)(*arguments, **fields)
        self.allowed = before.possible() + self.model.possible()
        try:
            call()
        except DiskFull:
            self.model = before
            self.allowed = before.possible()
            raise
        self.allowed = self.model.possible()

    def set_cluster(self, cluster_id: str) -> None:
        self._do(lambda: self.storage.set_cluster(cluster_id), "change", cluster_id=cluster_id)

    def save_hard_state(self, hard_state: HardState) -> None:
        self._do(lambda: self.storage.save_hard_state(hard_state), "change", hard_state=hard_state)

    def append(self, new: Sequence[Entry]) -> None:
        self._do(lambda: self.storage.append(new), "append", new)

    def sync(self) -> None:
        self._do(self.storage.sync, "sync")

    def take_snapshot(self, snapshot: SnapshotMeta) -> None:
        payloads = [b'{"p":1}', b'{"p":2}']
        self._do(lambda: take_snapshot(self.storage, snapshot, payloads), "adopt_snapshot", snapshot)

    def install(self, snapshot: SnapshotMeta) -> None:
        incoming = receive(self.storage, snapshot, snapshot_bytes(snapshot), chunk_bytes=100)
        try:
            self._do(lambda: self.storage.install_snapshot(incoming), "adopt_snapshot", snapshot)
        except DiskFull:
            incoming.abort()
            raise

    def compact(self, through_index: int) -> None:
        self.storage.compact(through_index)

    def close(self) -> None:
        self.storage.close()
