"""Scenarios 1 to 7: who may lead, and who must not."""

from __future__ import annotations

import itertools

import pytest
from attrs import evolve

from minicloud.node.errors import NotLeader
from minicloud.raft.messages import (
    AppendEntries,
    Heartbeat,
    HeartbeatReply,
    PreVoteReply,
    PreVoteRequest,
    VoteReply,
    VoteRequest,
)
from minicloud.raft.role import Role
from tests.sim.scenarios.sites import Sites
from tests.sim.scenarios.stage import (
    ELECTION_S,
    Post,
    ask,
    check,
    elect,
    isolate,
    leader_of,
    leads,
    read,
    rejoin,
    settle,
    world_of,
    write,
)

# 1

STEPS_OF_A_VOTE = 5
"""Create, write and sync a file, give it its name, sync the folder."""


def two_candidates_of_one_term():
    """n3, the last leader, has lost its voice. n1 and n2 are candidates of one term, and n3 has not had their requests yet.

    Returns the world, its post, and the two requests.
    """
    world = world_of()
    elect(world, "n3")
    post = Post(world)
    post.catch(Heartbeat, AppendEntries, PreVoteRequest, source="n3")
    requests = post.catch(VoteRequest)
    post.catch(
        PreVoteRequest,
        where=lambda letter: letter.target != "n3" or letter.source in {known.source for known in requests.caught},
    )
    world.until(
        lambda: len([item for item in requests.caught if item.target == "n3"]) == 2, ELECTION_S, "two candidates"
    )
    found = {letter.source: letter for letter in requests.caught if letter.target == "n3"}
    assert found["n1"].message.term == found["n2"].message.term
    return world, post, found["n1"], found["n2"]


def crash_in_the_vote(step, is_power_lost):
    """Have n3 crash at that step of putting its vote for n2 on disk; return whom it votes for when it is back."""
    world, post, from_n1, from_n2 = two_candidates_of_one_term()
    voter = world.process("n3")
    voter.disk.crash_after(step)
    post.deliver(from_n2)
    world.until(lambda: not voter.is_up, 0.1, "the crash")
    assert world.counts["crash point"] == 1
    assert (voter.raft.current_term, voter.raft.voted_for) == (from_n2.message.term, "n2"), "the vote was granted"
    assert not post.letters(VoteReply, source="n3"), "and the reply has not left"
    if is_power_lost:
        world.cut_power("n3")
    world.start("n3")
    world.run(0.1)  # for new links, and too little for a timeout
    for request in (from_n1, from_n2, from_n1, from_n2):
        post.deliver(request)
        world.run(0.02)
    replies = post.letters(VoteReply, source="n3")
    assert len(replies) == 4, "each request had its answer"
    voted_for = {letter.target for letter in replies if letter.message.granted}
    assert len(voted_for) == 1
    check(world)
    return voted_for.pop()


def test_01_a_crash_between_a_vote_and_its_fsync_gives_no_second_vote():
    """A voter dies while its vote goes to disk: its reply has not left by then.

    Whichever of the two candidates it votes for when it is back, it never votes for the other one.
    """
    votes = {
        (step, is_power_lost): crash_in_the_vote(step, is_power_lost)
        for step in range(STEPS_OF_A_VOTE)
        for is_power_lost in (False, True)
    }
    assert votes[0, True] == "n1", "nothing was written: the first who asks again has the vote"
    assert votes[STEPS_OF_A_VOTE - 1, False] == "n2", "the vote was on disk when the process died"


def test_01_the_reply_leaves_once_the_vote_is_on_disk():
    """Without a crash, the same vote takes just the steps at which the other test crashes, and is granted."""
    world, post, _, from_n2 = two_candidates_of_one_term()
    voter = world.process("n3")
    voter.disk.crash_after(STEPS_OF_A_VOTE)
    post.deliver(from_n2)
    world.run(0.02)
    assert [letter.message.granted for letter in post.letters(VoteReply, source="n3")] == [True]
    voter.disk.heal()
    check(world)


# 2


def candidate_of_a_second_term(*held):
    """n1 is asking n2 for the second time, in a new term. What of those kinds n2 answers, or is asked later, is held back.

    Returns the world, its post, and the rule that holds back.
    """
    world = world_of()
    elect(world, "n3")
    post = Post(world)
    isolate(world, "n3")
    post.only_candidate("n1")
    return world, post, post.catch(*held)


def test_02_a_delayed_vote_reply_of_an_older_term_is_ignored():
    """The answer to a candidate's first election comes when it is in its second: it is no vote in that."""
    world, post, replies = candidate_of_a_second_term(VoteReply)
    world.until(lambda: replies.caught, ELECTION_S, "n2's vote")
    requests = post.catch(VoteRequest)
    world.until(lambda: requests.caught, ELECTION_S, "another election")
    candidate, old = world.process("n1"), replies.caught[0]
    assert candidate.raft.role is Role.CANDIDATE
    assert old.message.granted
    assert old.message.term < candidate.raft.current_term
    post.deliver(old)
    world.run(0.01)
    assert candidate.raft.role is Role.CANDIDATE
    assert list(candidate.raft.votes) == ["n1"]
    assert world.process("n2").raft.current_term < candidate.raft.current_term, "n2 has voted in the old term only"
    check(world)


def test_02_a_delayed_pre_vote_reply_of_an_older_term_is_ignored():
    """The same with the answer to a pre-vote that was held before an election which came to nothing."""
    world, post, _ = candidate_of_a_second_term(VoteReply)
    world.until(lambda: world.process("n1").raft.role is Role.CANDIDATE, ELECTION_S, "an election")
    old = post.letters(PreVoteReply, source="n2")[-1]
    requests = post.catch(PreVoteRequest, source="n1")
    world.until(lambda: requests.caught, ELECTION_S, "another pre-vote")
    candidate = world.process("n1").raft
    assert old.message.granted
    assert old.message.term == candidate.current_term, "a pre-vote names the term that it is about to begin"
    post.deliver(old)
    world.run(0.01)
    assert (candidate.role, candidate.current_term) == (Role.PRE_CANDIDATE, old.message.term)
    check(world)


# 3


def figure_8():
    """The paper's figure 8 up to (c): entries of term 2 are on a majority, under a leader of term 4.

    Returns the world, its post, the index of the newest of those entries, their two writes, and the rule that keeps the
    leader's entries of its own term.
    """
    world = world_of(5)
    first = elect(world, "n1")
    old_term = first.raft.current_term
    post = Post(world)
    # (a) n1 leads. It has two entries; the first of them gets to n2, too.
    appends = post.catch(AppendEntries, source="n1", where=lambda letter: letter.target != "n2")
    one = world.clients.put("one", "n1")
    world.run(0.02)
    appends_2 = post.catch(AppendEntries, source="n1")
    two = world.clients.put("two", "n1")
    world.run(0.02)
    newest = first.raft.log.last_index
    assert [process.raft.log.last_index for process in world.up] == [newest, newest - 1, *[newest - 2] * 3]
    # (b) n1 crashes. n5 leads with the votes of n3 and n4, and has another entry there.
    world.kill("n1")
    post.release(appends, appends_2)
    others_wait = post.only_candidate("n5")
    nothing_of_n5 = post.catch(AppendEntries, source="n5")
    world.until(lambda: leads(world.process("n5")), ELECTION_S, "n5 leads")
    world.run(0.02)
    assert world.process("n5").raft.log.term_at(newest - 1) > old_term
    # (c) n5 crashes. n1 is back, leads, and goes on: its old entries get to n2 and n3, none of its own term does.
    world.kill("n5")
    post.release(others_wait, nothing_of_n5)
    post.only_candidate("n1")
    leader = world.start("n1")
    leader.raft.settings = evolve(leader.raft.settings, max_append_bytes=1)  # each entry in a message of its own
    post.catch(AppendEntries, target="n4")
    probed = {}  # the first message finds out that the target lacks what comes before

    def is_of_its_own_term(letter):
        terms = [entry.term for entry in letter.message.entries]
        return terms[-1:] == [leader.raft.current_term] and probed.setdefault(letter.target, letter) is not letter

    own = post.catch(AppendEntries, source="n1", where=is_of_its_own_term)
    world.until(
        lambda: leads(leader) and all(leader.raft.progress[name].match_index == newest for name in ("n2", "n3")),
        ELECTION_S,
        "n1 knows that its old entries are on a majority",
    )
    holders = [process.node_id for process in world.up if process.raft.log.term_at(newest) == old_term]
    assert holders == ["n1", "n2", "n3"]
    return world, post, newest, (one, two), own


def test_03_figure_8_an_entry_of_an_older_term_is_not_committed_by_counting():
    """Entries of term 2 on three of five servers are not committed; indeed another leader replaces them (case d)."""
    world, post, newest, writes, _ = figure_8()
    leader = leader_of(world)
    world.run(1)
    assert leads(leader)
    assert [process.raft.commit_index for process in world.up if process.raft.commit_index >= newest - 1] == []
    world.kill("n1")
    post.release()
    post.only_candidate("n5")
    world.start("n5")
    world.until(lambda: world.leader is not None and world.leader.node_id == "n5", ELECTION_S, "n5 leads")
    settle(world)
    new_terms = {process.raft.log.term_at(newest) for process in world.up}
    assert new_terms.isdisjoint({None, leader.raft.log.term_at(newest)}), "the old entries are gone everywhere"
    check(world)
    assert [write.status for write in writes] == ["unknown", "unknown"]
    assert (read(world, "one"), read(world, "two")) == (0, 0)


def test_03_figure_8_older_entries_commit_with_the_first_one_of_the_leaders_own_term():
    """Case (e): once an entry of term 4 is on a majority, all before it are committed; older terms do not stop the scan."""
    world, post, newest, writes, own = figure_8()
    leader = leader_of(world)
    post.release(own)
    world.until(lambda: leader.raft.commit_index > newest, 1, "n1 commits an entry of its own")
    assert leader.raft.log.term_at(newest) < leader.raft.log.term_at(newest + 1) == leader.raft.current_term
    world.kill("n1")
    post.release()
    world.start("n5")
    world.run(2)
    assert leader_of(world).node_id != "n5", "which lacks what is committed"
    check(world)
    assert (read(world, "one"), read(world, "two")) == (writes[0].number, writes[1].number)


# 4


LINKS_OF_N3 = {
    "deaf": [("n1", "n3"), ("n2", "n3")],
    "mute": [("n3", "n1"), ("n3", "n2")],
    "deaf and mute": [("n1", "n3"), ("n2", "n3"), ("n3", "n1"), ("n3", "n2")],
    "without the leader": [("n1", "n3"), ("n3", "n1")],
}


@pytest.mark.parametrize("way", LINKS_OF_N3)
@pytest.mark.parametrize("is_behind", [True, False])
def test_04_an_isolated_follower_comes_back_without_a_new_term_or_another_leader(way, is_behind):
    """A follower hears nobody, or is not heard, for many election timeouts, and wants to lead. Nobody else notices.

    Its log may be as good as any: those who hear the leader refuse it all the same.
    """
    world = world_of()
    leader = elect(world, "n1")
    term = leader.raft.current_term
    follower = world.process("n3").raft
    for pair in LINKS_OF_N3[way]:
        world.network.cut(*pair)
    world.until(lambda: follower.role is Role.PRE_CANDIDATE, 10, "n3 wants to lead")
    if is_behind:
        write(world)
    world.run(3)
    assert follower.role is Role.PRE_CANDIDATE
    assert (follower.log.last_index < leader.raft.log.last_index) == is_behind
    for pair in LINKS_OF_N3[way]:
        world.network.mend(*pair)
    world.until(lambda: follower.commit_index == leader.raft.commit_index, ELECTION_S, "n3 catches up")
    world.run(3)
    assert {process.raft.current_term for process in world.up} == {term}
    assert leads(leader)
    assert follower.leader_id == "n1"
    check(world)


# 5


def test_05_pre_vote_with_mixed_terms_and_a_restarted_laggard_still_elects():
    """Of two that are left, one has the newer log and the older term. It must learn of the newer term, or none could lead.

    The laggard has been a candidate several times, each time with everybody's pre-vote and nobody's vote.
    """
    world = world_of()
    elect(world, "n2")
    post = Post(world)
    world.kill("n2")
    post.only_candidate("n3")
    post.catch(VoteRequest)
    laggard = world.process("n3")
    old_term = world.process("n1").raft.current_term
    world.until(lambda: laggard.raft.current_term >= old_term + 3, 2 * ELECTION_S, "n3 is a candidate three times")
    assert world.process("n1").raft.current_term == old_term
    world.kill("n3")
    post.release()
    world.start("n2")
    settle(world)
    write(world, "not on n3")
    elect(world, "n2")
    world.kill("n2")
    laggard = world.start("n3")
    rest = world.process("n1")
    assert laggard.raft.current_term > rest.raft.current_term
    assert laggard.raft.log.last_index < rest.raft.log.last_index
    world.until(lambda: leads(rest), ELECTION_S, "n1 leads")
    write(world)
    check(world)


# 6


def test_06_a_leader_that_loses_its_quorum_steps_down_within_an_election_timeout():
    """The leader is cut off. It stops within one election timeout; what it is asked from then on is refused (503)."""
    world = world_of()
    old = elect(world, "n1")
    isolate(world, "n1")
    unsure = ask(old, lambda: old.node.propose(world.clients.put("k", "n1").command(), 1.5))
    took_s = world.until(lambda: not leads(old), 10, "n1 steps down")
    lowest_s, highest_s = (limit / 1000 for limit in world.settings.election_timeout_ms)
    assert lowest_s - 0.1 < took_s < highest_s
    assert old.raft.leader_id is None
    refused = world.clients.put("k", "n1")
    late = ask(old, lambda: old.node.propose(refused.command(), 1.5))
    world.until(lambda: late.is_there and refused.is_settled, 2, "the answers")
    assert isinstance(late.error, NotLeader)
    assert late.error.leader is None
    assert refused.status == "refused"
    response = Sites(world).ask("n1", "PUT", "/kv/web", b"x")
    assert (response.code, response.problem) == (503, "no_leader")
    assert unsure.result is None, "what came just before has no outcome here"
    rejoin(world, "n1")
    check(world)


def test_06_a_leader_with_half_of_four_steps_down_too():
    """Two of four is no majority: a leader that still hears one follower stops all the same."""
    world = world_of(4)
    old = elect(world, "n1")
    for near, far in itertools.product(("n1", "n2"), ("n3", "n4")):
        world.network.cut(near, far)
        world.network.cut(far, near)
    post = Post(world)
    world.until(lambda: not leads(old), world.settings.election_timeout_s, "n1 steps down")
    assert post.letters(HeartbeatReply, source="n2", target="n1"), "n2 was there all the time"
    world.run(2)
    assert not any(leads(process) for process in world.up)
    check(world)


# 7

LINKS = list(itertools.permutations(("n1", "n2", "n3"), 2))

SERVES_WITHIN_S = 5.0


def is_served_under(cuts, has_leader):
    """Cut links, under n1 or before anybody leads, and ask all nodes for writes; return whether one is answered in time."""
    world = world_of()
    if has_leader:
        elect(world, "n1")
    for pair in cuts:
        world.network.cut(*pair)
    end = world.clock.rightNow + SERVES_WITHIN_S
    is_served = False
    calls = []
    while world.clock.rightNow < end and not is_served:
        calls += [world.clients.put(f"k{len(calls)}-{name}", name) for name in sorted(world.machines)]
        world.run(0.25)
        is_served = any(call.status == "done" for call in calls)
    check(world)
    return is_served


@pytest.mark.parametrize("has_leader", [True, False])
def test_07_all_64_link_patterns_of_three_nodes(has_leader):
    """Each of six links is up or cut. A write is answered within 5 s exactly when two nodes hear each other both ways."""
    for up in itertools.product((True, False), repeat=len(LINKS)):
        cuts = [pair for pair, is_up in zip(LINKS, up, strict=True) if not is_up]
        has_pair = any((a, b) not in cuts and (b, a) not in cuts for a, b in LINKS)
        assert is_served_under(cuts, has_leader) == has_pair, cuts
