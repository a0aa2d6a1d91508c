"""Log compaction and InstallSnapshot (paper, section 7)."""

from __future__ import annotations

from minicloud.raft.entries import Entry, SnapshotMeta
from minicloud.raft.messages import AppendEntries, AppendReply, InstallSnapshot, InstallSnapshotReply
from minicloud.raft.progress import Mode
from tests.raft.network import ELECTION_TICKS, LONG_ELECTION_TICKS, Network, Packet, voters


def is_snapshot(packet: Packet) -> bool:
    return isinstance(packet.message, InstallSnapshot)


def led(node_ids: str = "abc") -> Network:
    network = Network(node_ids)
    network.elect("a")
    return network


def left_behind() -> Network:
    """``c`` was away while the others wrote, and compacted it."""
    network = led()
    network.isolate("c")
    for number in range(6):
        network.write(b"%d" % number)
    network.take_snapshot("a")
    return network


def catch_up(network: Network, limit: int = 4 * LONG_ELECTION_TICKS) -> None:
    leader = network.elected()
    network.wait_for(lambda: leader.progress["c"].match_index == leader.log.last_index, limit)
    network.heartbeat()


def test_scenario_20_a_follower_behind_the_compacted_log_gets_a_snapshot() -> None:
    """Section 7: never an AppendEntries that skips what is gone."""
    network = left_behind()
    before = len(network.sent)
    network.heal()
    network.settle()
    catch_up(network)
    to_c = [packet.message for packet in network.sent[before:] if packet.to == "c"]
    base = network["a"].log.base_index
    assert sum(isinstance(message, InstallSnapshot) for message in to_c) == 1
    assert all(message.prev_log_index >= base for message in to_c if isinstance(message, AppendEntries))
    assert network.servers["c"].state == network.servers["a"].state
    assert network.servers["c"].disk.snapshot == network["a"].snapshot
    network.write(b"more")
    assert network.servers["c"].commands[-1] == b"more"


def test_a_server_restarts_from_its_snapshot_and_the_log_behind_it() -> None:
    """Section 7: with entries kept from before the snapshot, and without."""
    for keep in (0, 3):
        network = led()
        for number in range(8):
            network.write(b"%d" % number)
        network.take_snapshot("b", keep)
        network.write(b"behind")
        state, last = network.servers["b"].state, network["b"].log.last_index
        network.restart("b")
        assert network["b"].log.last_index == last and network["b"].configuration == voters("abc")
        network.heartbeat()
        assert network.servers["b"].state == state


def test_entries_kept_behind_the_snapshot_spare_a_slow_follower_the_snapshot() -> None:
    """Section 7."""
    network = led()
    network.isolate("c")
    for number in range(4):
        network.write(b"%d" % number)
    network.take_snapshot("a", keep=6)
    network.heal()
    catch_up(network)
    assert not any(map(is_snapshot, network.sent))


def test_nobody_is_sent_a_snapshot_who_does_not_answer() -> None:
    """Section 7: a snapshot is large; a dead follower costs nothing."""
    network = led()
    network.crash("c")
    for number in range(4):
        network.write(b"%d" % number)
    network.tick(count=2 * ELECTION_TICKS)
    network.take_snapshot("a")
    network["a"].link_up("c")
    network.tick(count=2 * LONG_ELECTION_TICKS)
    assert not any(map(is_snapshot, network.sent))
    network.start("c")
    catch_up(network)
    assert network.servers["c"].state == network.servers["a"].state


def test_a_snapshot_that_failed_is_asked_for_again() -> None:
    """Section 7."""
    network = left_behind()
    network.resends_snapshots = False
    network.holding = is_snapshot
    network.heal()
    network.tick(count=LONG_ELECTION_TICKS)
    (packet,) = network.held
    network.held.clear()
    network["a"].snapshot_failed("c")
    network["a"].snapshot_failed("b")
    network.holding = lambda packet: False
    catch_up(network)
    assert packet.message.snapshot == network["a"].snapshot
    assert network["a"].progress["b"].mode is Mode.REPLICATE


def test_no_entries_go_out_while_a_snapshot_is_on_its_way() -> None:
    """Section 7: and a new link, or a lost message, changes nothing about that."""
    network = left_behind()
    network.holding = is_snapshot
    network.heal()
    network.tick(count=LONG_ELECTION_TICKS)
    before = len(network.sent)
    network["a"].link_up("c")
    network["a"].message_lost("c")
    network.write(b"x")
    assert not any(p.to == "c" and isinstance(p.message, AppendEntries) for p in network.sent[before:])
    network.release()
    catch_up(network)
    assert network.servers["c"].state == network.servers["a"].state


def test_a_follower_goes_on_when_the_leader_compacts_while_the_snapshot_is_on_its_way() -> None:
    """Section 7: the old snapshot is acknowledged, and a newer one follows."""
    network = left_behind()
    network.resends_snapshots = False
    network.holding = is_snapshot
    network.heal()
    network.tick(count=LONG_ELECTION_TICKS)
    for number in range(6):
        network.write(b"later %d" % number)
    network.take_snapshot("a")
    network.release()
    catch_up(network)
    assert network.servers["c"].state == network.servers["a"].state


def test_a_snapshot_sent_twice_is_taken_once_and_acknowledged_again() -> None:
    """Figure 13: the second one holds nothing new."""
    network = left_behind()
    network.heal()
    network.settle()
    catch_up(network)
    (packet,) = filter(is_snapshot, network.sent)
    answers = network.step("c", "a", packet.message)
    assert answers == [AppendReply(2, True, network["c"].commit_index)]
    assert network.servers["c"].state == network.servers["a"].state


def test_a_snapshot_that_the_log_covers_only_commits_it() -> None:
    """Figure 13, step 6: the entries behind it are retained, for they may have been acknowledged."""
    network = led()
    network.isolate("b")
    entries = tuple(Entry(2, index, data=b"%d" % index) for index in range(3, 7))
    for number in range(3, 7):
        network.propose(b"%d" % number)
    network.settle()
    raft, index = network["b"], 6
    network.step("b", "a", AppendEntries(2, 2, 2, entries, 2))
    meta = SnapshotMeta(index - 1, 2, voters("abc"), 1)
    assert not raft.snapshot_received(meta)
    assert (raft.commit_index, raft.log.last_index) == (index - 1, index)
    network.flush("b")
    assert len(network.servers["b"].commands) == 3


def test_a_snapshot_replaces_a_log_that_conflicts_with_it() -> None:
    """Figure 13, step 7: the entire log is discarded, and the configurations in it."""
    network = led()
    network.isolate("a")
    for number in range(9):
        network.propose(b"lost %d" % number, "a")
    network["a"].change_configuration(voters("ab"))
    network.flush("a")
    network.elect("b")
    for number in range(4):
        network.write(b"%d" % number)
    network.take_snapshot("b")
    network.heal()
    leader = network.elected()
    network.wait_for(lambda: leader.progress["a"].match_index == leader.log.last_index, 4 * LONG_ELECTION_TICKS)
    network.heartbeat()
    assert network.servers["a"].state == network.servers["b"].state
    assert network["a"].configuration == voters("abc")
    assert network["a"].log.base_index == leader.log.base_index


def test_an_older_snapshot_after_a_newer_log_changes_nothing() -> None:
    """Section 7: nothing goes back."""
    network = left_behind()
    network.heal()
    network.settle()
    catch_up(network)
    raft = network["c"]
    before = (raft.commit_index, raft.log.base_index, raft.log.last_index)
    assert not raft.snapshot_received(SnapshotMeta(3, 2, voters("abc"), 1))
    assert (raft.commit_index, raft.log.base_index, raft.log.last_index) == before
    assert network.servers["a"].disk.snapshot is not None
    raft_a = network["a"]
    raft_a.snapshot_taken(SnapshotMeta(3, 2, voters("abc"), 1), 3)
    assert raft_a.snapshot == network.servers["a"].disk.snapshot


def test_a_snapshot_that_is_complete_only_when_its_leader_is_gone_is_still_taken() -> None:
    """Section 7: what it covers was committed; there is just nobody to tell."""
    network = left_behind()
    network.blocked.clear()
    network.holding = is_snapshot
    network.tick(count=LONG_ELECTION_TICKS)
    message = network.held.pop(0).message
    network.isolate("c")
    network.tick(count=LONG_ELECTION_TICKS + 1)
    raft = network["c"]
    assert raft.leader_id is None
    network.servers["c"].received_state = network.servers["a"].disk.snapshot_state
    assert raft.snapshot_received(message.snapshot)
    network.flush("c")
    assert network.servers["c"].commands == [b"%d" % number for number in range(6)]


def test_a_chunk_of_an_older_term_is_refused() -> None:
    """Figure 13, step 1."""
    network = led()
    meta = SnapshotMeta(9, 1, voters("abc"), 1)
    assert network.step("b", "c", InstallSnapshot(1, meta, 0, b"", 0)) == [InstallSnapshotReply(2, 9, 0)]
    assert network["b"].log.base_index == 0


def test_an_answer_to_a_chunk_shows_that_the_follower_lives() -> None:
    """Thesis, section 6.2."""
    network = led()
    network["a"].tick_count += 5
    network["a"].step("b", InstallSnapshotReply(2, 9, 0))
    assert network["a"].progress["b"].last_contact_tick == network["a"].tick_count
    network["a"].step("stranger", InstallSnapshotReply(2, 9, 0))
    assert "stranger" not in network["a"].progress


def test_compaction_never_leaves_a_leader_that_has_work_for_ever() -> None:
    """A follower that is behind the log and silent waits for a heartbeat, whatever was sent to it before."""
    network = led()
    network.holding = lambda packet: packet.sender == "c"
    for number in range(12):
        network.propose(b"%d" % number + b"." * 500)
        network.settle()
    network["a"].tick_count += ELECTION_TICKS
    for node_id in "b":
        network["a"].progress[node_id].last_contact_tick = network["a"].tick_count
    network.take_snapshot("a")
    network["a"].progress["c"].inflight.clear()
    network["a"].progress["c"].inflight_bytes = 0
    network.flush("a")
    assert not network["a"].has_ready()


def test_a_leader_with_a_snapshot_that_it_received_can_lead_on() -> None:
    """Section 7: the term of its last entry is the snapshot's."""
    network = left_behind()
    network.heal()
    network.settle()
    catch_up(network)
    network.elect("c")
    network.write(b"by c")
    assert network.servers["a"].commands[-1] == b"by c"
