"""Random runs under every fault at once. A failure names its seed: the same seed gives the same run."""

from __future__ import annotations

import pytest

from minicloud.raft.configuration import Suffrage
from minicloud.raft.errors import Refused
from minicloud.raft.messages import InstallSnapshot
from minicloud.raft.progress import Mode
from minicloud.raft.role import Role
from tests.raft.network import LONG_ELECTION_TICKS, Network, Server, learner, member, voters

SEEDS = 240
SEEDS_PER_TEST = 20
STEPS = 1500
SERVERS = "abcde"
HEALED_TICKS = 12 * LONG_ELECTION_TICKS
"""Within which a healed cluster must have elected a leader and committed: a few elections, and a snapshot sent again."""


class Chaos:
    """One random run."""

    def __init__(self, seed: int) -> None:
        self.network = Network("abc", seed, spare="de")
        self.random = self.network.random
        self.writes = 0
        self.healed_term = self.healed_index = 0
        self.reads: list[tuple[str, int]] = []
        self.loss = self.random.choice((0.0, 0.02, 0.2))
        self.duplication = self.random.choice((0.0, 0.1))
        self.crash_rate = self.random.choice((0.0, 0.002, 0.01))
        self.in_order = self.random.random() < 0.4
        self.network.tear_writes = True
        self.network.crash_point = lambda server, point: self.random.random() < self.crash_rate
        self.actions = (
            (40, self.deliver_some),
            (25, self.tick_some),
            (10, self.write),
            (10, self.read),
            (4, self.change_members),
            (2, self.take_snapshot),
            (2, self.crash_or_start),
            (2, self.cut_or_heal),
            (1, self.transfer),
            (2, self.links),
            (2, self.snapshot_fails),
        )

    def run(self) -> None:
        actions = [action for weight, action in self.actions for _ in range(weight)]
        for _ in range(STEPS):
            self.random.choice(actions)()

    def some(self) -> Server | None:
        return self.random.choice(self.network.up) if self.network.up else None

    def deliver_some(self) -> None:
        packets = self.network.packets
        for _ in range(self.random.randint(1, 12)):
            if not packets:
                return
            position = 0 if self.in_order else self.random.randrange(len(packets))
            packet = packets[position] if self.random.random() < self.duplication else packets.pop(position)
            if self.random.random() < self.loss:
                self.report_loss(packet.sender, packet.to)
            else:
                self.network.deliver(packet)

    def report_loss(self, sender: str, to: str) -> None:
        server = self.network.servers[sender]
        if server.is_up and self.random.random() < 0.5:
            server.raft.message_lost(to)
            self.network.flush(sender)

    def tick_some(self) -> None:
        for node_id in SERVERS:
            if self.random.random() < 0.8:
                self.network.tick_one(node_id)

    def leader_or_some(self) -> Server | None:
        leader = self.network.leader
        return self.network.servers[leader.node_id] if leader and self.random.random() < 0.9 else self.some()

    def write(self) -> None:
        server = self.leader_or_some()
        for _ in range(self.random.choice((1, 1, 1, 8))):
            if server is None or not server.is_up or server.raft.role is not Role.LEADER:
                return
            self.writes += 1
            try:
                server.raft.propose(b"%d" % self.writes + b"." * self.random.choice((0, 0, 100, 700)))
            except Refused:
                return
            if self.random.random() < 0.5:
                self.network.flush(server.node_id)

    def read(self) -> None:
        server = self.some()
        if server is not None:
            request_id = self.network.read(server.node_id)
            if request_id is not None:
                self.reads.append((server.node_id, request_id))

    def change_members(self) -> None:
        server = self.leader_or_some()
        if server is None:
            return
        configuration = server.raft.configuration
        node_id = self.random.choice(SERVERS)
        known = configuration.get(node_id)
        promoted = server.raft.caught_up_learner()
        if promoted is not None and self.random.random() < 0.6:
            configuration = configuration.with_member(member(promoted.node_id))
        elif known is None:
            configuration = configuration.with_member(learner(node_id))
        elif known.suffrage is Suffrage.LEARNER or len(configuration.voters) > 2:
            configuration = configuration.without(node_id)
        try:
            server.raft.change_configuration(configuration)
        except Refused:
            return
        self.network.flush(server.node_id)

    def take_snapshot(self) -> None:
        server = self.some()
        if server is not None:
            self.network.take_snapshot(server.node_id, keep=self.random.choice((0, 0, 2, 10)))

    def crash_or_start(self) -> None:
        node_id = self.random.choice(SERVERS)
        if self.network.servers[node_id].is_up:
            self.network.crash(node_id)
            for server in self.network.up:
                if self.random.random() < 0.5:
                    server.raft.link_lost(node_id)
                    self.network.flush(server.node_id)
        self.network.start(self.random.choice([i for i in SERVERS if not self.network.servers[i].is_up] or [node_id]))

    def cut_or_heal(self) -> None:
        kind = self.random.random()
        if kind < 0.5:
            self.network.heal()
        elif kind < 0.8:
            self.network.isolate(*self.random.sample(SERVERS, self.random.randint(1, 2)))
        else:
            self.network.blocked.add(tuple(self.random.sample(SERVERS, 2)))

    def transfer(self) -> None:
        server = self.leader_or_some()
        if server is None:
            return
        try:
            server.raft.transfer_leadership(self.random.choice((None, *SERVERS)))
        except Refused:
            return
        self.network.flush(server.node_id)

    def links(self) -> None:
        server = self.some()
        if server is not None:
            node_id = self.random.choice(SERVERS)
            (server.raft.link_up if self.random.random() < 0.5 else server.raft.link_lost)(node_id)
            self.network.flush(server.node_id)

    def snapshot_fails(self) -> None:
        for server in self.network.up:
            for node_id, progress in list(server.raft.progress.items()):
                if progress.mode is Mode.SNAPSHOT and self.random.random() < 0.3:
                    server.raft.snapshot_failed(node_id)
                    self.network.flush(server.node_id)

    def heal(self) -> None:
        """End all faults; then everybody who takes part must soon agree, and serve."""
        network = self.network
        network.heal()
        network.crash_point = lambda server, point: False
        for node_id, server in network.servers.items():
            if not server.is_up:
                network.start(node_id)
        network.wait_for(self.is_serving, HEALED_TICKS)
        leader = network.elected()
        states = {network.servers[node_id].state for node_id in leader.configuration.voters}
        assert len(states) == 1
        self.reads_are_over()

    def is_serving(self) -> bool:
        """Whether a write that is new since the faults ended has reached everybody. It is tried anew under a new leader."""
        leader = self.network.leader
        if leader is None:
            return False
        if leader.current_term != self.healed_term and leader.transfer_target is None:
            self.healed_term, self.healed_index = leader.current_term, self.network.propose(b"healed")
        return leader.current_term == self.healed_term and all(
            self.network[m.node_id].last_applied >= self.healed_index for m in leader.configuration.members
        )

    def reads_are_over(self) -> None:
        """No read is forgotten: each was answered or aborted, but where its process ended. And each node serves one now."""
        network = self.network
        leader = network.elected()
        fresh = {m.node_id: network.read(m.node_id) for m in leader.configuration.members}
        network.settle()
        for node_id, request_id in fresh.items():
            assert request_id in network.servers[node_id].reads_done, f"{node_id} does not serve reads"
            assert not network.servers[node_id].reads_waiting
        assert not leader.reads.pending


@pytest.mark.parametrize("first_seed", range(0, SEEDS, SEEDS_PER_TEST))
def test_random_runs_keep_every_promise_and_recover(first_seed: int) -> None:
    """Paper, figure 3 and section 5.6; thesis, section 6.4."""
    for seed in range(first_seed, first_seed + SEEDS_PER_TEST):
        chaos = Chaos(seed)
        try:
            chaos.run()
            chaos.heal()
        except Exception as failure:
            raise AssertionError(f"seed {seed}: {failure!r}") from failure


def test_random_runs_do_meet_what_they_are_for() -> None:
    """A run that commits, reads, compacts, crashes and changes nothing would prove nothing."""
    elections = snapshots = changes = reads = 0
    for seed in range(SEEDS_PER_TEST):
        chaos = Chaos(seed)
        chaos.run()
        elections += len(chaos.network.leader_of)
        snapshots += sum(isinstance(packet.message, InstallSnapshot) for packet in chaos.network.sent)
        changes += len({entry.configuration for entry in chaos.network.applied.values() if entry.configuration})
        reads += sum(len(server.reads_done) for server in chaos.network.servers.values())
    assert elections > 4 * SEEDS_PER_TEST // 2
    assert snapshots > SEEDS_PER_TEST
    assert changes > SEEDS_PER_TEST
    assert reads > 10 * SEEDS_PER_TEST
    assert voters("a").voters == ("a",)
