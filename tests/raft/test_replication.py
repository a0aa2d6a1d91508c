"""Log replication and its flow control (paper, section 5.3; thesis, section 10.2.1)."""

from __future__ import annotations

import random

import pytest

from minicloud.raft.entries import Entry, HardState
from minicloud.raft.errors import NotLeader, ProtocolViolation
from minicloud.raft.log import entry_bytes
from minicloud.raft.messages import AppendEntries, AppendReply, Heartbeat
from minicloud.raft.progress import Mode
from tests.raft.network import ELECTION_TICKS, LONG_ELECTION_TICKS, SETTINGS, Network, Packet


def led(node_ids: str = "abc", seed: int = 0) -> Network:
    network = Network(node_ids, seed)
    network.elect("a")
    network.heartbeat()
    return network


def is_append(packet: Packet) -> bool:
    return isinstance(packet.message, AppendEntries)


def entries(first_index: int, count: int, term: int = 2) -> tuple[Entry, ...]:
    return tuple(Entry(term, index, data=b"%d" % index) for index in range(first_index, first_index + count))


def test_only_the_leader_takes_proposals() -> None:
    """Paper, section 5.1."""
    with pytest.raises(NotLeader):
        led()["b"].propose(b"x")


@pytest.mark.parametrize("seed", range(20))
def test_scenario_18_late_duplicated_and_reordered_appends_never_truncate_what_matches(seed: int) -> None:
    """Paper, figure 2, step 3: only "if an existing entry conflicts with a new one"."""
    network = led()
    log = entries(3, 6)
    messages = [
        AppendEntries(2, prev, 2, log[prev - 2 : prev - 2 + count], commit)
        for prev in range(2, 8)
        for count in range(3)
        for commit in (2, prev)
    ]
    order = random.Random(seed)
    acknowledged = 0
    for message in order.choices(messages, k=60):
        before = network.servers["b"].disk.last_index
        (reply,) = network.step("b", "a", message)
        assert network.servers["b"].disk.last_index >= before
        acknowledged = max(acknowledged, reply.match_index if reply.success else 0)
    (reply,) = network.step("b", "a", AppendEntries(2, 2, 2, log, 8))
    assert reply.success and network.servers["b"].disk.entries[2:] == list(log)
    assert network["b"].commit_index == 8 >= acknowledged


def test_scenario_18_an_append_behind_the_commit_index_is_acknowledged_up_to_it() -> None:
    """Paper, section 5.3: all of it is known to match, even where it is compacted away."""
    network = led()
    for number in range(4):
        index = network.write(b"%d" % number)
    network.take_snapshot("b")
    assert network.step("b", "a", AppendEntries(2, 2, 2, entries(3, 1), 3)) == [AppendReply(2, True, index)]
    message = AppendEntries(2, 3, 2, entries(4, 4), 3)
    (reply,) = network.step("b", "a", message)
    assert reply == AppendReply(2, True, 7)
    assert network["b"].log.last_index == 7


def test_scenario_19_a_heartbeat_commits_nothing_beyond_the_local_log() -> None:
    """Paper, figure 2, step 5."""
    network = led()
    network.step("b", "a", Heartbeat(2, 99))
    assert network["b"].commit_index == network["b"].log.last_index == 2


def test_scenario_19_a_leader_tells_each_follower_only_of_what_it_has() -> None:
    """Thesis, section 3.5: a heartbeat does not verify the log, so what it commits must have been verified."""
    network = led()
    network.holding = lambda packet: packet.to == "c" and is_append(packet)
    for number in range(4):
        network.propose(b"%d" % number)
    network.settle()
    assert network["a"].commit_index == 6
    before = len(network.sent)
    network.heartbeat()
    beats = [p.message for p in network.sent[before:] if p.to == "c" and isinstance(p.message, Heartbeat)]
    assert beats and all(beat.commit_index == 2 for beat in beats)
    assert network["c"].commit_index == 2


def test_scenario_19_an_append_commits_only_what_it_verifies() -> None:
    """Paper, figure 2, step 5: an unverified tail of another leader stays uncommitted."""
    network = Network()
    disk = network.servers["a"].disk
    disk.entries += [Entry(2, 2, data=b"good"), Entry(2, 3, data=b"bad"), Entry(2, 4, data=b"bad")]
    disk.hard_state = HardState(2)
    network.restart("a")
    network.step("a", "b", AppendEntries(3, 1, 1, (Entry(2, 2, data=b"good"),), 4))
    assert network["a"].commit_index == 2
    network.step("a", "b", AppendEntries(3, 2, 2, (Entry(3, 3, data=b"new"),), 4))
    assert network.servers["a"].commands == [b"good", b"new"]


def test_a_leader_backs_up_a_term_at_a_time() -> None:
    """Paper, end of section 5.3: one exchange for each term that conflicts, not for each entry."""
    network = Network()
    for node_id, terms in (("a", [2] * 20 + [6]), ("b", [2] * 5 + [3] * 30), ("c", [2] * 5 + [3] * 30)):
        disk = network.servers[node_id].disk
        disk.entries = disk.entries[:1] + [Entry(t, i, data=b"%d" % t) for i, t in enumerate(terms, start=2)]
        disk.hard_state = HardState(6)
        network.restart(node_id)
    network.holding = is_append
    leader = network.elect("a")
    exchanges = 0
    while leader.progress["b"].mode is Mode.PROBE:
        exchanges += 1
        assert exchanges <= 5
        (probe,) = [packet for packet in network.held if packet.to == "b"]
        network.held.clear()
        network.deliver(probe)
        network.settle()
    network.release()
    network.heartbeat()
    assert network.servers["b"].disk.entries == network.servers["a"].disk.entries


def test_a_leader_backs_up_from_what_it_has_compacted() -> None:
    """Paper, section 7: the follower agrees only with what is gone."""
    network = led()
    network.isolate("c")
    for number in range(5):
        network.write(b"%d" % number)
    network.take_snapshot("a", keep=2)
    leader = network["a"]
    leader.link_up("c")
    leader.progress["c"].next_index = leader.log.last_index + 1
    network.heal()
    network.wait_for(lambda: leader.progress["c"].match_index == leader.log.last_index, 4 * LONG_ELECTION_TICKS)
    network.heartbeat()
    assert network.servers["c"].state == network.servers["a"].state


def test_refusals_that_were_overtaken_change_nothing() -> None:
    """Paper, section 5.3: delayed answers."""
    network = led()
    network.write(b"x")
    progress = network["a"].progress["b"]
    next_index = progress.next_index
    network.step("a", "b", AppendReply(2, False, 2, 1, 1))
    assert (progress.mode, progress.next_index) == (Mode.REPLICATE, next_index)
    network["a"].message_lost("b")
    progress.next_index = 4
    network.step("a", "b", AppendReply(2, False, 9, 1, 1))
    assert progress.next_index == 4


def test_a_follower_that_vouches_for_what_the_leader_never_had_breaks_the_protocol() -> None:
    """Paper, section 5.3."""
    network = led()
    with pytest.raises(ProtocolViolation):
        network["a"].step("b", AppendReply(2, True, 99))


def test_appends_leave_before_the_disk_and_acknowledgements_after_it() -> None:
    """Thesis, section 10.2.1: the leader writes to its disk while the followers write to theirs."""
    raft = led()["a"]
    raft.propose(b"x")
    ready = raft.ready()
    assert [type(e.message) for e in ready.messages_before_sync] == [AppendEntries, AppendEntries]
    assert ready.must_sync and not ready.messages_after_sync and not ready.committed
    raft.advance(ready)


def test_what_is_in_flight_is_bounded_in_messages() -> None:
    """Thesis, section 10.2.1, flow control."""
    network = led()
    network.holding = lambda packet: packet.sender == "b"
    for number in range(20):
        network.propose(b"%d" % number)
    network.settle()
    progress = network["a"].progress["b"]
    assert len(progress.inflight) == SETTINGS.max_inflight_messages
    network.release()
    assert progress.match_index == network["a"].log.last_index and not progress.inflight and not progress.inflight_bytes


def test_what_is_in_flight_is_bounded_in_bytes() -> None:
    """Thesis, section 10.2.1, flow control: one message may overshoot, as any entry must fit."""
    network = led()
    network.holding = lambda packet: packet.sender == "b"
    for _ in range(9):
        network.propose(b"." * 1500)
    network.settle()
    progress = network["a"].progress["b"]
    assert SETTINGS.max_inflight_bytes <= progress.inflight_bytes <= SETTINGS.max_inflight_bytes + 1628
    network.release()
    assert progress.match_index == network["a"].log.last_index


def test_entries_travel_in_batches_of_bounded_size() -> None:
    """Thesis, section 10.2.2, batching."""
    network = led()
    for number in range(30):
        network["a"].propose(b"%d" % number)
    network.settle()
    sizes = [sum(map(entry_bytes, p.message.entries)) for p in network.sent if is_append(p)]
    assert max(sizes) <= SETTINGS.max_append_bytes
    assert len([p for p in network.sent if is_append(p) and p.to == "b" and len(p.message.entries) > 1]) >= 7


def test_a_lost_message_is_found_out_by_the_next_one() -> None:
    """Paper, section 5.3: a gap is refused, and the leader probes."""
    network = led()
    network.holding = lambda packet: packet.to == "b" and is_append(packet)
    network.propose(b"lost")
    network.settle()
    network.held.clear()
    network.holding = lambda packet: False
    network.propose(b"next")
    network.settle()
    assert network["a"].progress["b"].match_index == network["a"].log.last_index


def test_a_lost_last_message_is_sent_again_within_an_election_timeout() -> None:
    """Paper, section 5.3: "the leader retries AppendEntries RPCs indefinitely"."""
    network = led()
    network.holding = lambda packet: packet.to == "b" and is_append(packet)
    network.propose(b"lost")
    network.settle()
    network.held.clear()
    network.holding = lambda packet: False
    network.tick(count=ELECTION_TICKS + SETTINGS.heartbeat_ticks)
    assert network["a"].progress["b"].match_index == network["a"].log.last_index


def test_a_new_link_makes_the_leader_ask_at_once_and_a_lost_message_makes_it_wait() -> None:
    """What was on the old link may be lost; and nothing is poured into a link that takes nothing."""
    network = led()
    network.holding = lambda packet: packet.to == "b" and is_append(packet)
    network.propose(b"x")
    network.settle()
    network.held.clear()
    leader = network["a"]
    leader.message_lost("b")
    network.flush("a")
    assert not network.held
    leader.link_up("b")
    network.flush("a")
    assert len(network.held) == 1
    for unknown in ("z", "a"):
        leader.link_up(unknown)
        leader.link_lost(unknown)
        leader.message_lost(unknown)
        leader.snapshot_failed(unknown)
    network.release()
    assert leader.progress["b"].match_index == leader.log.last_index


def test_committed_entries_are_handed_over_in_slices() -> None:
    """The driver looks at its links between them."""
    network = led()
    for number in range(8):
        network["a"].propose(b"%d" % number)
    network.holding = lambda packet: packet.sender == "a"
    network.flush("a")
    raft = network["b"]
    raft.step("a", AppendEntries(2, 2, 2, network.servers["a"].disk.entries[2:], 10))
    slices = []
    while raft.has_ready():
        ready = raft.ready()
        slices.append(len(ready.committed))
        raft.advance(ready)
    assert slices == [3, 3, 2]


def test_an_idle_core_has_nothing_to_do() -> None:
    """A driver may sleep: no Ready begets another."""
    network = led()
    assert not any(network[node_id].has_ready() for node_id in "abc")
    assert network["a"].ready().messages_before_sync == ()


@pytest.mark.parametrize("point", ["before hard state", "before snapshot", "before replies", "before apply"])
def test_a_follower_that_crashes_while_it_writes_loses_nothing_that_it_acknowledged(point: str) -> None:
    """Paper, section 5.3 and figure 2."""
    network = led()
    network.write(b"first")
    network.crash_point = lambda server, here: server.node_id == "b" and here == point
    network.isolate("c")
    index = network.propose(b"second")
    network.settle()
    network.crash_point = lambda server, here: False
    acknowledged = network["a"].progress["b"].match_index
    network.start("b")
    assert network["b"].log.last_index >= acknowledged
    assert (acknowledged == index) == (point == "before apply")
    network.wait_for(lambda: network["a"].commit_index == index, 2 * LONG_ELECTION_TICKS)


def test_a_round_is_not_finished_when_its_entries_have_been_replaced_meanwhile() -> None:
    """What replaced them is not on disk: to count it as durable would be to forget it after a crash."""
    network = led()
    raft = network["a"]
    raft.propose(b"x")
    ready = raft.ready()
    last = ready.entries[-1]
    raft.step("b", AppendEntries(3, last.index - 1, 2, (Entry(3, last.index),), 0))
    with pytest.raises(AssertionError, match="before the round was finished"):
        raft.advance(ready)
