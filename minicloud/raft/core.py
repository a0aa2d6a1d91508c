"""One server's consensus: its state, its inputs, and the effects that it wants."""

from __future__ import annotations

from collections.abc import Sequence

from minicloud.raft import election, membership, reads, replication, table, transfer
from minicloud.raft.configuration import Configuration, Member
from minicloud.raft.entries import Entry, EntryKind, HardState, SnapshotMeta
from minicloud.raft.errors import NotLeader, TransferPending
from minicloud.raft.log import RaftLog
from minicloud.raft.messages import (
    AppendEntries,
    Envelope,
    Heartbeat,
    Message,
    PreVoteRequest,
    ReadIndexRequest,
    TimeoutNow,
)
from minicloud.raft.progress import Mode, Progress
from minicloud.raft.reads import Reads
from minicloud.raft.ready import Ready, ReceivedChunk
from minicloud.raft.role import Role
from minicloud.raft.settings import RaftSettings, RandomSource

_PROMISES_NOTHING = (AppendEntries, Heartbeat, PreVoteRequest, ReadIndexRequest, TimeoutNow)
"""Messages that may leave before the disk: they rest only on a term that is durable already, and vouch for no entry of
the sender's (thesis, section 10.2.1)."""


class Raft:
    """The state of the paper's figure 2, and the inputs that move it.

    ``snapshot`` and ``entries`` are what the disk holds: the entries follow each other and begin at the latest right behind
    the snapshot. Everything in the log up to the snapshot is committed and applied.

    Invariants: ``last_applied <= commit_index <= log.last_index``; ``leader_id == node_id`` exactly for a leader;
    ``current_term`` never decreases; ``voted_for`` is set at most once a term.
    """

    def __init__(
        self,
        node_id: str,
        settings: RaftSettings,
        random: RandomSource,
        hard_state: HardState,
        snapshot: SnapshotMeta | None,
        entries: Sequence[Entry],
    ) -> None:
        self.node_id = node_id
        self.settings = settings
        self.random = random
        self.current_term = hard_state.current_term
        self.voted_for = hard_state.voted_for
        self.role = Role.FOLLOWER
        self.leader_id: str | None = None
        self.log = RaftLog(snapshot, entries)
        self.snapshot = snapshot
        """Newest snapshot that is on disk."""
        self.commit_index = snapshot.index if snapshot else 0
        self.last_applied = self.commit_index

        self.tick_count = 0
        self.election_elapsed = 0
        """Ticks since the election timer was reset: by the leader, by a vote granted, by an election begun."""
        self.election_timeout = 0
        """Ticks after which the timer ends, drawn anew at each reset."""
        self.leader_elapsed = 0
        """Ticks since a leader was heard; a leader hears itself."""
        self.has_heard_leader = False
        """Whether there has been a leader at all since this server began."""
        self.leader_commit_index = 0
        """Highest index that a leader has said to be committed since this server began; its entry may still be on its way."""
        self.may_begin_elections = True
        """The driver's to change: peers may say that this server was removed, before its own log does. It votes all the same,
        since they may be wrong, and its vote may be needed."""
        self.leader_link_lost = False
        """The links with the leader have closed and it was not heard since: its process has probably died."""
        self.votes: dict[str, bool] = {}
        """As a (pre-)candidate: who has answered, and whether with yes."""

        self.progress: dict[str, Progress] = {}
        """As the leader: all other members."""
        self.term_start_index = 0
        """As the leader: index of this term's no-op."""
        self.heartbeat_elapsed = 0
        self.reads = Reads()
        self.transfer_target: str | None = None
        self.transfer_elapsed = 0
        self.transfer_sent = False

        self._durable = HardState(self.current_term, self.voted_for)
        self._outbox: list[Envelope] = []
        self._chunks: list[ReceivedChunk] = []
        self._snapshots_wanted: list[str] = []
        self._installing: SnapshotMeta | None = None
        election.reset_timer(self)
        if self.configuration.voters == (node_id,):
            self.election_timeout = 1  # nobody else could lead: waiting protects nobody

    @property
    def configuration(self) -> Configuration:
        """The configuration in force: the newest in the log, committed or not (thesis, section 4.1)."""
        return self.log.configuration

    @property
    def configuration_index(self) -> int:
        """Index of the entry that holds the configuration in force."""
        return self.log.configuration_index

    @property
    def committed_configuration(self) -> tuple[int, Configuration]:
        """The newest configuration that is known to be committed, and the index of its entry."""
        return self.log.configuration_at(self.commit_index)

    @property
    def catch_up_index(self) -> int | None:
        """The index to apply before this server is as far as its cluster; None where that is not known yet.

        A leader's is that of its no-op: what was committed before comes first (paper, section 8).
        """
        if self.role is Role.LEADER:
            return self.term_start_index
        if self.leader_id is None or not self.leader_commit_index:
            return None
        return max(self.leader_commit_index, self.commit_index)

    # Inputs

    def tick(self) -> None:
        """Let one tick pass: elections, heartbeats, and leaders that nobody hears (paper, section 5.2)."""
        self.tick_count += 1
        self.leader_elapsed += 1
        reads.tick(self)
        if self.role is Role.LEADER:
            self.leader_elapsed = 0
            transfer.tick(self)
            replication.tick(self)
        else:
            election.tick(self)

    def step(self, sender: str, message: Message) -> None:
        """Take a message of the member ``sender``. Raises ProtocolViolation for what no correct peer sends."""
        if election.accept_term(self, sender, message):
            table.REACTIONS[self.role, type(message)](self, sender, message)

    def propose(self, data: bytes) -> tuple[int, int]:
        """Append a command; return the index and the term at which it commits, or never does.

        Raises NotLeader, and TransferPending while leadership is handed over.
        """
        self._check_leads()
        return self.append(EntryKind.COMMAND, data), self.current_term

    def change_configuration(self, configuration: Configuration) -> tuple[int, int]:
        """Append a configuration, in force at once; return its index and term (thesis, section 4.1).

        Raises NotLeader, TransferPending, ChangePending, and InvalidChange where more than one vote would change.
        """
        self._check_leads()
        membership.check_change(self, configuration)
        index = self.append(EntryKind.CONFIGURATION, configuration=configuration)
        membership.follow_configuration(self)
        reads.confirm(self)  # without the voter that left, those who have answered may be a majority already
        return index, self.current_term

    def read_index(self, request_id: int) -> bool:
        """Ask up to where the store must have applied for a linearizable read (thesis, section 6.4).

        ``request_id`` is never used twice. Returns False where no leader is known; otherwise a later Ready names the id,
        in ``read_states`` or in ``reads_aborted``.
        """
        return reads.ask(self, request_id)

    def transfer_leadership(self, target: str | None) -> str:
        """Begin to hand leadership to ``target``, or to the voter that lacks least; return who it is (thesis, section 3.10).

        It is over when ``transfer_target`` is None again. Raises NotLeader, TransferPending, and Refused where the target
        cannot lead.
        """
        self._check_leads()
        return transfer.begin(self, target)

    def link_up(self, node_id: str) -> None:
        """Take note of a new link with that peer: what was under way on the old one may be lost."""
        progress = self.progress.get(node_id)
        if progress is not None and progress.mode is not Mode.SNAPSHOT:
            progress.become_probe()

    def link_lost(self, node_id: str) -> None:
        """Take note that a link with that peer has closed."""
        if node_id == self.leader_id:
            election.leader_may_be_dead(self)
        self.link_up(node_id)

    def message_lost(self, node_id: str) -> None:
        """Take note that a message to that peer could not be sent: nothing more to it until it is heard of."""
        progress = self.progress.get(node_id)
        if progress is not None and progress.mode is not Mode.SNAPSHOT:
            progress.become_probe()
            progress.paused = True

    def snapshot_taken(self, meta: SnapshotMeta, compact_through: int) -> None:
        """Take note that the store up to ``meta.index`` is in a durable snapshot; forget the log up to ``compact_through``."""
        assert compact_through <= meta.index <= self.last_applied, (compact_through, meta.index, self.last_applied)
        if self.snapshot is None or meta.index > self.snapshot.index:
            self.snapshot = meta
            self.log.compact(compact_through)

    def snapshot_received(self, meta: SnapshotMeta) -> bool:
        """Take note that a snapshot of the leader is complete and could replace the store.

        Returns whether it shall: then the next Ready names it, and the log begins behind it.
        """
        return replication.take_snapshot(self, meta)

    def snapshot_failed(self, node_id: str) -> None:
        """Take note that a snapshot did not get to that follower."""
        progress = self.progress.get(node_id)
        if progress is not None and progress.mode is Mode.SNAPSHOT:
            progress.become_probe()
            progress.paused = True

    # Effects

    def has_ready(self) -> bool:
        """Return whether there is anything to do."""
        return bool(
            self._outbox
            or self._chunks
            or self._snapshots_wanted
            or self._installing
            or self.reads.has_news
            or self.commit_index > self.last_applied
            or self.log.stable_index < self.log.last_index
            or self._durable.current_term != self.current_term
            or self._durable.voted_for != self.voted_for
            or (
                self.role is Role.LEADER
                and (replication.has_work(self) or reads.has_work(self) or transfer.has_work(self))
            )
        )

    def ready(self) -> Ready:
        """Return what is to be done now. To be followed by ``advance`` with it before any other input."""
        if self.role is Role.LEADER:
            reads.begin_round(self)
            replication.fill(self)
            transfer.urge(self)
        outbox, self._outbox = self._outbox, []
        chunks, self._chunks = self._chunks, []
        wanted, self._snapshots_wanted = self._snapshots_wanted, []
        hard_state = HardState(self.current_term, self.voted_for)
        changed = hard_state != self._durable
        done, aborted = self.reads.take_news()
        return Ready(
            messages_before_sync=tuple(e for e in outbox if isinstance(e.message, _PROMISES_NOTHING)),
            hard_state=hard_state if changed else None,
            snapshot=self._installing,
            entries=self.log.unstable,
            messages_after_sync=tuple(e for e in outbox if not isinstance(e.message, _PROMISES_NOTHING)),
            committed=self._to_apply(),
            read_states=done,
            reads_aborted=aborted,
            chunks=tuple(chunks),
            snapshots_wanted=tuple(wanted),
        )

    def advance(self, ready: Ready) -> None:
        """Take note that everything in ``ready`` is done: on disk, sent, applied."""
        if ready.snapshot is not None:
            self._installing = None
        if ready.committed:
            self.last_applied = ready.committed[-1].index
        if ready.entries:
            last = ready.entries[-1]
            assert self.log.matches(last.index, last.term), "other input came in before the round was finished"
            self.log.stable_index = last.index
        if ready.hard_state is not None:
            self._durable = ready.hard_state
            election.count_own_vote(self)
        if self.role is Role.LEADER:
            if ready.entries:
                replication.commit(self)
            membership.step_down_if_removed(self)

    # What the parts of consensus share

    def send(self, to: str, message: Message) -> None:
        """Put a message into the next Ready."""
        self._outbox.append(Envelope(to, message))

    def append(self, kind: EntryKind, data: bytes = b"", configuration: Configuration | None = None) -> int:
        """Append an entry of this leader's term; return its index."""
        index = self.log.last_index + 1
        self.log.append(Entry(self.current_term, index, kind, data, configuration))
        return index

    def want_snapshot(self, node_id: str) -> None:
        """Ask the driver to send the newest snapshot to that follower."""
        self._snapshots_wanted.append(node_id)

    def hand_over_chunk(self, chunk: ReceivedChunk) -> None:
        """Give a chunk of a snapshot to the driver."""
        self._chunks.append(chunk)

    def begin_anew_from(self, meta: SnapshotMeta) -> None:
        """Replace the log by a snapshot."""
        self.log.reset_to(meta)
        self.snapshot = self._installing = meta
        self.commit_index = self.last_applied = meta.index

    # What the driver asks

    def is_active(self, node_id: str) -> bool:
        """Return whether that member was heard within the shortest election timeout; as the leader's judgement."""
        if node_id == self.node_id:
            return True
        progress = self.progress.get(node_id)
        return progress is not None and replication.is_active(self, progress)

    def caught_up_learner(self) -> Member | None:
        """Return a learner that the leader may make a voter now, or None."""
        return membership.caught_up_learner(self)

    def _check_leads(self) -> None:
        if self.role is not Role.LEADER:
            raise NotLeader
        if self.transfer_target is not None:
            raise TransferPending

    def _to_apply(self) -> tuple[Entry, ...]:
        last = min(self.commit_index, self.last_applied + self.settings.max_apply_entries)
        return tuple(self.log.between(self.last_applied + 1, last)) if last > self.last_applied else ()
