"""Several cores on one simulated network, with simulated disks: deterministic, and checked after every step.

The driver here carries out a Ready in the order of its fields, as the node does, and can die between any two of them. What is
on a ``Disk`` is all that a restart finds.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterable, Sequence

from attrs import Factory, define, frozen

from minicloud.raft.configuration import Configuration, Member, Suffrage
from minicloud.raft.core import Raft
from minicloud.raft.entries import Entry, EntryKind, HardState, SnapshotMeta
from minicloud.raft.messages import InstallSnapshot, InstallSnapshotReply, Message, TimeoutNow, VoteReply
from minicloud.raft.progress import Mode
from minicloud.raft.ready import Ready, ReceivedChunk
from minicloud.raft.role import Role
from minicloud.raft.settings import RaftSettings

SETTINGS = RaftSettings(
    election_timeout_ticks=(10, 20),
    heartbeat_ticks=2,
    hint_delay_ticks=(1, 3),
    max_append_bytes=600,
    max_inflight_bytes=2400,
    max_inflight_messages=4,
    max_apply_entries=3,
)
ELECTION_TICKS = SETTINGS.election_timeout_ticks[0]
LONG_ELECTION_TICKS = SETTINGS.election_timeout_ticks[1]
MAX_ROUNDS = 500
"""Readies in a row, and settling deliveries per message waiting: more would be an endless loop."""
RESEND_TICKS = 3 * ELECTION_TICKS
"""After which the driver sends a snapshot again that was not acknowledged."""

State = tuple[tuple[int, bytes], ...]
"""The state machine: every command that was applied, with its index."""


class Crash(Exception):
    """The process ends here."""


def member(node_id: str, suffrage: Suffrage = Suffrage.VOTER, auto_promote: bool = True) -> Member:
    return Member(node_id, f"{node_id}:1", f"{node_id}:2", suffrage, auto_promote)


def voters(node_ids: Iterable[str]) -> Configuration:
    return Configuration(tuple(member(node_id) for node_id in node_ids))


def learner(node_id: str) -> Member:
    return member(node_id, Suffrage.LEARNER)


@define
class Disk:
    """What survives a crash."""

    hard_state: HardState = Factory(HardState)
    snapshot: SnapshotMeta | None = None
    snapshot_state: State = ()
    entries: list[Entry] = Factory(list)

    @property
    def last_index(self) -> int:
        if self.entries:
            return self.entries[-1].index
        return self.snapshot.index if self.snapshot else 0

    def append(self, entries: Sequence[Entry]) -> None:
        if not entries:
            return
        first = entries[0].index
        assert first <= self.last_index + 1, "a gap in the log"
        self.entries = [entry for entry in self.entries if entry.index < first] + list(entries)


@frozen
class Packet:
    """A message on its way."""

    sender: str
    to: str
    message: Message


@define
class Server:
    """A core, its disk, its state machine, and what its clients were told."""

    node_id: str
    disk: Disk
    core: Raft | None = None
    state: State = ()
    received_state: State = ()
    reads_done: dict[int, int] = Factory(dict)
    reads_aborted: set[int] = Factory(set)
    reads_waiting: dict[int, int] = Factory(dict)
    """Confirmed, waiting for the store: request id to read index."""
    highest_term: int = 0
    highest_commit: int = 0
    snapshot_sent_tick: dict[str, int] = Factory(dict)

    @property
    def raft(self) -> Raft:
        assert self.core is not None, f"{self.node_id} is down"
        return self.core

    @property
    def is_up(self) -> bool:
        return self.core is not None

    @property
    def commands(self) -> list[bytes]:
        return [data for _, data in self.state]


class Network:
    """Servers, the messages between them, and the promises of the paper's figure 3."""

    def __init__(
        self, node_ids: str = "abc", seed: int = 0, settings: RaftSettings = SETTINGS, spare: str = ""
    ) -> None:
        self.random = random.Random(seed)
        self.settings = settings
        self.servers: dict[str, Server] = {}
        self.packets: list[Packet] = []
        self.lost: list[Packet] = []
        self.holding: Callable[[Packet], bool] = lambda packet: False
        self.held: list[Packet] = []
        self.blocked: set[tuple[str, str]] = set()
        self.crash_point: Callable[[Server, str], bool] = lambda server, point: False
        self.tear_writes = False
        self.sent: list[Packet] = []
        self.request_id = 0
        self.asked_at: dict[int, int] = {}
        self.resends_snapshots = True

        self.leader_of: dict[int, str] = {}
        self.vote_of: dict[tuple[int, str], str] = {}
        self.entry_of: dict[tuple[int, int], tuple[Entry, int | None]] = {}
        self.committed_term: dict[int, int] = {}
        self.applied: dict[int, Entry] = {}
        self.match_of: dict[tuple[str, int, str], int] = {}

        first = Entry(1, 1, EntryKind.CONFIGURATION, configuration=voters(node_ids))
        for node_id in node_ids:
            self.add(node_id, Disk(HardState(1), entries=[first]))
        for node_id in spare:
            self.add(node_id, Disk())

    # Processes

    def add(self, node_id: str, disk: Disk) -> Server:
        self.servers[node_id] = Server(node_id, disk)
        return self.start(node_id)

    def start(self, node_id: str) -> Server:
        server = self.servers[node_id]
        disk = server.disk
        seed = self.random.getrandbits(32)
        server.core = Raft(
            node_id, self.settings, random.Random(seed), disk.hard_state, disk.snapshot, tuple(disk.entries)
        )
        server.state = disk.snapshot_state
        server.highest_term, server.highest_commit = disk.hard_state.current_term, 0
        self.check(server)
        return server

    def crash(self, node_id: str) -> None:
        server = self.servers[node_id]
        server.core = None
        server.state = ()
        server.reads_waiting.clear()
        server.snapshot_sent_tick.clear()

    def restart(self, node_id: str) -> Server:
        self.crash(node_id)
        return self.start(node_id)

    def __getitem__(self, node_id: str) -> Raft:
        return self.servers[node_id].raft

    @property
    def up(self) -> list[Server]:
        return [server for server in self.servers.values() if server.is_up]

    # The driver

    def flush(self, node_id: str) -> None:
        """Carry out everything that a core wants."""
        server = self.servers[node_id]
        for _ in range(MAX_ROUNDS):
            if server.core is None or not server.core.has_ready():
                return
            try:
                self.carry_out(server)
            except Crash:
                self.crash(node_id)
        raise AssertionError(f"{node_id} never comes to rest")

    def carry_out(self, server: Server) -> None:
        ready = server.raft.ready()
        self._send_all(server, ready.messages_before_sync)
        self._maybe_crash(server, "before hard state")
        if ready.hard_state is not None:
            assert ready.hard_state.current_term >= server.disk.hard_state.current_term
            server.disk.hard_state = ready.hard_state
        self._maybe_crash(server, "before snapshot")
        if ready.snapshot is not None:
            server.disk.snapshot, server.disk.snapshot_state = ready.snapshot, server.received_state
            server.disk.entries = []
            server.state = server.received_state
        self._write(server, ready)
        self._maybe_crash(server, "before replies")
        self._send_all(server, ready.messages_after_sync)
        self._maybe_crash(server, "before apply")
        for entry in ready.committed:
            self._apply(server, entry)
        self._maybe_crash(server, "before advance")
        self._note_reads(server, ready)
        server.raft.advance(ready)
        self._serve_reads(server)
        for target in ready.snapshots_wanted:
            self.send_snapshot(server, target)
        for chunk in ready.chunks:
            self._take_chunk(server, chunk)
        self.check(server)

    def _write(self, server: Server, ready: Ready) -> None:
        assert ready.must_sync == bool(ready.entries)
        if self.tear_writes and ready.entries and self.crash_point(server, "in the middle of the entries"):
            server.disk.append(ready.entries[: self.random.randrange(len(ready.entries) + 1)])
            raise Crash
        server.disk.append(ready.entries)
        for entry in ready.entries:
            known = (entry, server.raft.log.term_at(entry.index - 1))
            seen = self.entry_of.setdefault((entry.index, entry.term), known)
            assert seen[0] == entry, f"Log Matching: {entry} and {seen[0]}"
            assert None in (seen[1], known[1]) or seen[1] == known[1], f"Log Matching before {entry}"

    def _maybe_crash(self, server: Server, point: str) -> None:
        if self.crash_point(server, point):
            raise Crash

    def _apply(self, server: Server, entry: Entry) -> None:
        known = self.applied.setdefault(entry.index, entry)
        assert known == entry, f"State Machine Safety: {server.node_id} applies {entry}, others applied {known}"
        assert entry.index <= server.disk.last_index, "applied before it is on disk"
        if entry.kind is EntryKind.COMMAND:
            server.state = (*server.state, (entry.index, entry.data))

    def _note_reads(self, server: Server, ready: Ready) -> None:
        for read in ready.read_states:
            assert read.read_index >= self.asked_at[read.request_id], "a stale read"
            server.reads_waiting[read.request_id] = read.read_index
        server.reads_aborted.update(ready.reads_aborted)

    def _serve_reads(self, server: Server) -> None:
        for request_id, index in list(server.reads_waiting.items()):
            if index <= server.raft.last_applied:
                server.reads_done[request_id] = server.reads_waiting.pop(request_id)

    def _send_all(self, server: Server, envelopes: Iterable[object]) -> None:
        for envelope in envelopes:
            self.send(server.node_id, envelope.to, envelope.message)  # type: ignore[attr-defined]

    def send(self, sender: str, to: str, message: Message) -> None:
        if isinstance(message, VoteReply) and message.granted:
            durable = self.servers[sender].disk.hard_state
            # A vote that a newer term has overtaken need not be on disk: nobody can ask for another in its term.
            assert durable == HardState(message.term, to) or durable.current_term > message.term, "a vote not on disk"
            assert self.vote_of.setdefault((message.term, sender), to) == to, "two votes in a term"
        packet = Packet(sender, to, message)
        self.sent.append(packet)
        (self.held if self.holding(packet) else self.packets).append(packet)

    # Snapshots

    def take_snapshot(self, node_id: str, keep: int = 0) -> None:
        """Write the store to disk and compact the log up to ``keep`` entries before the end of what is applied."""
        server = self.servers[node_id]
        raft = server.raft
        index = raft.last_applied
        term = raft.log.term_at(index)
        if index == 0 or (raft.snapshot and raft.snapshot.index >= index):
            return
        assert term is not None
        configuration_index, configuration = raft.log.configuration_at(index)
        meta = SnapshotMeta(index, term, configuration, configuration_index)
        through = max(index - keep, 0)
        server.disk.snapshot, server.disk.snapshot_state = meta, server.state
        server.disk.entries = [entry for entry in server.disk.entries if entry.index > through]
        raft.snapshot_taken(meta, through)
        self.flush(node_id)

    def send_snapshot(self, server: Server, target: str) -> None:
        meta = server.disk.snapshot
        assert meta is not None
        data = repr(server.disk.snapshot_state).encode()
        server.snapshot_sent_tick[target] = server.raft.tick_count
        self.send(server.node_id, target, InstallSnapshot(server.raft.current_term, meta, 0, data, len(data)))

    def _take_chunk(self, server: Server, chunk: ReceivedChunk) -> None:
        message = chunk.message
        raft = server.raft
        self.send(
            server.node_id,
            chunk.sender,
            InstallSnapshotReply(raft.current_term, message.snapshot.index, message.total_bytes),
        )
        if raft.snapshot_received(message.snapshot):
            server.received_state = ast.literal_eval(message.data.decode())

    def _resend_snapshots(self, server: Server) -> None:
        for target, progress in server.raft.progress.items():
            since = server.snapshot_sent_tick.get(target, 0)
            if progress.mode is Mode.SNAPSHOT and server.raft.tick_count - since >= RESEND_TICKS:
                self.send_snapshot(server, target)

    # Time and links

    def tick(self, *node_ids: str, count: int = 1) -> None:
        """Let time pass for some, or for all, and deliver what follows."""
        for _ in range(count):
            for node_id in node_ids or tuple(self.servers):
                self.tick_one(node_id)
            self.settle()

    def tick_one(self, node_id: str) -> None:
        server = self.servers[node_id]
        if not server.is_up:
            return
        server.raft.tick()
        if self.resends_snapshots and server.raft.role is Role.LEADER:
            self._resend_snapshots(server)
        self.check(server)
        self.flush(node_id)

    def deliver(self, packet: Packet) -> None:
        server = self.servers.get(packet.to)
        if server is None or not server.is_up or (packet.sender, packet.to) in self.blocked:
            self.lost.append(packet)
            return
        server.raft.step(packet.sender, packet.message)
        self.check(server)
        self.flush(packet.to)

    def settle(self) -> None:
        """Deliver everything, in order, until nothing is on its way."""
        for node_id in self.servers:
            self.flush(node_id)
        for _ in range(MAX_ROUNDS * 10):
            if not self.packets:
                return
            self.deliver(self.packets.pop(0))
        raise AssertionError("the messages never end")

    def release(self) -> None:
        """Deliver what was held back, and hold nothing more."""
        self.holding = lambda packet: False
        self.packets, self.held = [*self.held, *self.packets], []
        self.settle()

    def step(self, to: str, sender: str, message: Message) -> list[Message]:
        """Hand a message over and return what is answered to its sender; other messages stay on their way."""
        before = len(self.sent)
        self[to].step(sender, message)
        self.check(self.servers[to])
        self.flush(to)
        answers = [packet for packet in self.sent[before:] if packet.to == sender and packet.sender == to]
        if sender not in self.servers:
            self.packets = [packet for packet in self.packets if packet.to != sender]
        return [packet.message for packet in answers]

    def isolate(self, *node_ids: str) -> None:
        """Cut those off from all others, but not from each other."""
        for one in self.servers:
            for other in self.servers:
                if (one in node_ids) != (other in node_ids):
                    self.blocked.add((one, other))

    def heal(self) -> None:
        self.blocked.clear()

    # Clients

    def elect(self, node_id: str) -> Raft:
        """Make that server the leader, as a transfer would."""
        for _ in range(5):
            if self[node_id].role is Role.LEADER:
                break
            self[node_id].step("", TimeoutNow(self[node_id].current_term))
            self.settle()
        assert self[node_id].role is Role.LEADER, f"{node_id} is not elected"
        return self[node_id]

    @property
    def leader(self) -> Raft | None:
        """The leader of the newest term."""
        leaders = [server.raft for server in self.up if server.raft.role is Role.LEADER]
        return max(leaders, key=lambda raft: raft.current_term, default=None)

    def elected(self) -> Raft:
        assert self.leader is not None, "nobody leads"
        return self.leader

    def propose(self, data: bytes, node_id: str | None = None) -> int:
        raft = self.elected() if node_id is None else self[node_id]
        index, _ = raft.propose(data)
        self.flush(raft.node_id)
        return index

    def write(self, data: bytes) -> int:
        """Propose, deliver, and let a heartbeat tell everybody that it is committed."""
        index = self.propose(data)
        self.settle()
        self.heartbeat()
        return index

    def heartbeat(self) -> None:
        self.tick(self.elected().node_id, count=self.settings.heartbeat_ticks)

    def change(self, configuration: Configuration) -> int:
        index, _ = self.elected().change_configuration(configuration)
        self.settle()
        return index

    def read(self, node_id: str) -> int | None:
        """Ask for a read; return its id, or None where no leader is known."""
        self.request_id += 1
        self.asked_at[self.request_id] = max(self.applied, default=0)
        if not self[node_id].read_index(self.request_id):
            return None
        self.flush(node_id)
        return self.request_id

    def wait_for(self, condition: Callable[[], bool], limit_ticks: int = 20 * LONG_ELECTION_TICKS) -> int:
        """Let time pass until it is so; return how many ticks it took."""
        for ticks in range(limit_ticks):
            if condition():
                return ticks
            self.tick()
        raise AssertionError(f"not within {limit_ticks} ticks")

    def wait_for_leader(self) -> int:
        return self.wait_for(lambda: self.leader is not None)

    # What is always so

    def check(self, server: Server) -> None:
        """Election Safety, Leader Completeness, and what never goes back (paper, figure 3)."""
        raft = server.raft
        assert raft.last_applied <= raft.commit_index <= raft.log.last_index
        assert raft.log.base_index <= raft.last_applied and raft.log.stable_index <= raft.log.last_index
        assert (raft.leader_id == raft.node_id) == (raft.role is Role.LEADER)
        assert raft.current_term >= server.highest_term, "the term went back"
        server.highest_term = raft.current_term
        self._check_commit(server)
        if raft.role is Role.LEADER:
            self._check_leader(raft)

    def _check_commit(self, server: Server) -> None:
        raft = server.raft
        assert raft.commit_index >= server.highest_commit, "the commit index went back"
        for index in range(max(server.highest_commit, raft.log.base_index) + 1, raft.commit_index + 1):
            term = raft.log.term_at(index)
            assert term is not None
            assert self.committed_term.setdefault(index, term) == term, f"two entries committed at {index}"
        server.highest_commit = raft.commit_index

    def _check_leader(self, raft: Raft) -> None:
        known = self.leader_of.get(raft.current_term)
        assert known in (None, raft.node_id), f"two leaders in term {raft.current_term}"
        if known is None:
            self.leader_of[raft.current_term] = raft.node_id
            for index, term in self.committed_term.items():
                here = raft.log.term_at(index)
                assert here == term or index < raft.log.base_index, f"Leader Completeness: entry {index}"
        for node_id, progress in raft.progress.items():
            assert progress.match_index < progress.next_index <= raft.log.last_index + 1
            key = (raft.node_id, raft.current_term, node_id)
            assert progress.match_index >= self.match_of.get(key, 0) or node_id not in raft.configuration.voters
            self.match_of[key] = progress.match_index
            follower = self.servers.get(node_id)
            if follower is not None and follower.disk.hard_state.current_term == raft.current_term:
                assert follower.disk.last_index >= progress.match_index, "acknowledged and not on disk"
