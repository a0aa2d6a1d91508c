"""Handing leadership over (thesis, section 3.10)."""

from __future__ import annotations

import pytest

from minicloud.raft import membership
from minicloud.raft.entries import Entry, EntryKind
from minicloud.raft.errors import NotLeader, Refused, TransferPending
from minicloud.raft.messages import AppendEntries, AppendReply, TimeoutNow, VoteRequest
from minicloud.raft.role import Role
from tests.raft.network import ELECTION_TICKS, Network, learner, voters


def led(node_ids: str = "abc", spare: str = "") -> Network:
    network = Network(node_ids, spare=spare)
    network.elect("a")
    network.heartbeat()
    return network


def test_scenario_36_leadership_moves_at_once_and_without_a_timeout() -> None:
    """Section 3.10: the write gap is a few messages, not a tick passes."""
    network = led()
    network.propose(b"before")
    assert network["a"].transfer_leadership("b") == "b"
    with pytest.raises(TransferPending):
        network["a"].propose(b"during")
    network.settle()
    assert network.elected().node_id == "b" and network["a"].role is Role.FOLLOWER
    assert network["a"].transfer_target is None
    network.write(b"after")
    assert network.servers["c"].commands == [b"before", b"after"]


def test_scenario_36_the_target_is_brought_up_to_date_first() -> None:
    """Section 3.10, step 2."""
    network = led()
    network.holding = lambda packet: packet.to == "b" and isinstance(packet.message, AppendEntries)
    network.propose(b"x")
    network.settle()
    network["a"].transfer_leadership("b")
    network.settle()
    assert not any(isinstance(packet.message, TimeoutNow) for packet in network.sent)
    network.release()
    assert network.elected().node_id == "b"


@pytest.mark.parametrize("lost", [TimeoutNow, AppendReply])
def test_scenario_36_a_transfer_is_given_up_after_one_election_timeout(lost: type) -> None:
    """Section 3.10: then the old leader takes proposals again."""
    network = led()
    network.holding = lambda packet: packet.to == "b" and isinstance(packet.message, AppendEntries)
    network.propose(b"x")
    network.settle()
    network.held.clear()
    network.holding = lambda packet: isinstance(packet.message, lost) and "b" in (packet.sender, packet.to)
    network["a"].link_up("b")
    network["a"].transfer_leadership("b")
    network.tick("a", "c", count=ELECTION_TICKS - 1)
    assert network["a"].transfer_target == "b"
    network.tick("a", "c")
    assert network["a"].transfer_target is None and network["a"].role is Role.LEADER
    network.write(b"y")
    assert network.servers["c"].commands == [b"x", b"y"]


def test_without_a_target_the_voter_that_lacks_least_is_chosen() -> None:
    """Section 3.10: among those that are heard."""
    network = led("abcde")
    network.isolate("b")
    network.write(b"x")
    network.heal()
    network.crash("c")
    network.tick(count=ELECTION_TICKS + 1)
    network.isolate("b", "e")
    network.write(b"y")
    assert network["a"].transfer_leadership(None) == "d"
    network.heal()
    network.settle()
    assert network.elected().node_id == "d"


def test_a_transfer_of_which_the_votes_are_lost_leaves_no_gap_for_long() -> None:
    """Section 3.10: the target has begun a term, so the old leader hears of it, and an election follows."""
    network = led()
    network.holding = lambda packet: isinstance(packet.message, VoteRequest)
    network["a"].transfer_leadership("b")
    network.settle()
    network.held.clear()
    network.holding = lambda packet: False
    network.tick(count=3)
    network.wait_for_leader()
    network.write(b"x")
    assert network.servers["c"].commands == [b"x"]


def test_a_transfer_to_who_cannot_lead_is_refused() -> None:
    """Section 3.10: itself, a learner, a stranger, nobody at all; and by who does not lead."""
    network = led("abc", spare="d")
    network.change(network["a"].configuration.with_member(learner("d")))
    for target in ("a", "d", "z"):
        with pytest.raises(Refused):
            network["a"].transfer_leadership(target)
    with pytest.raises(NotLeader):
        network["b"].transfer_leadership("c")
    alone = Network("a")
    alone.tick()
    with pytest.raises(Refused, match="no other voter"):
        alone["a"].transfer_leadership(None)


def test_one_transfer_at_a_time_and_no_change_of_members_meanwhile() -> None:
    """Section 3.10: whatever is appended now might not reach the next leader."""
    network = led()
    network.isolate("b")
    network["a"].transfer_leadership("b")
    with pytest.raises(TransferPending):
        network["a"].transfer_leadership("c")
    with pytest.raises(TransferPending):
        network["a"].change_configuration(voters("ab"))
    assert network["a"].caught_up_learner() is None


def test_a_candidate_does_not_begin_again_when_told_to_begin() -> None:
    """Section 3.10: it is doing so already; and a leader is there already."""
    network = led()
    network.holding = lambda packet: isinstance(packet.message, VoteRequest)
    network["b"].step("a", TimeoutNow(2))
    network.flush("b")
    network["b"].step("a", TimeoutNow(3))
    assert (network["b"].role, network["b"].current_term) == (Role.CANDIDATE, 3)
    network["a"].step("b", TimeoutNow(2))
    assert network["a"].role is Role.LEADER


def test_a_transfer_ends_when_the_target_is_no_voter_any_more() -> None:
    """Section 3.10 and 4.1: whatever way the configuration changed."""
    network = led()
    leader = network["a"]
    network.isolate("b")
    leader.transfer_leadership("b")
    index, term = leader.log.last_index + 1, leader.current_term
    leader.log.append(Entry(term, index, EntryKind.CONFIGURATION, configuration=voters("ac")))
    membership.follow_configuration(leader)
    assert leader.transfer_target is None
