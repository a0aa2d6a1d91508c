"""Elections (paper, section 5.2 and 5.4.1; thesis, sections 4.2.3, 6.2 and 9.6)."""

from __future__ import annotations

import itertools

import pytest

from minicloud.raft.entries import Entry, HardState
from minicloud.raft.errors import NotLeader
from minicloud.raft.messages import (
    AppendEntries,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    PreVoteReply,
    PreVoteRequest,
    ReadIndexRequest,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from minicloud.raft.role import Role
from minicloud.raft.table import REACTIONS
from tests.raft.network import ELECTION_TICKS, LONG_ELECTION_TICKS, Crash, Network, Packet

CRASH_POINTS = (
    "before hard state",
    "before snapshot",
    "before replies",
    "before apply",
    "before advance",
)


def led(node_ids: str = "abc", seed: int = 0) -> Network:
    network = Network(node_ids, seed)
    network.elect("a")
    network.heartbeat()
    return network


def give_log(network: Network, node_id: str, term: int, *terms: int, voted_for: str = "") -> None:
    """Restart a server with entries of those terms behind the first, and with that current term."""
    disk = network.servers[node_id].disk
    disk.entries = disk.entries[:1] + [Entry(t, index, data=b"%d" % t) for index, t in enumerate(terms, start=2)]
    disk.hard_state = HardState(term, voted_for)
    network.restart(node_id)


@pytest.mark.parametrize("point", CRASH_POINTS)
def test_scenario_01_a_crash_around_a_vote_never_gives_two_votes_in_a_term(point: str) -> None:
    """Paper, figure 2 and section 5.4: the reply leaves only after the vote is on disk."""
    network = Network()
    network.crash_point = lambda server, here: server.node_id == "a" and here == point
    replies = network.step("a", "b", VoteRequest(2, 1, 1))
    assert not network.servers["a"].is_up
    network.crash_point = lambda server, here: False
    network.start("a")
    was_durable = network.servers["a"].disk.hard_state.voted_for == "b"
    assert was_durable or not replies
    (reply,) = network.step("a", "c", VoteRequest(2, 1, 1))
    assert reply == VoteReply(2, not was_durable)


def test_scenario_01_a_candidate_that_crashes_before_its_own_vote_is_durable_has_asked_nobody() -> None:
    """Paper, section 5.4: its own vote is a vote like any other."""
    network = Network()
    network.crash_point = lambda server, point: server.raft.role is Role.CANDIDATE and point == "before hard state"
    network["a"].step("b", TimeoutNow(1))
    network.flush("a")
    assert not network.servers["a"].is_up
    assert not any(isinstance(packet.message, VoteRequest) for packet in network.sent)


def test_scenario_01_votes_do_not_make_a_leader_before_its_own_is_durable() -> None:
    """Paper, section 5.4: no leader acts in a term that it could forget."""
    raft = Network("abcde")["a"]
    raft.step("b", TimeoutNow(1))
    for voter in "bc":
        raft.step(voter, VoteReply(2, True))
    raft.step("d", VoteReply(2, True))
    assert raft.role is Role.CANDIDATE
    raft.advance(raft.ready())
    assert raft.role is Role.LEADER


def test_scenario_02_a_delayed_vote_of_an_older_term_does_not_count() -> None:
    """Paper, section 5.1: "If a server receives a request with a stale term number, it rejects"; replies alike."""
    network = Network()
    network.holding = lambda packet: isinstance(packet.message, VoteReply)
    network["a"].step("", TimeoutNow(1))
    network.settle()
    late = list(network.held)
    network["b"].step("", TimeoutNow(2))
    network["a"].step("b", VoteRequest(3, 1, 1, transfer=True))
    network["a"].step("", TimeoutNow(3))
    network.flush("a")
    assert (network["a"].role, network["a"].current_term) == (Role.CANDIDATE, 4)
    for packet in late:
        network.deliver(packet)
    assert network["a"].role is Role.CANDIDATE


def test_scenario_03_figure_8_entries_of_earlier_terms_commit_only_with_one_of_the_current_term() -> None:
    """Paper, section 5.4.2 and figure 8, situations (a) to (e)."""
    network = Network("abcde")
    # (a) S1 leads term 2 and brings its entry to S2 only.
    give_log(network, "a", 3, 2)
    give_log(network, "b", 2, 2)
    # (b) S5 leads term 3 with an entry that it brings to nobody.
    give_log(network, "e", 3, 3)
    for node_id in "cd":
        give_log(network, node_id, 3, voted_for="e")
    # (c) S1 leads again; its entry of term 2 gets to a majority, its entry of term 4 to nobody.
    network.isolate("e")
    network.holding = lambda packet: isinstance(packet.message, AppendEntries)
    leader = network.elect("a")
    term = leader.current_term
    assert term == 4
    old = leader.log.between(2, 2)
    for node_id in "bc":
        (reply,) = network.step(node_id, "a", AppendEntries(term, 1, 1, tuple(old), 0))
        assert reply.success
        network.settle()
    assert leader.progress["b"].match_index == leader.progress["c"].match_index == 2
    assert leader.commit_index == 0, "a majority has it, but it is of term 2"
    # (e) Once an entry of its own term is on a majority, both commit.
    network.release()
    assert leader.commit_index == leader.log.last_index == 3
    network.heal()
    network["e"].step("", TimeoutNow(network["e"].current_term))
    network.settle()
    assert network["e"].role is not Role.LEADER, "S5 can no longer be elected"


def test_scenario_03_figure_8_what_was_not_committed_may_be_overwritten() -> None:
    """Paper, figure 8, situation (d)."""
    network = Network("abcde")
    for node_id in "abc":
        give_log(network, node_id, 4, 2)
    give_log(network, "e", 4, 3)
    network.crash("a")
    network.elect("e")
    network.heartbeat()
    network.start("a")
    network.tick(count=LONG_ELECTION_TICKS)
    assert {network.servers[node_id].state for node_id in "abcde"} == {((2, b"3"),)}


def test_scenario_04_an_isolated_follower_comes_back_without_a_trace() -> None:
    """Thesis, section 9.6: pre-vote. No new term, and the leader stays."""
    network = led()
    term = network["a"].current_term
    network.isolate("c")
    network.tick(count=20 * LONG_ELECTION_TICKS)
    assert network["c"].role is Role.PRE_CANDIDATE and network["c"].current_term == term
    network.heal()
    network.tick(count=2 * LONG_ELECTION_TICKS)
    assert network["a"].role is Role.LEADER
    assert {network[node_id].current_term for node_id in "abc"} == {term}
    assert network["c"].leader_id == "a"


@pytest.mark.parametrize("seed", range(10))
def test_scenario_05_pre_vote_elects_over_mixed_terms_and_a_restarted_laggard(seed: int) -> None:
    """Thesis, section 9.6: a refusal carries the voter's term, so that nobody asks too low for ever."""
    network = Network("abc", seed)
    give_log(network, "a", 9)
    give_log(network, "b", 3, 2, 2)
    network.crash("c")
    network.wait_for(lambda: network.leader is not None, 10 * LONG_ELECTION_TICKS)
    assert network.elected().node_id == "b", "only b's log is up to date"
    network.heartbeat()
    give_log(network, "c", 1)
    network.tick(count=LONG_ELECTION_TICKS)
    assert network["c"].commit_index == network["b"].commit_index > 0


def test_scenario_06_a_leader_without_its_quorum_steps_down_within_one_election_timeout() -> None:
    """Thesis, section 6.2: and takes no more proposals."""
    network = led("abcde")
    network.isolate("a", "b")
    network.tick("a", "b", count=ELECTION_TICKS)
    assert network["a"].role is Role.FOLLOWER and network["a"].leader_id is None
    with pytest.raises(NotLeader):
        network["a"].propose(b"x")


def test_a_leader_that_hears_a_bare_majority_goes_on() -> None:
    """Thesis, section 6.2."""
    network = led("abcde")
    network.isolate("d", "e")
    network.tick(count=10 * LONG_ELECTION_TICKS)
    assert network["a"].role is Role.LEADER


@pytest.mark.parametrize("both_ways", list(itertools.product((False, True), repeat=3)))
def test_a_leader_is_found_exactly_when_some_pair_hears_each_other(both_ways: tuple[bool, bool, bool]) -> None:
    """Thesis, section 9.6; each link cut in one direction is no link."""
    network = Network()
    for (one, other), is_whole in zip((("a", "b"), ("b", "c"), ("c", "a")), both_ways, strict=True):
        if not is_whole:
            network.blocked.add((one, other))
    network.tick(count=6 * LONG_ELECTION_TICKS)
    serves = network.leader is not None and network.leader.commit_index > 0
    assert serves == any(both_ways)


def test_who_hears_the_leader_helps_nobody_to_replace_it() -> None:
    """Thesis, section 4.2.3: no vote, no pre-vote, no new term; the leader itself neither."""
    network = led()
    for node_id, sender in (("b", "c"), ("a", "c")):
        term = network[node_id].current_term
        assert network.step(node_id, sender, VoteRequest(term + 5, 99, 9)) == []
        assert network.step(node_id, sender, PreVoteRequest(term + 1, 99, 9)) == [PreVoteReply(term, False)]
        assert network[node_id].current_term == term


def test_a_transfer_is_voted_for_although_the_leader_is_heard() -> None:
    """Thesis, section 4.2.3: the leader asked for it."""
    network = led()
    assert network.step("b", "c", VoteRequest(3, 99, 9, transfer=True)) == [VoteReply(3, True)]


def test_a_pre_vote_binds_nobody() -> None:
    """Thesis, section 9.6: any number of candidates may be told yes, and nothing is written."""
    network = Network()
    for sender in "bc":
        assert network.step("a", sender, PreVoteRequest(2, 1, 1)) == [PreVoteReply(2, True)]
    assert network.servers["a"].disk.hard_state == HardState(1)
    assert network.step("a", "b", PreVoteRequest(2, 0, 0)) == [PreVoteReply(1, False)]
    assert network.step("a", "b", PreVoteRequest(1, 1, 1)) == [PreVoteReply(1, False)]


def test_a_pre_candidate_counts_only_answers_to_its_present_question() -> None:
    """Thesis, section 9.6."""
    network = Network()
    network.isolate("a")
    network.tick("a", count=LONG_ELECTION_TICKS)
    raft = network["a"]
    raft.step("b", PreVoteReply(7, True))
    raft.step("b", PreVoteReply(1, False))
    assert raft.role is Role.PRE_CANDIDATE and raft.current_term == 1
    raft.step("c", PreVoteReply(2, True))
    assert raft.role is Role.CANDIDATE and raft.current_term == 2


def test_a_lost_link_to_the_leader_brings_a_quick_election() -> None:
    """The closed links of a dead process are a hint, which shortens the timeout."""
    quick = 0
    for seed in range(30):
        network = led(seed=seed)
        network.crash("a")
        for node_id in "bc":
            network[node_id].link_lost("a")
        quick += network.wait_for_leader() < ELECTION_TICKS
    assert quick > 15, "the delays are random, so that votes are seldom split"


def test_a_lost_link_to_a_leader_that_others_hear_changes_nothing() -> None:
    """Thesis, section 9.6: whoever still hears the leader refuses the pre-vote."""
    network = led()
    term = network["a"].current_term
    network["b"].link_lost("a")
    network["b"].link_lost("c")
    network.isolate("b")
    network.tick("b", count=3)
    assert network["b"].role is Role.PRE_CANDIDATE
    network.heal()
    network.tick(count=LONG_ELECTION_TICKS)
    assert network["a"].role is Role.LEADER and network["b"].current_term == term
    network["b"].link_lost("a")
    network.heartbeat()
    assert not network["b"].leader_link_lost


def test_split_votes_end() -> None:
    """Paper, section 5.2: the timeouts are random."""
    network = Network("abcd")
    for node_id in "abcd":
        network[node_id].step("", TimeoutNow(1))
    network.settle()
    assert network.leader is None
    network.wait_for(lambda: network.leader is not None, 8 * LONG_ELECTION_TICKS)


def test_old_requests_are_answered_with_the_new_term_and_old_replies_are_not() -> None:
    """Paper, section 5.1: so that a stale leader or candidate learns of it."""
    network = Network()
    give_log(network, "a", 7)
    assert network.step("a", "b", VoteRequest(3, 9, 3)) == [VoteReply(7, False)]
    assert network.step("a", "b", AppendEntries(3, 4, 3, (), 0)) == [AppendReply(7, False, 4)]
    assert network.step("a", "b", Heartbeat(3, 0, 5)) == [HeartbeatReply(7, 0)]
    for message in (VoteReply(3, True), AppendReply(3, True, 1), TimeoutNow(3), ReadIndexRequest(3, 1)):
        assert network.step("a", "b", message) == []


def test_a_refused_pre_vote_of_a_newer_term_is_learnt_from() -> None:
    """Paper, section 5.1."""
    network = Network()
    network.step("a", "b", PreVoteReply(8, False))
    assert network["a"].current_term == 8


def test_every_role_has_a_reaction_to_every_message() -> None:
    """The table is total: nothing is forgotten."""
    kinds = {message for _, message in REACTIONS}
    assert len(kinds) == 13
    assert set(REACTIONS) == set(itertools.product(Role, kinds))


def test_replies_to_what_a_server_no_longer_is_are_ignored() -> None:
    """Paper, section 5.1, figure 4."""
    network = led()
    term = network["b"].current_term
    for node_id, message in itertools.product("ab", (VoteReply(term, True), PreVoteReply(term + 1, True))):
        network.step(node_id, "c", message)
    network.step("b", "c", AppendReply(term, True, 1))
    network.step("b", "c", HeartbeatReply(term, 1))
    assert network["a"].role is Role.LEADER and network["b"].role is Role.FOLLOWER


def test_a_candidate_in_its_own_term_grants_no_second_vote_and_a_second_request_gets_the_same_answer() -> None:
    """Paper, section 5.2."""
    network = Network()
    assert network.step("a", "b", VoteRequest(2, 1, 1)) == [VoteReply(2, True)]
    assert network.step("a", "b", VoteRequest(2, 1, 1)) == [VoteReply(2, True)]
    network["c"].step("", TimeoutNow(1))
    network.flush("c")
    assert network.step("c", "b", VoteRequest(2, 1, 1)) == [VoteReply(2, False)]


def test_the_only_voter_leads_after_one_tick() -> None:
    """Nobody else could lead: waiting protects nobody."""
    network = Network("a")
    network.tick()
    assert network.leader is network["a"]
    network.restart("a")
    network.tick()
    assert network.leader is network["a"] and network["a"].current_term == 3


def test_the_driver_dies_where_it_is_told_to() -> None:
    """The harness itself: a crash keeps what is on disk, and nothing else."""
    network = led()
    network.crash_point = lambda server, point: point == "before replies" and server.node_id == "b"
    network.propose(b"x")
    network.settle()
    assert not network.servers["b"].is_up
    assert network.servers["b"].disk.last_index == 3
    assert issubclass(Crash, Exception)
    assert not any(
        isinstance(p, Packet) and p.sender == "b" and p.message == AppendReply(2, True, 3) for p in network.sent
    )


def test_an_install_snapshot_of_an_older_term_shows_its_sender_the_new_one() -> None:
    """Paper, figure 13, step 1."""
    network = led()
    for number in range(3):
        network.write(b"%d" % number)
    network.take_snapshot("a")
    meta = network["a"].snapshot
    assert meta is not None
    (reply,) = network.step("b", "c", InstallSnapshot(1, meta, 0, b"", 0))
    assert reply.term == 2


def test_who_is_said_to_be_removed_begins_no_election_but_votes() -> None:
    """Thesis, section 4.2.3: a removed server must not disturb; but whoever says so may be wrong, and its vote be needed."""
    network = Network("ab")
    network["b"].may_begin_elections = False
    network.tick("b", count=3 * LONG_ELECTION_TICKS)
    assert network["b"].role is Role.FOLLOWER and network["b"].current_term == 1
    network.wait_for(lambda: network["a"].role is Role.LEADER)
    assert network["b"].voted_for == "a"
