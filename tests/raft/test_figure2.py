"""One test for each rule of the paper's figure 2."""

from __future__ import annotations

import random

import pytest

from minicloud.raft.core import Raft
from minicloud.raft.entries import Entry, EntryKind, HardState
from minicloud.raft.errors import ProtocolViolation
from minicloud.raft.messages import (
    AppendEntries,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    Message,
    VoteReply,
    VoteRequest,
)
from minicloud.raft.role import Role
from tests.raft.network import ELECTION_TICKS, LONG_ELECTION_TICKS, SETTINGS, Network, voters


def follower(*terms: int, current_term: int | None = None, voted_for: str = "") -> Network:
    """One server, of a cluster of three, whose log holds entries of those terms behind its first."""
    network = Network("a")
    disk = network.servers["a"].disk
    disk.entries = [Entry(1, 1, EntryKind.CONFIGURATION, configuration=voters("abc"))]
    disk.entries += [Entry(term, index, data=b"%d" % index) for index, term in enumerate(terms, start=2)]
    disk.hard_state = HardState(current_term or disk.entries[-1].term, voted_for)
    network.restart("a")
    return network


def entries(first_index: int, *terms: int) -> tuple[Entry, ...]:
    return tuple(Entry(term, index, data=b"%d" % index) for index, term in enumerate(terms, start=first_index))


def answer(network: Network, message: Message, sender: str = "b") -> Message:
    (reply,) = network.step("a", sender, message)
    return reply


def terms(network: Network) -> list[int]:
    return [entry.term for entry in network.servers["a"].disk.entries]


# State


def test_term_and_vote_are_on_disk_before_the_vote_leaves() -> None:
    """Persistent state: "updated on stable storage before responding to RPCs"."""
    network = follower()
    assert answer(network, VoteRequest(2, 9, 1)) == VoteReply(2, True)
    assert network.servers["a"].disk.hard_state == HardState(2, "b")


def test_entries_are_on_disk_before_the_acknowledgement_leaves() -> None:
    """Persistent state: log[]."""
    network = follower()
    network["a"].step("b", AppendEntries(1, 1, 1, entries(2, 1), 0))
    ready = network["a"].ready()
    assert ready.entries == entries(2, 1) and ready.must_sync
    assert [type(envelope.message) for envelope in ready.messages_after_sync] == [AppendReply]
    assert not ready.messages_before_sync


def test_term_vote_and_log_survive_a_restart() -> None:
    """Persistent state."""
    network = follower(1, 2, current_term=3, voted_for="c")
    raft = network["a"]
    assert (raft.current_term, raft.voted_for, raft.log.last_index, raft.log.last_term) == (3, "c", 3, 2)


def test_commit_and_applied_begin_at_zero() -> None:
    """Volatile state on all servers."""
    raft = follower(1, 1)["a"]
    assert (raft.commit_index, raft.last_applied) == (0, 0)


def test_a_new_leader_begins_with_next_behind_its_log_and_match_at_zero() -> None:
    """Volatile state on leaders: "reinitialized after election"."""
    network = Network()
    network.holding = lambda packet: isinstance(packet.message, AppendEntries)
    leader = network.elect("a")
    assert {(p.next_index, p.match_index) for p in leader.progress.values()} == {(2, 0)}


# AppendEntries RPC


def test_append_of_an_older_term_is_refused() -> None:
    """AppendEntries, receiver 1."""
    network = follower(current_term=3)
    assert answer(network, AppendEntries(2, 1, 1, entries(2, 2), 0)) == AppendReply(3, False, 1)
    assert terms(network) == [1]


def test_append_is_refused_where_the_log_does_not_hold_the_previous_entry() -> None:
    """AppendEntries, receiver 2: too short, and of another term."""
    network = follower(1, 1)
    too_short = answer(network, AppendEntries(2, 9, 2, (), 0))
    other_term = answer(network, AppendEntries(2, 3, 2, (), 0))
    assert (too_short.success, too_short.match_index) == (False, 9)
    assert (other_term.success, other_term.match_index) == (False, 3)


def test_a_conflicting_entry_is_deleted_with_all_that_follow() -> None:
    """AppendEntries, receiver 3."""
    network = follower(1, 1, 1)
    assert answer(network, AppendEntries(2, 2, 1, entries(3, 2), 0)) == AppendReply(2, True, 3)
    assert terms(network) == [1, 1, 2]


def test_entries_that_are_there_already_stay_and_new_ones_are_appended() -> None:
    """AppendEntries, receiver 4."""
    network = follower(1, 1)
    assert answer(network, AppendEntries(1, 1, 1, entries(2, 1, 1, 1), 0)) == AppendReply(1, True, 4)
    assert terms(network) == [1, 1, 1, 1]


def test_commit_follows_the_leader_up_to_the_last_new_entry() -> None:
    """AppendEntries, receiver 5: min(leaderCommit, index of last new entry)."""
    network = follower(1, 1, 1)
    answer(network, AppendEntries(1, 1, 1, entries(2, 1), 9))
    assert network["a"].commit_index == 2
    answer(network, AppendEntries(1, 2, 1, entries(3, 1), 1))
    assert network["a"].commit_index == 2


# RequestVote RPC


def test_a_vote_request_of_an_older_term_is_refused() -> None:
    """RequestVote, receiver 1."""
    assert answer(follower(current_term=3), VoteRequest(2, 9, 2)) == VoteReply(3, False)


def test_one_vote_a_term_first_come_first_served() -> None:
    """RequestVote, receiver 2: votedFor is null or candidateId; also after a restart."""
    network = follower()
    assert answer(network, VoteRequest(2, 1, 1), "b").granted
    assert not answer(network, VoteRequest(2, 1, 1), "c").granted
    network.restart("a")
    assert not answer(network, VoteRequest(2, 1, 1), "c").granted
    assert answer(network, VoteRequest(2, 1, 1), "b").granted


@pytest.mark.parametrize(("index", "term", "granted"), [(4, 1, False), (2, 2, False), (3, 2, True), (2, 3, True)])
def test_no_vote_for_a_log_that_is_less_up_to_date(index: int, term: int, granted: bool) -> None:
    """RequestVote, receiver 2, and section 5.4.1."""
    network = follower(1, 2)
    assert answer(network, VoteRequest(4, index, term)) == VoteReply(4, granted)


# Rules for all servers


def test_what_is_committed_is_applied_in_order_and_once() -> None:
    """All servers: if commitIndex > lastApplied."""
    network = follower(1, 1, 1, 1, 1)
    answer(network, AppendEntries(1, 6, 1, (), 6))
    assert network["a"].last_applied == 6
    assert network.servers["a"].commands == [b"2", b"3", b"4", b"5", b"6"]


@pytest.mark.parametrize("message", [VoteRequest(9, 1, 1), VoteReply(9, False), AppendReply(9, False, 1)])
def test_a_newer_term_makes_a_follower(message: Message) -> None:
    """All servers: "If RPC request or response contains term T > currentTerm"."""
    network = follower()
    network.tick("a", count=LONG_ELECTION_TICKS)
    assert network["a"].role is Role.PRE_CANDIDATE
    network.step("a", "b", message)
    assert (network["a"].role, network["a"].current_term) == (Role.FOLLOWER, 9)


def test_a_leader_that_learns_of_a_newer_term_steps_down() -> None:
    """All servers."""
    network = Network()
    leader = network.elect("a")
    network.step("a", "b", HeartbeatReply(leader.current_term + 1, 0))
    assert leader.role is Role.FOLLOWER and leader.leader_id is None


# Rules for followers and candidates


def test_a_follower_that_hears_nothing_begins_an_election() -> None:
    """Followers: "If election timeout elapses without receiving AppendEntries … or granting vote"."""
    network = Network()
    ticks = network.wait_for_leader()
    assert ELECTION_TICKS <= ticks <= LONG_ELECTION_TICKS


def test_hearing_the_leader_or_granting_a_vote_puts_the_election_off() -> None:
    """Followers."""
    network = follower()
    for term in (2, 3, 4):
        network.tick("a", count=ELECTION_TICKS - 1)
        assert answer(network, VoteRequest(term, 9, 1)).granted
    for _ in range(3):
        network.tick("a", count=ELECTION_TICKS - 1)
        answer(network, Heartbeat(4, 0))
    assert network["a"].role is Role.FOLLOWER


def test_a_candidate_begins_a_term_votes_for_itself_and_asks_all_others() -> None:
    """Candidates: on conversion. The vote is on disk before the requests leave."""
    network = Network()
    network.holding = lambda packet: isinstance(packet.message, VoteRequest)
    network.tick("a", count=LONG_ELECTION_TICKS)
    assert network.servers["a"].disk.hard_state == HardState(2, "a")
    assert [(packet.to, packet.message) for packet in network.held] == [
        ("b", VoteRequest(2, 1, 1)),
        ("c", VoteRequest(2, 1, 1)),
    ]


def test_a_majority_of_votes_makes_a_leader() -> None:
    """Candidates: two of five are too few, three are enough; a server counts once."""
    network = Network("abcde")
    network.holding = lambda packet: isinstance(packet.message, VoteRequest)
    network.tick("a", count=LONG_ELECTION_TICKS)
    for _ in range(3):
        network.step("a", "b", VoteReply(2, True))
    network.step("a", "c", VoteReply(2, False))
    assert network["a"].role is Role.CANDIDATE
    network.step("a", "d", VoteReply(2, True))
    assert network["a"].role is Role.LEADER


def test_a_candidate_follows_the_leader_of_its_term() -> None:
    """Candidates: "If AppendEntries RPC received from new leader"."""
    network = Network()
    network.holding = lambda packet: isinstance(packet.message, VoteRequest)
    network.tick("a", count=LONG_ELECTION_TICKS)
    network.step("a", "b", AppendEntries(2, 1, 1, (), 0))
    assert (network["a"].role, network["a"].leader_id, network["a"].voted_for) == (Role.FOLLOWER, "b", "a")


def test_a_candidate_whose_time_is_up_begins_again() -> None:
    """Candidates: "If election timeout elapses: start new election", by way of a pre-vote."""
    network = Network()
    network.holding = lambda packet: isinstance(packet.message, VoteReply)
    network.tick("a", count=LONG_ELECTION_TICKS)
    assert (network["a"].role, network["a"].current_term) == (Role.CANDIDATE, 2)
    network.tick("a", count=LONG_ELECTION_TICKS)
    assert (network["a"].role, network["a"].current_term) == (Role.CANDIDATE, 3)


# Rules for leaders


def test_a_leader_says_so_at_once_and_again_while_idle() -> None:
    """Leaders: heartbeats upon election, and during idle periods."""
    network = Network()
    leader = network.elect("a")
    assert all(network[node_id].leader_id == "a" for node_id in "bc")
    for _ in range(5 * LONG_ELECTION_TICKS):
        network.tick()
    assert leader.role is Role.LEADER and leader.current_term == 2


def test_a_leader_appends_and_applies_a_command() -> None:
    """Leaders: "If command received from client"."""
    network = Network()
    network.elect("a")
    index, term = network["a"].propose(b"x")
    assert (index, term) == (3, 2)
    network.settle()
    assert network.servers["a"].commands == [b"x"]
    network.heartbeat()
    assert network.servers["b"].commands == network.servers["c"].commands == [b"x"]


def test_a_leader_sends_what_a_follower_lacks_and_learns_from_the_answers() -> None:
    """Leaders: "If last log index ≥ nextIndex", and success."""
    network = Network()
    leader = network.elect("a")
    network.isolate("c")
    for number in range(20):
        network.propose(b"%d" % number)
    network.settle()
    network.heal()
    network.wait_for(lambda: leader.progress["c"].match_index == leader.log.last_index, 40)
    assert leader.progress["c"].next_index == leader.log.last_index + 1


def test_a_leader_backs_up_where_a_follower_refuses() -> None:
    """Leaders: "If AppendEntries fails because of log inconsistency: decrement nextIndex and retry"."""
    network = Network()
    network.elect("a")
    network.isolate("a")
    for number in range(5):
        network.propose(b"lost %d" % number, "a")
    leader = network.elect("b")
    network.write(b"kept")
    network.heal()
    network.wait_for(lambda: leader.progress["a"].match_index == leader.log.last_index, 40)
    network.heartbeat()
    assert network.servers["a"].commands == [b"kept"]


def test_a_leader_commits_what_a_majority_has() -> None:
    """Leaders: "a majority of matchIndex[i] ≥ N"; its own disk counts only once it has it."""
    network = Network("abcde")
    leader = network.elect("a")
    network.isolate("c", "d", "e")
    index = network.propose(b"x")
    network.settle()
    assert leader.commit_index == index - 1
    network.heal()
    network.isolate("d", "e")
    network.wait_for(lambda: leader.commit_index == index, 2 * ELECTION_TICKS)


def test_a_leader_counts_itself_only_when_its_own_disk_has_it() -> None:
    """Leaders: what is counted is durable (thesis, section 10.2.1)."""
    network = Network()
    leader = network.elect("a")
    index, term = leader.propose(b"x")
    entry = Entry(term, index, data=b"x")
    (reply,) = network.step("b", "a", AppendEntries(term, index - 1, term, (entry,), 0))
    leader.step("b", reply)
    assert leader.progress["b"].match_index == index
    assert leader.commit_index == index - 1
    network.flush("a")
    assert leader.commit_index == index


def test_there_is_never_a_second_leader_in_a_term() -> None:
    """Section 5.2, figure 3: whoever claims it breaks the protocol."""
    network = Network()
    leader = network.elect("a")
    for message in (Heartbeat(leader.current_term, 0), AppendEntries(leader.current_term, 1, 1, (), 0)):
        with pytest.raises(ProtocolViolation):
            leader.step("b", message)


def test_a_single_server_leads_and_commits_by_itself() -> None:
    """Section 5.2: one is a majority of one."""
    network = Network("a")
    network.tick()
    assert network["a"].role is Role.LEADER
    network.write(b"x")
    assert network.servers["a"].commands == [b"x"]


def test_a_new_server_begins_with_nothing_and_waits() -> None:
    """Figure 2's initial values, and thesis, section 4.4: no configuration, no election."""
    raft = Raft("z", SETTINGS, random.Random(0), HardState(), None, ())
    for _ in range(10 * LONG_ELECTION_TICKS):
        raft.tick()
    assert (raft.role, raft.current_term, raft.voted_for, raft.log.last_index) == (Role.FOLLOWER, 0, "", 0)
    assert not raft.has_ready()
