"""The drain: what consensus decides is written, sent, applied and answered here, in an order that keeps promises.

Inputs (a proposal, a peer's message, a tick) only change the core and call :meth:`Driver.wake`. One drain a turn of the
reactor then carries out all effects of that turn, so a thousand proposals cost one fsync and one message to each peer.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from minicloud.kv.commands import Outcome
from minicloud.node.deadlines import Deadlines
from minicloud.node.instruments import NodeInstruments
from minicloud.node.proposals import Proposals
from minicloud.node.reads import Reads
from minicloud.node.round_trips import RoundTrips
from minicloud.node.settings import NodeSettings
from minicloud.node.snapshot_receiving import SnapshotReceiver
from minicloud.node.snapshot_sending import SnapshotSender
from minicloud.node.snapshots import SnapshotTaker, load_newest
from minicloud.peer.interface import Network, PeerAddress
from minicloud.raft.configuration import Configuration, Member
from minicloud.raft.core import Raft
from minicloud.raft.entries import Entry, EntryKind
from minicloud.raft.messages import Envelope, Message
from minicloud.raft.ready import Ready
from minicloud.raft.settings import RandomSource
from minicloud.storage.errors import DiskFull, StorageError, UnsupportedFormat
from minicloud.storage.storage import Storage
from minicloud.wire.commands import decode_command
from minicloud.wire.errors import WireError

MAX_ROUNDS = 8
"""Rounds of effects in one drain: a single voter commits in two. Then links and timers get their turn."""

ROOM_CHECK_S = 1.0
"""While the disk is full: how often it is looked whether that is still so."""

_log = Logger()


class Driver:
    """Consensus, the disk, the links and the store of one node, tied together."""

    def __init__(
        self,
        settings: NodeSettings,
        storage: Storage,
        reactor: IReactorTime,
        random: RandomSource,
        on_failed: Callable[[Exception], None],
        instruments: NodeInstruments,
    ) -> None:
        """Read the newest snapshot and take the log over. Raises StorageError where the snapshot cannot be used."""
        self.storage = storage
        self.store = load_newest(storage)
        recovered = storage.recovered
        for note in recovered.notes:
            _log.warn("{note}", note=note)
        self.raft = Raft(
            settings.node_id,
            settings.raft_settings(),
            random,
            recovered.hard_state,
            recovered.snapshot,
            recovered.entries,
        )
        storage.forget_recovered()
        self.network: Network | None = None
        self.is_running = False
        self._node_id = settings.node_id
        self._reactor = reactor
        self._on_failed = on_failed
        self._instruments = instruments
        now = reactor.seconds
        self.deadlines = Deadlines(now)
        self.proposals = Proposals(self.raft, self.deadlines, self.leader, instruments, now)
        self.reads = Reads(self.raft, self.deadlines, now, settings.election_timeout_ms[0] / 1000)
        self.round_trips = RoundTrips(now)
        self.taker = SnapshotTaker(settings, reactor, self.raft, storage, instruments, self._guard)
        self.sender = SnapshotSender(self.raft, storage, now)
        self.receiver = SnapshotReceiver(reactor, self.raft, storage, self._guard, self.wake)
        self._call: IDelayedCall | None = None
        self._ready: Ready | None = None
        """The round under way. It is finished later where the disk is full."""
        self._steps_done = 0
        self._steps = (
            self._send_before,
            self._save_hard_state,
            self._install,
            self._append,
            self._send_after,
            self._store_chunks,
            self._apply,
        )
        self._lost: dict[str, None] = {}
        self._answers: list[Callable[[], None]] = []
        self._last_leader: str | None = None
        self._last_election_term = 0
        self._peers_known_by: tuple[Configuration, int] | None = None
        """Configuration in force, and index of the newest committed one, when the links were last told."""
        self._room_check: IDelayedCall | None = None

    # Life

    def start(self, network: Network) -> None:
        """Begin to act."""
        self.network = network
        self.is_running = True
        self._tell_peers()
        self.wake()

    def stop(self) -> None:
        """Stop acting for good, and tell everybody who waits."""
        self.is_running = False
        for call in (self._call, self._room_check):
            if call is not None and call.active():
                call.cancel()
        self._call = self._room_check = None
        for part in (self.taker, self.receiver, self.sender):
            try:
                part.stop()
            except (StorageError, OSError) as error:
                _log.info("while stopping: {error}", error=error)
        self.proposals.stop()
        self.reads.stop()

    def wake(self) -> None:
        """See that there is a drain in the next turn."""
        if self._call is None and self.is_running and not self.is_disk_full:
            self._call = self._reactor.callLater(0, self._drain)

    @property
    def is_disk_full(self) -> bool:
        """Whether the log has no room to grow. Until it has, this node takes part in nothing; its store can be read."""
        return self._room_check is not None

    def leader(self) -> Member | None:
        """Return the leader, where one is known and our configuration names it."""
        leader_id = self.raft.leader_id
        return None if leader_id is None else self.raft.log.configuration.get(leader_id)

    def _guard(self, act: Callable[[], None]) -> None:
        """Do something with the disk. Where it fails, or where we are wrong, nothing more is sent or answered."""
        try:
            act()
        except StorageError as error:
            self.failed(error)
        except Exception as error:
            _log.failure("a fault in minicloud itself")
            self.failed(error)
            raise

    def failed(self, error: Exception) -> None:
        """Stop for good: what is on disk is not known any more, or consensus is in a state that cannot be."""
        if self.is_running:
            self.stop()
            self._on_failed(error)

    # The drain

    def _drain(self) -> None:
        self._call = None
        self._guard(self._drain_or_wait)

    def _drain_or_wait(self) -> None:
        try:
            self._rounds()
        except DiskFull as error:
            _log.error("this node takes part in nothing until there is room: {error}", error=error)
            self._wait_for_room()

    def _wait_for_room(self) -> None:
        """Send nothing, not even heartbeats, so that another leader takes over; and try again later."""
        if self._call is not None:  # somebody woke us while we were at it
            self._call.cancel()
            self._call = None
        if self._ready is None or self._ready.snapshot is None:
            self.receiver.stop()  # the core must hear of no new snapshot before this round is finished
        self._room_check = self._reactor.callLater(ROOM_CHECK_S, self._try_again)

    def _try_again(self) -> None:
        """Finish what was held up, in this very turn: in the next one a message could change the log under it."""
        self._room_check = None
        self._drain()

    def _rounds(self) -> None:
        if self._ready is not None:  # a full disk has held it up; the core takes nothing new before it is finished
            self._carry_out(self._ready)
        self.proposals.go_on()
        self.reads.ask()
        for _ in range(MAX_ROUNDS):
            if not self.raft.has_ready():
                break
            self._ready = self.raft.ready()
            self._steps_done = 0
            self._carry_out(self._ready)
        assert self.network is not None, "started"
        self.sender.flush(self.network)
        self._look_around()
        if self.raft.has_ready():
            self.wake()

    def _carry_out(self, ready: Ready) -> None:
        """Take the steps that are left of a round, and finish it. Raises DiskFull in between."""
        while self._steps_done < len(self._steps):
            self._steps[self._steps_done](ready)
            self._steps_done += 1
        self._finish(ready)

    def _finish(self, ready: Ready) -> None:
        self._ready = None
        self.raft.advance(ready)
        lost, self._lost = self._lost, {}
        for peer in lost:
            self.raft.message_lost(peer)
        for peer in ready.snapshots_wanted:
            self.sender.start(peer)
        for request_id in ready.reads_aborted:
            self.reads.aborted(request_id)
        for state in ready.read_states:
            self.reads.confirmed(state.request_id, state.read_index)
        # Answers come last: whoever gets one may at once ask for something new, which needs the core at rest.
        answers, self._answers = self._answers, []
        for answer in answers:
            answer()
        self.reads.applied(self.store.applied_index)

    def _look_around(self) -> None:
        self._tell_peers()
        self.receiver.applied(self.store.applied_index)
        self.taker.consider(self.store)
        leader_id = self.raft.leader_id
        if leader_id is not None and leader_id != self._last_leader:
            self._last_leader = leader_id
            self._instruments.leader_changed()
            _log.info("node {leader} leads in term {term}", leader=leader_id, term=self.raft.current_term)

    # The steps of a round, in this order

    def _send_before(self, ready: Ready) -> None:
        self._send(ready.messages_before_sync)

    def _save_hard_state(self, ready: Ready) -> None:
        state = ready.hard_state
        if state is None:
            return
        self.storage.save_hard_state(state)
        if state.voted_for == self._node_id and state.current_term > self._last_election_term:
            self._last_election_term = state.current_term
            self._instruments.election_started()

    def _install(self, ready: Ready) -> None:
        meta = ready.snapshot
        if meta is None:
            return
        self.taker.stop()
        store = self.receiver.install(meta)
        if store is not None:
            self.store = store
        self._answers.append(lambda: self.proposals.jumped(meta.index))

    def _append(self, ready: Ready) -> None:
        if not ready.entries:
            return
        self.storage.append(ready.entries)
        started_s = self._reactor.seconds()
        self.storage.sync()
        self._instruments.fsync(self._reactor.seconds() - started_s)

    def _send_after(self, ready: Ready) -> None:
        self._send(ready.messages_after_sync)

    def _store_chunks(self, ready: Ready) -> None:
        for chunk in ready.chunks:
            self._send((Envelope(chunk.sender, self.receiver.take(chunk)),))

    def _apply(self, ready: Ready) -> None:
        if not ready.committed:
            return
        commands = 0
        for entry in ready.committed:
            commands += entry.kind is EntryKind.COMMAND
            self._answers += self.proposals.applied(entry, self._apply_one(entry))
        self._instruments.committed(len(ready.committed))
        self._instruments.applied(commands)

    def _apply_one(self, entry: Entry) -> Outcome | None:
        if entry.kind is not EntryKind.COMMAND:
            self.store.skip(entry.index)
            return None
        try:
            command = decode_command(entry.data)
        except WireError as error:
            raise UnsupportedFormat(f"log entry {entry.index}", str(error), "commands of its own version") from None
        return self.store.apply(entry.index, command)

    # Links

    def _send(self, envelopes: tuple[Envelope, ...]) -> None:
        assert self.network is not None, "started"
        for envelope in envelopes:
            if self.network.send(envelope.to, envelope.message):
                self.round_trips.sent(envelope.to, envelope.message)
            else:
                self._lost[envelope.to] = None

    def take_message(self, sender: str, message: Message) -> None:
        """Give a peer's message to consensus. Raises ProtocolViolation."""
        self.round_trips.received(sender, message)
        self.raft.step(sender, message)
        self.wake()

    def _tell_peers(self) -> None:
        """Keep the links to the members of the newest configuration."""
        assert self.network is not None, "started"
        committed_index, _configuration = self.raft.committed_configuration
        configuration = self.raft.log.configuration
        known_by = self._peers_known_by
        if known_by is not None and known_by[0] is configuration and known_by[1] == committed_index:
            return
        self._peers_known_by = configuration, committed_index
        peers: dict[str, PeerAddress] = {}
        is_out = configuration.get(self._node_id) is None and committed_index >= self.raft.log.configuration_index
        if not is_out:  # once it is certain that we are no member, nobody would let us in
            peers = {
                member.node_id: PeerAddress(member.raft_addr, member.instance_id)
                for member in configuration.members
                if member.node_id != self._node_id
            }
        # Who is out knows no peers, and must not take that for a reason to tell members that they are none.
        self.network.set_peers(peers, 0 if is_out else committed_index)
