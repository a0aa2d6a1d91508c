"""Receiving a snapshot from the leader: chunk by chunk to the disk, then slice by slice into a new store."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from minicloud.kv.store import Store
from minicloud.node.slices import SlicedWork
from minicloud.node.snapshots import RestoredStore
from minicloud.raft.core import Raft
from minicloud.raft.entries import SnapshotMeta
from minicloud.raft.messages import InstallSnapshotReply
from minicloud.raft.ready import ReceivedChunk
from minicloud.storage.errors import BadSnapshot, DiskFull
from minicloud.storage.snapshot_intake import IncomingSnapshot
from minicloud.storage.storage import Storage

_log = Logger()


class SnapshotReceiver:
    """The one transfer to this node."""

    def __init__(
        self,
        reactor: IReactorTime,
        raft: Raft,
        storage: Storage,
        guard: Callable[[Callable[[], None]], None],
        wake: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._raft = raft
        self._storage = storage
        self._guard = guard
        self._wake = wake
        self._sender = ""
        self._incoming: IncomingSnapshot | None = None
        self._loading: SlicedWork | None = None
        self._loaded: Store | None = None

    def take(self, chunk: ReceivedChunk) -> InstallSnapshotReply:
        """Store a chunk and return the answer."""
        message = chunk.message
        try:
            next_offset = self._store(chunk)
        except (BadSnapshot, DiskFull) as error:
            _log.warn("a snapshot from node {sender} is given up: {error}", sender=chunk.sender, error=error)
            self._incoming = None
            next_offset = 0
        return InstallSnapshotReply(self._raft.current_term, message.snapshot.index, next_offset)

    def _store(self, chunk: ReceivedChunk) -> int:
        message = chunk.message
        if self._is_loading and not self._is_same(chunk):
            return message.offset  # no progress: the sender asks again later, when that other one is installed
        if not self._is_same(chunk):
            self.stop()
            self._sender = chunk.sender
            self._incoming = self._storage.receive_snapshot(message.snapshot, message.total_bytes)
        incoming = self._incoming
        assert incoming is not None, "begun above"
        incoming.write_chunk(message.offset, message.data)
        if incoming.is_complete and not self._is_loading:
            self._loading = SlicedWork(self._reactor, self._load(incoming), self._guarded)
        return incoming.received_bytes

    def _is_same(self, chunk: ReceivedChunk) -> bool:
        """Whether the chunk is of the transfer under way. Two nodes' files of one snapshot need not be equal."""
        incoming = self._incoming
        return (
            incoming is not None
            and self._sender == chunk.sender
            and incoming.meta == chunk.message.snapshot
            and incoming.total_bytes == chunk.message.total_bytes
        )

    @property
    def _is_loading(self) -> bool:
        return self._loading is not None

    def _guarded(self, work: Callable[[], None]) -> None:
        def act() -> None:
            try:
                work()
            except ValueError as error:
                _log.warn("a snapshot from node {sender} is given up: {error}", sender=self._sender, error=error)
                self.stop()

        self._guard(act)

    def _load(self, incoming: IncomingSnapshot) -> Iterator[None]:
        restored = RestoredStore()
        for payload in incoming.records():
            restored.add(payload)
            yield
        self._loaded = restored.finish(incoming.meta.index)
        if self._raft.snapshot_received(incoming.meta):
            self._wake()
        else:
            self.stop()
            self._wake()

    def install(self, meta: SnapshotMeta) -> Store | None:
        """Put the loaded snapshot in the place of log and store; on disk on return.

        Returns the new store; None where this node has a newer snapshot already.
        """
        incoming, store = self._incoming, self._loaded
        assert incoming is not None and store is not None and incoming.meta == meta, "announced a moment ago"
        is_installed = self._storage.install_snapshot(incoming)
        self._incoming = self._loading = self._loaded = None
        _log.info("installed a snapshot of node {sender} at index {index}", sender=self._sender, index=meta.index)
        return store if is_installed else None

    def applied(self, applied_index: int) -> None:
        """Give up a snapshot whose entries came by themselves: its leader is gone, and the next one still had them."""
        if self._incoming is not None and self._incoming.meta.index <= applied_index:
            _log.info("a snapshot from node {sender} is not needed any more", sender=self._sender)
            self.stop()

    def stop(self) -> None:
        """Give up what is under way."""
        if self._loading is not None:
            self._loading.stop()
        incoming, self._incoming = self._incoming, None
        self._loading = self._loaded = None
        if incoming is not None:
            incoming.abort()
