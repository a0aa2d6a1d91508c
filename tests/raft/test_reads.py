"""Linearizable reads (thesis, section 6.4)."""

from __future__ import annotations

import pytest

from minicloud.raft.messages import (
    AppendEntries,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    ReadIndexReply,
    ReadIndexRequest,
)
from minicloud.raft.role import Role
from tests.raft.network import ELECTION_TICKS, LONG_ELECTION_TICKS, Network, Packet, learner


def led(node_ids: str = "abc", spare: str = "") -> Network:
    network = Network(node_ids, spare=spare)
    network.elect("a")
    network.heartbeat()
    return network


def is_heartbeat(packet: Packet) -> bool:
    return isinstance(packet.message, Heartbeat)


@pytest.mark.parametrize("node_id", ["a", "b"])
def test_a_read_is_answered_with_what_was_committed_before_it(node_id: str) -> None:
    """Thesis, section 6.4: at the leader, and at a follower, which asks the leader."""
    network = led()
    index = network.propose(b"x")
    network.settle()
    read = network.read(node_id)
    network.settle()
    assert network.servers[node_id].reads_done == {read: index}
    assert network.servers[node_id].commands == [b"x"]


def test_a_learner_serves_reads() -> None:
    """Thesis, section 6.4: any server that applies the log can."""
    network = led(spare="d")
    network.change(network["a"].configuration.with_member(learner("d")))
    network.heartbeat()
    read = network.read("d")
    network.settle()
    assert read in network.servers["d"].reads_done


def test_a_single_server_answers_reads_by_itself() -> None:
    """Thesis, section 6.4: one is a majority of one."""
    network = Network("a")
    network.tick()
    read = network.read("a")
    assert read in network.servers["a"].reads_done


def test_one_round_serves_all_reads_that_wait_and_later_ones_wait_for_the_next() -> None:
    """Thesis, section 6.4: a round begun before a read came says nothing about it."""
    network = led()
    network.holding = is_heartbeat
    first = network.read("a")
    others = [network.read("a") for _ in range(5)]
    assert len(network.held) == 2
    network["a"].step("b", HeartbeatReply(2, network["a"].reads.round))
    network.flush("a")
    assert list(network.servers["a"].reads_done) == [first]
    assert len(network.held) == 4
    network.release()
    assert list(network.servers["a"].reads_done) == [first, *others]


def test_a_round_of_which_the_heartbeats_were_lost_goes_on_with_the_next_ones() -> None:
    """Thesis, section 6.4: any later answer of the same term proves as much."""
    network = led()
    network.isolate("a")
    read = network.read("a")
    network.settle()
    network.heal()
    network.heartbeat()
    assert read in network.servers["a"].reads_done


def test_an_answered_append_confirms_leadership_too() -> None:
    """Thesis, section 6.4."""
    network = led()
    network.holding = is_heartbeat
    read = network.read("a")
    network.propose(b"x")
    network.settle()
    assert read in network.servers["a"].reads_done


def test_scenario_11_a_read_waits_for_the_no_op_of_a_new_leader() -> None:
    """Thesis, section 6.4, step 1: before that, the leader may not know the newest commit index."""
    network = led()
    network.holding = lambda packet: isinstance(packet.message, AppendReply) and packet.to == "b"
    index = network.propose(b"x")
    network.settle()
    leader = network.elect("b")
    assert leader.commit_index < index, "committed already, but the new leader cannot know"
    read = network.read("b")
    network.settle()
    network.heartbeat()
    assert not network.servers["b"].reads_done
    network.release()
    assert network.servers["b"].reads_done[read] > index


def test_scenario_11_a_leader_that_never_commits_answers_no_read() -> None:
    """Thesis, section 6.4, step 1."""
    network = led()
    network.holding = lambda packet: isinstance(packet.message, AppendEntries | Heartbeat)
    network.elect("b")
    read = network.read("b")
    network.tick(count=LONG_ELECTION_TICKS)
    assert network.servers["b"].reads_aborted == {read}


def test_scenario_12_a_read_that_is_tried_again_takes_a_fresh_index() -> None:
    """Thesis, section 6.4: the late answer to the first try counts for nothing."""
    network = led()
    network.holding = lambda packet: isinstance(packet.message, ReadIndexReply)
    first = network.read("b")
    network.settle()
    network.tick(count=ELECTION_TICKS)
    assert network.servers["b"].reads_aborted == {first}
    index = network.write(b"x")
    second = network.read("b")
    network.settle()
    network.release()
    assert network.servers["b"].reads_done == {second: index}


def test_scenario_13_a_deposed_leader_answers_none_of_the_reads_that_wait() -> None:
    """Thesis, section 6.4: a new leader may have committed since."""
    network = led()
    network.isolate("a")
    reads = {network.read("a") for _ in range(3)}
    network.settle()
    network.elect("b")
    network.write(b"newer")
    network.heal()
    network.heartbeat()
    network.tick(count=LONG_ELECTION_TICKS)
    assert network["a"].role is Role.FOLLOWER
    assert network.servers["a"].reads_aborted == reads and not network.servers["a"].reads_done


def test_scenario_13_a_leader_without_a_majority_answers_none() -> None:
    """Thesis, section 6.2 and 6.4."""
    network = led()
    network.isolate("a")
    read = network.read("a")
    network.tick("a", count=ELECTION_TICKS + 1)
    assert network.servers["a"].reads_aborted == {read} and network.read("a") is None


def test_scenario_14_a_restarted_node_answers_only_when_it_has_replayed() -> None:
    """Thesis, section 6.4, step 4: it waits until its store has applied the index."""
    network = led()
    for number in range(5):
        index = network.write(b"%d" % number)
    network.restart("b")
    assert network.read("b") is None, "nobody is known to lead"
    network.holding = lambda packet: packet.to == "b" and isinstance(packet.message, Heartbeat | AppendEntries)
    network["b"].step("a", Heartbeat(2, 0))
    network.flush("b")
    read = network.read("b")
    network.settle()
    assert network.servers["b"].reads_waiting == {read: index} and not network.servers["b"].reads_done
    network.release()
    network.heartbeat()
    assert network.servers["b"].reads_done == {read: index}
    assert len(network.servers["b"].commands) == 5


def test_who_does_not_lead_refuses_a_read() -> None:
    """Thesis, section 6.4: and the follower that asked can ask again elsewhere."""
    network = led()
    assert network.step("b", "c", ReadIndexRequest(2, 77)) == [ReadIndexReply(2, 77, 0)]
    network.holding = lambda packet: isinstance(packet.message, ReadIndexRequest)
    read = network.read("b")
    network.step("b", "a", ReadIndexReply(2, read, 0))
    assert network.servers["b"].reads_aborted == {read}
    network.step("b", "a", ReadIndexReply(2, read, 3))
    assert not network.servers["b"].reads_done


def test_a_follower_whose_leader_is_replaced_is_told_at_once() -> None:
    """Thesis, section 6.4."""
    network = led()
    network.holding = lambda packet: isinstance(packet.message, ReadIndexRequest)
    read = network.read("b")
    network.elect("c")
    assert network.servers["b"].reads_aborted == {read}


def test_an_echo_of_an_earlier_term_confirms_nothing() -> None:
    """Thesis, section 6.4: rounds go on over terms, and a late answer carries its term."""
    network = led()
    network.read("a")
    network.holding = is_heartbeat
    network.elect("b")
    network.elect("a")
    network.read("a")
    round_number = network["a"].reads.round
    network.step("a", "b", HeartbeatReply(2, round_number))
    assert network["a"].reads.confirmed_round < round_number


def test_reads_go_on_when_the_voter_that_they_waited_for_is_removed() -> None:
    """Thesis, sections 4.1 and 6.4: a majority of the configuration in force has echoed the round already."""
    network = led("ab")
    network.isolate("b")
    reads = [network.read("a"), network.read("a")]
    network.settle()
    assert not network.servers["a"].reads_done
    network.change(network["a"].configuration.without("b"))
    assert list(network.servers["a"].reads_done) == reads


def test_reads_go_on_when_a_majority_of_the_remaining_voters_had_echoed() -> None:
    """Thesis, sections 4.1 and 6.4."""
    network = led("abcd")
    network.isolate("c", "d")
    read = network.read("a")
    network.settle()
    assert not network.servers["a"].reads_done
    network.change(network["a"].configuration.without("d"))
    assert read in network.servers["a"].reads_done
