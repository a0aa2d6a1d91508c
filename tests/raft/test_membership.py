"""Changing who takes part, one server at a time (thesis, chapter 4)."""

from __future__ import annotations

import pytest

from minicloud.raft.configuration import Configuration
from minicloud.raft.entries import EntryKind
from minicloud.raft.errors import ChangePending, InvalidChange, NotLeader
from minicloud.raft.messages import AppendEntries, AppendReply, Heartbeat, TimeoutNow
from minicloud.raft.role import Role
from tests.raft.network import ELECTION_TICKS, LONG_ELECTION_TICKS, Network, Packet, learner, member, voters


def led(node_ids: str = "abc", spare: str = "") -> Network:
    network = Network(node_ids, spare=spare)
    network.elect("a")
    network.heartbeat()
    return network


def is_ack(packet: Packet) -> bool:
    return isinstance(packet.message, AppendReply)


def test_a_server_is_added_as_a_learner_caught_up_and_made_a_voter() -> None:
    """Section 4.2.1."""
    network = led(spare="d")
    for number in range(5):
        network.write(b"%d" % number)
    leader = network.elected()
    network.change(leader.configuration.with_member(learner("d")))
    network.wait_for(lambda: leader.caught_up_learner() is not None, LONG_ELECTION_TICKS)
    network.change(leader.configuration.with_member(member("d")))
    network.heartbeat()
    assert network["d"].configuration == voters("abcd")
    assert network.servers["d"].state == network.servers["a"].state
    network.crash("a")
    network.crash("b")
    network.tick(count=4 * LONG_ELECTION_TICKS)
    assert network.leader is None, "two of four are no majority"


def test_only_the_leader_changes_the_configuration() -> None:
    """Section 4.1."""
    with pytest.raises(NotLeader):
        led()["b"].change_configuration(voters("ab"))


@pytest.mark.parametrize("node_ids", ["", "a", "abcde", "abd"])
def test_more_than_one_vote_at_a_time_does_not_change(node_ids: str) -> None:
    """Section 4.1, figure 4.3: two majorities might not overlap. And somebody must be left to vote."""
    with pytest.raises(InvalidChange):
        led()["a"].change_configuration(voters(node_ids))


def test_scenario_25_a_new_leader_refuses_changes_until_it_has_committed_in_its_term() -> None:
    """Ongaro's correction of July 2015 to section 4.1."""
    network = led()
    network.holding = is_ack
    leader = network.elect("b")
    with pytest.raises(ChangePending):
        leader.change_configuration(voters("ab"))
    assert leader.caught_up_learner() is None
    network.release()
    network.change(voters("ab"))
    assert network["a"].configuration == voters("ab")


def test_scenario_26_a_second_change_is_refused_while_one_is_pending() -> None:
    """Section 4.1."""
    network = led("abcd")
    network.holding = is_ack
    network.change(voters("abc"))
    with pytest.raises(ChangePending):
        network["a"].change_configuration(voters("ab"))
    assert network["a"].committed_configuration == (1, voters("abcd"))
    network.release()
    assert network["a"].committed_configuration[1] == voters("abc")
    network.change(voters("ab"))


def test_scenario_27_an_uncommitted_configuration_counts_at_once_and_goes_with_its_entry() -> None:
    """Section 4.1: a server uses the latest configuration in its log, committed or not."""
    network = led()
    network.isolate("a", "c")
    network.blocked |= {("a", "c"), ("c", "a")}
    network["a"].change_configuration(voters("abcd"))
    network.flush("a")
    assert network["a"].configuration == voters("abcd")
    network.blocked -= {("a", "c"), ("c", "a")}
    network.isolate("a")
    network.heal()
    network.isolate("a")
    network.elect("b")
    network.write(b"x")
    network.heal()
    network.heartbeat()
    network.wait_for(lambda: network["a"].commit_index == network["b"].commit_index, LONG_ELECTION_TICKS)
    assert network["a"].configuration == voters("abc") and network["a"].configuration_index == 1
    assert network.servers["a"].commands == [b"x"]


def test_scenario_27_the_new_quorum_is_needed_from_the_entry_on() -> None:
    """Section 4.1: two of two, as soon as there are two."""
    network = Network("a", spare="b")
    network.tick()
    network.isolate("b")
    index = network.change(voters("ab"))
    assert network["a"].commit_index == index - 1
    network.heal()
    network.wait_for(lambda: network["a"].commit_index == index, LONG_ELECTION_TICKS)


def test_scenario_28_a_leader_that_removes_itself_does_not_count_itself_and_then_steps_down() -> None:
    """Section 4.2.2."""
    network = led()
    network.holding = lambda packet: packet.sender == "c" and is_ack(packet)
    index = network.change(voters("bc"))
    leader = network["a"]
    assert leader.role is Role.LEADER and leader.commit_index == index - 1, "b alone is no majority of b and c"
    network.release()
    assert leader.role is not Role.LEADER and leader.commit_index == index
    assert network.elected().node_id in "bc", "the heir begins at once"
    assert any(isinstance(packet.message, TimeoutNow) for packet in network.sent)
    network.write(b"without a")
    network.tick("a", count=5 * LONG_ELECTION_TICKS)
    assert leader.role is Role.FOLLOWER, "who is no voter begins no election"


@pytest.mark.parametrize("restarts", [False, True])
def test_who_alone_has_the_configuration_without_it_still_begins_elections(restarts: bool) -> None:
    """Section 4.2.2: it may be needed until that configuration is committed. Nobody else could win, in a cluster of two."""
    network = led("ab")
    network.isolate("a")
    network.change(voters("b"))
    network.tick("a", count=LONG_ELECTION_TICKS)
    assert network["a"].role is not Role.LEADER, "without its majority it steps down"
    if restarts:
        network.restart("a")  # and knows of no entry that it is committed
    network.heal()
    network.wait_for(lambda: network["b"].role is Role.LEADER, 10 * LONG_ELECTION_TICKS)
    assert network["b"].commit_index >= network["b"].configuration_index
    assert network["b"].configuration == voters("b") and network["a"].role is Role.FOLLOWER
    network.write(b"x")
    network.tick("a", count=5 * LONG_ELECTION_TICKS)
    assert network["a"].role is Role.FOLLOWER and network["b"].role is Role.LEADER


def test_scenario_28_a_leader_that_makes_itself_a_learner_steps_down_too() -> None:
    """Section 4.2.2."""
    network = led()
    network.change(network["a"].configuration.with_member(learner("a")))
    assert network["a"].role is Role.FOLLOWER
    network.write(b"x")
    assert network.servers["a"].commands == [b"x"]


def test_a_leader_that_removed_itself_steps_down_without_an_heir_when_nobody_is_up_to_date() -> None:
    """Section 4.2.2: then an election timeout decides."""
    network = led()
    leader = network["a"]
    network.holding = lambda packet: packet.to in "bc" and isinstance(packet.message, AppendEntries)
    index = network.change(voters("bc"))
    leader.propose(b"later")
    network.flush("a")
    before = len(network.sent)
    for node_id in "bc":
        append = next(p for p in network.held if p.to == node_id and p.message.prev_log_index == index - 1)
        network.deliver(append)
    network.settle()
    assert leader.role is Role.FOLLOWER
    assert not any(isinstance(packet.message, TimeoutNow) for packet in network.sent[before:])


def test_scenario_30_an_unreachable_joiner_does_not_touch_the_quorum() -> None:
    """Section 4.2.1: a learner counts for nothing, and is promoted only when it has caught up."""
    network = led("ab", spare="c")
    network.isolate("c")
    network.change(network["a"].configuration.with_member(learner("c")))
    network.write(b"x")
    network.tick(count=2 * LONG_ELECTION_TICKS)
    leader = network.elected()
    assert leader.node_id == "a" and leader.caught_up_learner() is None
    network.heal()
    network.wait_for(lambda: leader.caught_up_learner() is not None, LONG_ELECTION_TICKS)
    assert network.servers["c"].disk.last_index == leader.log.last_index


def test_scenario_30_a_learner_that_is_far_behind_is_not_promoted() -> None:
    """Section 4.2.1: a round that takes longer than an election timeout is too slow."""
    network = led("ab", spare="c")
    leader = network.elected()
    network.change(leader.configuration.with_member(learner("c")))
    network.holding = lambda packet: packet.sender == "c" and is_ack(packet)
    leader.progress["c"].caught_up = False
    for _ in range(3):
        network.propose(b"early")
        network.tick(count=ELECTION_TICKS)
        network.propose(b"late")
        first, *_ = network.held
        network.held.clear()
        network.deliver(first)
        assert leader.caught_up_learner() is None


def test_a_learner_of_an_idle_cluster_is_promoted_however_long_it_took_to_begin() -> None:
    """Section 4.2.1: a round that finds nothing to bring is over at once, with or without writes now and then."""
    network = led("ab", spare="c")
    network.isolate("c")
    leader = network.elected()
    network.change(leader.configuration.with_member(learner("c")))
    network.tick(count=3 * LONG_ELECTION_TICKS)
    network.heal()
    network.tick(count=LONG_ELECTION_TICKS)
    assert leader.caught_up_learner() == learner("c")
    for _ in range(3):
        network.write(b"now and then")
        network.tick(count=2 * LONG_ELECTION_TICKS)
        assert leader.caught_up_learner() == learner("c")


def test_a_learner_that_went_silent_is_not_promoted() -> None:
    """Section 4.2.1."""
    network = led("ab", spare="c")
    leader = network.elected()
    network.change(leader.configuration.with_member(learner("c")))
    assert leader.caught_up_learner() is not None
    network.crash("c")
    network.tick(count=ELECTION_TICKS + 1)
    assert leader.caught_up_learner() is None


def test_a_learner_that_shall_stay_one_is_not_promoted() -> None:
    """Section 4.2.1: auto_promote is a member's own setting."""
    network = led("ab", spare="c")
    leader = network.elected()
    network.change(leader.configuration.with_member(member("c", learner("c").suffrage, auto_promote=False)))
    network.heartbeat()
    assert leader.caught_up_learner() is None
    assert network["b"].caught_up_learner() is None


def test_a_learner_neither_votes_in_elections_nor_stands() -> None:
    """Section 4.2.1."""
    network = led("ab", spare="c")
    network.change(network["a"].configuration.with_member(learner("c")))
    network.heartbeat()
    network.crash("a")
    network.tick(count=5 * LONG_ELECTION_TICKS)
    assert network.leader is None
    assert network["c"].role is Role.FOLLOWER
    network["c"].step("b", TimeoutNow(network["c"].current_term))
    assert network["c"].role is Role.FOLLOWER


def test_scenario_31_a_promoted_learner_that_does_not_know_yet_still_votes() -> None:
    """Section 4.2.1 (and 4.1): a server votes for whoever asks, whatever its own configuration says."""
    network = led("ab", spare="c")
    network.change(network["a"].configuration.with_member(learner("c")))
    network.heartbeat()
    network.isolate("c")
    network.change(voters("abc"))
    network.heartbeat()
    assert network["b"].configuration == voters("abc")
    assert not network["c"].configuration.is_voter("c")
    network.heal()
    network.crash("a")
    network.wait_for_leader()
    assert network.elected().node_id == "b"
    network.write(b"x")
    assert network.servers["c"].commands == [b"x"]


def test_a_removed_server_disturbs_nobody() -> None:
    """Section 4.2.3: it never learns that it is removed, and nobody who hears the leader listens."""
    network = led()
    network.isolate("c")
    network.change(voters("ab"))
    network.heartbeat()
    network.heal()
    term = network["a"].current_term
    network.tick(count=5 * LONG_ELECTION_TICKS)
    assert network["a"].role is Role.LEADER and network["a"].current_term == term
    assert network["c"].role is not Role.LEADER and network["c"].current_term == term


def test_a_removed_member_that_comes_back_begins_at_nothing() -> None:
    """Section 4.1: what was known of it went with the configuration."""
    network = led()
    network.write(b"x")
    network.change(voters("ab"))
    assert "c" not in network["a"].progress
    network["a"].step("c", AppendReply(2, True, 3))
    assert "c" not in network["a"].progress
    network.holding = lambda packet: packet.to == "c"
    network.change(voters("ab").with_member(learner("c")))
    assert network["a"].progress["c"].match_index == 0
    network.release()
    network.heartbeat()
    assert network.servers["c"].commands == [b"x"]


def test_members_are_active_while_they_answer() -> None:
    """Section 4.2.1 and 6.2: the leader's judgement, for the operators and for quorum at risk."""
    network = led()
    network.crash("c")
    network.tick(count=ELECTION_TICKS + 1)
    leader = network.elected()
    assert [leader.is_active(node_id) for node_id in ("a", "b", "c", "z")] == [True, True, False, False]


def test_a_configuration_survives_compaction_and_restart() -> None:
    """Section 4.1 and paper, section 7: the snapshot carries it."""
    network = led("abcd")
    network.change(voters("abc"))
    network.write(b"x")
    for node_id in "abc":
        network.take_snapshot(node_id)
        network.restart(node_id)
        assert network[node_id].configuration == voters("abc")
    network.wait_for_leader()
    network.write(b"y")
    kinds = [entry.kind for entry in network.applied.values()]
    assert kinds.count(EntryKind.CONFIGURATION) == 2
    assert isinstance(network["a"].configuration, Configuration)


def test_a_heartbeat_makes_a_member_known_to_a_server_without_configuration() -> None:
    """Section 4.1: a joiner follows whoever leads, and answers."""
    network = Network("a", spare="b")
    (reply,) = network.step("b", "a", Heartbeat(3, 5, 7))
    assert (reply.term, reply.round) == (3, 7)
    assert network["b"].leader_id == "a" and network["b"].commit_index == 0
