"""What consensus wants done."""

from __future__ import annotations

from attrs import frozen

from minicloud.raft.entries import Entry, HardState, SnapshotMeta
from minicloud.raft.messages import Envelope, InstallSnapshot


@frozen
class ReadState:
    """A read that may be answered once the store has applied ``read_index`` (thesis, section 6.4)."""

    request_id: int
    read_index: int


@frozen
class ReceivedChunk:
    """A chunk of a snapshot from the current leader, to be stored and answered by the driver."""

    sender: str
    message: InstallSnapshot


@frozen
class Ready:
    """One round of effects. The driver carries them out in this order, then calls ``advance``.

    Invariant: nothing that promises something to others leaves before what it depends on is on disk. A leader's
    AppendEntries promise nothing, so the followers' disks work while its own does (thesis, section 10.2.1).
    """

    messages_before_sync: tuple[Envelope, ...] = ()
    hard_state: HardState | None = None
    """To be made durable, where it changed."""
    snapshot: SnapshotMeta | None = None
    """The snapshot with which the log begins anew: the one that the driver announced with ``snapshot_received``."""
    entries: tuple[Entry, ...] = ()
    """To be appended and made durable; the first one replaces whatever the log on disk has from its index on."""
    messages_after_sync: tuple[Envelope, ...] = ()
    committed: tuple[Entry, ...] = ()
    """To be applied, in this order. All of them are on disk by then."""
    read_states: tuple[ReadState, ...] = ()
    reads_aborted: tuple[int, ...] = ()
    """Reads that will not be confirmed; to be asked for again under a new id."""
    chunks: tuple[ReceivedChunk, ...] = ()
    snapshots_wanted: tuple[str, ...] = ()
    """Followers whose next entries are compacted away: the driver sends each the newest snapshot."""

    @property
    def must_sync(self) -> bool:
        """Whether the log has to be made durable before ``messages_after_sync`` leave."""
        return bool(self.entries)
