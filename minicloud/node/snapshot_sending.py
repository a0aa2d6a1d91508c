"""Sending the newest snapshot to followers whose next entries are gone (paper, section 7)."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define
from twisted.logger import Logger

from minicloud.peer.interface import Network
from minicloud.raft.core import Raft
from minicloud.raft.entries import SnapshotMeta
from minicloud.raft.messages import InstallSnapshot, InstallSnapshotReply
from minicloud.raft.progress import Mode
from minicloud.raft.role import Role
from minicloud.storage.errors import Damaged
from minicloud.storage.snapshots import SnapshotSource
from minicloud.storage.storage import Storage
from minicloud.wire.limits import MAX_CHUNK_BYTES

RESEND_S = 1.0
"""Without an answer, until a chunk is sent again; while the follower loads the snapshot, how often it is asked."""

GIVE_UP_S = 10.0
"""Without any answer, until consensus probes the follower again. Nothing is lost by trying once more later."""

_log = Logger()


@define(eq=False)
class _Transfer:
    source: SnapshotSource
    heard_s: float
    sent_s: float = 0.0
    offset: int = 0
    """Where the next chunk begins: everything before it has arrived."""
    is_due: bool = True

    def chunk(self, term: int) -> InstallSnapshot:
        """Return the next chunk. When all is there, the last byte once more, as a question whether it is loaded.

        Raises Damaged.
        """
        total = self.source.total_bytes
        offset = min(self.offset, total - 1)
        return InstallSnapshot(term, self.source.meta, offset, self.source.read(offset, MAX_CHUNK_BYTES), total)


class SnapshotSender:
    """The transfers of this leader, one chunk in flight for each follower."""

    def __init__(self, raft: Raft, storage: Storage, now: Callable[[], float]) -> None:
        self._raft = raft
        self._storage = storage
        self._now = now
        self._transfers: dict[str, _Transfer] = {}

    def start(self, peer: str) -> None:
        """Begin to send the newest snapshot to that follower; where there is none to send, it is asked for again later."""
        self._drop(peer)
        source = self._storage.open_snapshot()
        if source is None:
            self._raft.snapshot_failed(peer)
            return
        _log.info("sending the snapshot at index {index} to node {peer}", index=source.meta.index, peer=peer)
        self._transfers[peer] = _Transfer(source, self._now())

    def replied(self, peer: str, reply: InstallSnapshotReply) -> None:
        """Take note of how far the follower has got."""
        transfer = self._transfers.get(peer)
        if transfer is None or reply.snapshot_index != transfer.source.meta.index:
            return
        newest = self._storage.snapshot
        if reply.next_offset == 0 and newest is not None and newest.index > transfer.source.meta.index:
            self._fail(peer)  # the follower could not use it; what it needs, the newer one has too
            return
        transfer.heard_s = self._now()
        total = transfer.source.total_bytes
        # A step back waits for the timer: a follower that cannot store it would be flooded otherwise.
        transfer.is_due = transfer.offset < reply.next_offset < total
        transfer.offset = min(reply.next_offset, total)

    def tick(self) -> bool:
        """Give up or repeat what got no answer; return whether there is anything to send."""
        now = self._now()
        for peer, transfer in list(self._transfers.items()):
            if self._is_over(peer):
                self._drop(peer)
            elif now - transfer.heard_s > GIVE_UP_S:
                self._fail(peer)
            elif now - transfer.sent_s > RESEND_S:
                transfer.is_due = True
        return any(transfer.is_due for transfer in self._transfers.values())

    def link_lost(self, peer: str) -> None:
        """Give up what was on its way over that link."""
        if peer in self._transfers:
            self._fail(peer)

    def flush(self, network: Network) -> None:
        """Send what is due."""
        for peer in list(self._transfers):
            transfer = self._transfers.get(peer)
            if transfer is None:
                continue  # given up a moment ago, with another one
            if self._is_over(peer):
                self._drop(peer)
            elif transfer.is_due:
                transfer.is_due = False
                transfer.sent_s = self._now()
                self._send_chunk(peer, transfer, network)

    def _send_chunk(self, peer: str, transfer: _Transfer, network: Network) -> None:
        try:
            chunk = transfer.chunk(self._raft.current_term)
        except Damaged as error:
            _log.error("the disk has changed a snapshot, and a new one is to take its place: {error}", error=error)
            self._fail_all(transfer.source.meta)
        else:
            network.send(peer, chunk)

    def stop(self) -> None:
        """Give up everything."""
        for peer in list(self._transfers):
            self._drop(peer)

    def _is_over(self, peer: str) -> bool:
        if self._raft.role is not Role.LEADER:
            return True
        progress = self._raft.progress.get(peer)
        return progress is None or progress.mode is not Mode.SNAPSHOT

    def _fail_all(self, meta: SnapshotMeta) -> None:
        """Give up all transfers of a snapshot, and so let its file go."""
        for peer, transfer in list(self._transfers.items()):
            if transfer.source.meta == meta:
                self._fail(peer)

    def _fail(self, peer: str) -> None:
        self._drop(peer)
        self._raft.snapshot_failed(peer)

    def _drop(self, peer: str) -> None:
        transfer = self._transfers.pop(peer, None)
        if transfer is not None:
            transfer.source.close()
