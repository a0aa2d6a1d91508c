"""Scenarios 25 to 28, 30, 31 and 36: members come and go, and leadership is handed over."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from minicloud.node.errors import ChangeInProgress, ProposalLost, TransferFailed
from minicloud.node.status import JoinRequest
from minicloud.raft.entries import EntryKind
from minicloud.raft.messages import AppendEntries, AppendReply, TimeoutNow, VoteReply
from minicloud.web.problems import explain
from tests.sim.process import Process
from tests.sim.scenarios.stage import (
    ELECTION_S,
    Answer,
    Letter,
    Post,
    answered,
    ask,
    check,
    elect,
    isolate,
    leader_of,
    leads,
    others,
    rejoin,
    settle,
    world_of,
    write,
)
from tests.sim.world import World

ELECTION_TIMEOUT_S = 0.25
"""The shortest one, by the settings of the simulation."""


def start(**settings: Any) -> tuple[World, Post, Process]:
    """Return a cluster, its post office, and its leader."""
    world = world_of(**settings)
    return world, Post(world), elect(world)


def join(world: World, node_id: str, voter: bool = True) -> Answer:
    """Ask the leader once to take a new node in, whether or not that one runs."""
    machine = world.machines[node_id]
    instance_id = machine.process.instance_id if machine.process is not None else ""
    request = JoinRequest(node_id, machine.raft_addr, machine.http_addr, voter, instance_id)
    leader = leader_of(world)
    return ask(leader, lambda: leader.node.join(request, 10.0))


def remove(leader: Process, node_id: str, timeout_s: float = 10.0) -> Answer:
    """Ask a leader to remove a member, whoever is healthy."""
    return ask(leader, lambda: leader.node.remove(node_id, True, timeout_s))


def granted(world: World, answer: Answer) -> None:
    """Wait until a change is committed."""
    world.until(lambda: answer.is_there, ELECTION_S, "the change is answered")
    assert answer.error is None


def add(world: World, node_id: str) -> Process:
    """Start a new node, and have it let in, to become a voter."""
    world.add_machine(node_id)
    process = world.start(node_id)
    assert process is not None
    granted(world, join(world, node_id))
    return process


def pending(process: Process) -> list[int]:
    """Return the indexes of the configurations in a log that are not committed, as far as that process knows."""
    return [index for index, _ in process.raft.log._configurations if index > process.raft.commit_index]


# 25


def test_25_a_new_leader_refuses_configuration_changes_until_it_has_committed_in_its_term():
    """The bug in single-server changes that Ongaro corrected in July 2015, step by step. S1 makes n5 a voter, which only
    n5 hears of. S2 is elected by S3 and S4, and is asked to remove S1, while S4 has nothing of its term. If it did so at
    once, S2 and S3 would be a majority of the new configuration, and S1, S4 and n5 one of the other."""
    world, post, s1 = start(voters=4)
    s2, s3, s4 = (world.process(name) for name in others(world, s1.node_id))
    to_n5 = post.catch(AppendEntries, target="n5")
    add(world, "n5")
    settle_without(world, "n5")
    post.catch(AppendEntries, source=s1.node_id, where=lambda letter: letter.target != "n5")
    to_n5.end()
    world.until(lambda: world.process("n5").raft.configuration.is_voter("n5"), ELECTION_S, "n5 knows it is a voter")
    assert pending(s1)
    isolate(world, s1.node_id)
    isolate(world, "n5")
    post.only_candidate(s2.node_id)
    to_s4 = post.catch(AppendEntries, source=s2.node_id, target=s4.node_id)
    world.until(lambda: leads(s2), ELECTION_S, "S2 leads")

    too_early = remove(s2, s1.node_id, timeout_s=0.5)
    world.until(lambda: too_early.is_there, ELECTION_S, "S2 answers")
    assert isinstance(too_early.error, ChangeInProgress)
    assert s2.raft.commit_index < s2.raft.term_start_index
    assert s2.raft.log.last_term == s3.raft.log.last_term == s2.raft.current_term
    assert s2.raft.configuration_index < s2.raft.term_start_index

    to_s4.end()
    world.until(lambda: s2.raft.commit_index >= s2.raft.term_start_index, ELECTION_S, "S2 commits in its term")
    granted(world, remove(s2, s1.node_id))
    post.release()
    rejoin(world, s1.node_id)
    rejoin(world, "n5")
    check(world)
    assert world.configuration.get(s1.node_id) is None


def settle_without(world: World, node_id: str) -> None:
    """Wait until all but one have the whole log of the leader."""
    leader = leader_of(world)
    names = others(world, node_id)
    world.until(
        lambda: {world.process(name).raft.commit_index for name in names} == {leader.raft.log.last_index},
        ELECTION_S,
        "all others have everything",
    )


# 26


def test_26_a_second_change_while_one_is_pending_is_refused():
    """A leader is asked to remove a member, and cannot commit that. A second change waits for a moment, then gets 409. When
    the first one is committed, it goes through."""
    world, post, leader = start()
    one, other = others(world, leader.node_id)
    replies = post.catch(AppendReply, target=leader.node_id)
    first = remove(leader, one)
    world.add_machine("n4")
    world.start("n4")
    second = join(world, "n4")
    world.until(lambda: second.is_there, ELECTION_S, "the second change is answered")
    assert isinstance(second.error, ChangeInProgress)
    problem = explain(second.error)
    assert problem is not None
    assert problem.status == 409
    assert not first.is_there
    assert pending(leader) == [leader.raft.configuration_index]
    assert leader.raft.configuration.get("n4") is None
    replies.end()
    granted(world, first)
    granted(world, join(world, "n4"))
    check(world)
    assert world.configuration.get(one) is None
    assert world.configuration.get(other) is not None


# 27


def test_27_an_uncommitted_configuration_counts_at_once():
    """Of two voters, one gets no entries any more. A third node becomes a voter: with it, the leader is a majority of the
    new configuration, and commits that, which in the old one it could not."""
    world, post, leader = start(voters=2)
    (silent,) = others(world, leader.node_id)
    to_new = post.catch(AppendEntries, target="n3")
    add(world, "n3")
    settle_without(world, "n3")
    post.catch(AppendEntries, target=silent)
    to_new.end()
    while not leader.raft.configuration.is_voter("n3"):
        world.step()
    index = leader.raft.configuration_index
    assert pending(leader) == [index]
    world.until(lambda: leader.raft.commit_index >= index, ELECTION_S, "that is committed")
    assert world.process(silent).raft.log.last_index < index
    write(world)
    check(world)


def test_27_an_uncommitted_configuration_is_rolled_back_by_truncation():
    """A leader removes a member, and is cut off before anybody hears of it. The others elect another leader, whose entries
    take the place of that change: the old leader knows the member again, and counts on it."""
    world, post, old = start()
    removed, third = others(world, old.node_id)
    before = old.raft.configuration
    post.catch(AppendEntries, source=old.node_id)
    answer = remove(old, removed)
    isolate(world, old.node_id)
    assert old.raft.configuration == before.without(removed)
    assert old.raft.committed_configuration[1] == before
    world.until(lambda: world.leader not in (None, old), ELECTION_S, "another one leads")
    write(world)
    post.release()
    rejoin(world, old.node_id)
    settle(world)
    assert isinstance(answer.error, ProposalLost)
    assert old.raft.configuration == before
    old = world.restart(old.node_id)
    assert old.raft.configuration == before
    world.kill(third)
    elect(world)
    assert {process.node_id for process in world.up} == {old.node_id, removed}
    write(world)
    check(world)


def test_27_a_join_that_was_asked_for_before_is_not_granted_where_another_leader_has_replaced_it():
    """A leader takes a new node in, and is cut off before anybody hears of it. Asked for the same again, it has nothing to
    change, and waits until that is committed. Another leader's entries take its place: neither request is granted."""
    world, post, old = start()
    world.add_machine("n4")
    post.catch(AppendEntries, source=old.node_id)
    first, second = join(world, "n4"), join(world, "n4")
    isolate(world, old.node_id)
    assert old.raft.configuration.get("n4") is not None
    world.until(lambda: world.leader not in (None, old), ELECTION_S, "another one leads")
    for _ in range(3):
        write(world)
    post.release()
    rejoin(world, old.node_id)
    settle(world)
    world.run(0.1)
    assert isinstance(first.error, ProposalLost)
    assert isinstance(second.error, ProposalLost)
    assert world.configuration.get("n4") is None
    check(world)


# 28


def test_28_a_leader_that_removes_itself_commits_without_counting_itself_and_steps_down():
    """Of three voters, the leader removes itself: now both others must have that entry. While one of them lacks it, the
    leader goes on, and commits nothing. Then it steps down, and somebody else leads within a moment."""
    world, post, old = start()
    one, other = others(world, old.node_id)
    held = post.catch(AppendEntries, target=other)
    answer = remove(old, old.node_id)
    term, index = old.raft.current_term, old.raft.configuration_index
    world.until(lambda: old.raft.progress[one].match_index >= index, ELECTION_S, "one other voter has it")
    world.run(1.0)
    assert leads(old)
    assert old.raft.current_term == term
    assert old.raft.commit_index < index
    assert not answer.is_there
    held.end()
    granted(world, answer)
    assert not leads(old)
    assert world.until(lambda: world.leader is not None, ELECTION_S, "somebody else leads") < ELECTION_TIMEOUT_S
    new = leader_of(world)
    assert new.raft.current_term == term + 1
    write(world)
    world.run(2.0)
    assert old.node.status().state == "Removed"
    assert (leader_of(world), new.raft.current_term) == (new, term + 1), "who is removed disturbs nobody"
    check(world)


# 30


def test_30_an_unreachable_joiner_does_not_touch_the_quorum():
    """A node is let in that nobody can reach. Two of the three voters are still a majority, and it never becomes a voter."""
    world, _, leader = start()
    world.add_machine("n4")
    term = leader.raft.current_term
    granted(world, join(world, "n4"))
    assert leader.raft.configuration.get("n4") is not None
    world.kill(others(world, leader.node_id)[0])
    write(world)
    world.run(ELECTION_S)
    write(world)
    assert leader_of(world) is leader
    assert leader.raft.current_term == term
    assert leader.raft.configuration.quorum == 2
    assert not leader.raft.configuration.is_voter("n4")
    check(world)


def test_30_a_joiner_is_promoted_only_when_it_has_caught_up():
    """A new node hears its leader, but gets no entries: it is no voter. Then it gets them, and each acknowledgement takes
    longer than an election timeout, while clients write on: it is still none. When it is quick, it becomes one."""
    world, post, leader = start(snapshot_entries=1000)
    to_new = post.catch(AppendEntries, target="n4")
    new = add(world, "n4")
    write_on(world, 2.0)
    assert leader.raft.is_active("n4")
    assert not leader.raft.configuration.is_voter("n4")
    to_new.end()
    world.network.script = lambda source, _, message: (
        0.4 if source == "n4" and isinstance(message, AppendReply) else 0.0
    )
    write_on(world, 2.0)
    assert leader.raft.progress["n4"].match_index > 100, "it gets the log"
    assert new.raft.log.last_index > leader.raft.progress["n4"].match_index
    assert not leader.raft.configuration.is_voter("n4")
    world.network.script = None
    write_on(world, 1.0)
    assert leader.raft.configuration.is_voter("n4")
    check(world)


def test_30_a_repeated_join_of_a_node_with_new_data_does_not_remove_it_again():
    """A node whose data was lost joins, and asks twice, since a handover keeps both requests waiting. The first one takes
    the old data out and the new data in, and is answered. From then on the node is a member: the second one finds that all
    is done."""
    world, post, leader = start()
    lost, other = others(world, leader.node_id)
    world.kill(lost)
    world.machines[lost].disk.wiped()
    new = world.start(lost)
    world.run(0.3)
    post.catch(TimeoutNow)
    handover = ask(leader, lambda: leader.node.transfer(other, 2.0))
    first, second = join(world, lost), join(world, lost)
    granted(world, first)
    while not second.is_there or not handover.is_there:
        member = leader.raft.committed_configuration[1].get(lost)
        assert member is not None and member.instance_id == new.instance_id
        world.run(0.001)
    assert second.error is None
    world.until(lambda: world.configuration.is_voter(lost), ELECTION_S, "it has caught up")
    check(world)


def write_on(world: World, seconds: float) -> None:
    """Let clients write all the time."""
    end = world.clock.rightNow + seconds
    while world.clock.rightNow < end:
        world.clients.put("k", leader_of(world).node_id)
        world.run(0.01)


# 31


def test_31_a_promoted_learner_that_does_not_know_it_yet_still_votes():
    """Of two voters and a learner, the leader makes the learner a voter. It dies before the learner hears of that. The
    other voter needs the vote of the third, which takes itself for a learner."""
    world, post, leader = start(voters=2)
    (follower,) = (world.process(name) for name in others(world, leader.node_id))
    promotion = post.catch(AppendEntries, target="n3", where=promotes_n3)
    learner = add(world, "n3")
    world.until(lambda: world.configuration.is_voter("n3"), ELECTION_S, "n3 is a voter")
    world.kill(leader.node_id)
    world.until(lambda: leads(follower), ELECTION_S, "the other voter leads")
    assert promotion.caught
    assert not learner.raft.configuration.is_voter("n3")
    votes = post.letters(VoteReply, source="n3", target=follower.node_id)
    assert [vote.message.granted for vote in votes] == [True]
    promotion.end()
    write(world)
    assert learner.raft.configuration.is_voter("n3")
    check(world)


def promotes_n3(letter: Letter) -> bool:
    configurations = [entry.configuration for entry in letter.message.entries if entry.kind is EntryKind.CONFIGURATION]
    return any(configuration.is_voter("n3") for configuration in configurations)


# 36


def test_36_a_leadership_transfer_leaves_a_short_gap_in_writes():
    """Clients write all the time through the node that leads, while leadership goes to another one. All writes are answered,
    and no two answers are further apart than a fraction of an election timeout."""
    world, _, old = start()
    target = others(world, old.node_id)[0]
    term = old.raft.current_term
    calls, answers = [], [world.clock.rightNow]
    transfer = None
    for turn in range(400):
        if turn % 10 == 0:
            calls.append(world.clients.put("k", old.node_id))
        if turn == 100:
            transfer = ask(old, lambda: old.node.transfer(target, 2.0))
        before = sum(call.status == "done" for call in calls)
        world.run(0.001)
        if sum(call.status == "done" for call in calls) > before:
            answers.append(world.clock.rightNow)
    assert transfer.is_there
    assert transfer.error is None
    assert (leader_of(world).node_id, leader_of(world).raft.current_term) == (target, term + 1)
    for call in calls:
        answered(world, call)
    gaps = [later - earlier for earlier, later in itertools.pairwise(answers)]
    assert max(gaps) < ELECTION_TIMEOUT_S / 4
    check(world)


@pytest.mark.parametrize("what", [TimeoutNow, AppendEntries])
def test_36_a_leadership_transfer_is_given_up_after_one_election_timeout(what):
    """The node that shall lead is never told so, or cannot get the entries that it needs first. Writes wait meanwhile; after
    one election timeout the old leader takes them again, in its old term."""
    world, post, leader = start()
    target = others(world, leader.node_id)[0]
    post.catch(what, target=target)
    write(world)
    term, began = leader.raft.current_term, world.clock.rightNow
    transfer = ask(leader, lambda: leader.node.transfer(target, 5.0))
    held = world.clients.put("k", leader.node_id)
    world.run(0.8 * ELECTION_TIMEOUT_S)
    assert not held.is_settled
    assert not transfer.is_there
    answered(world, held)
    assert world.clock.rightNow - began < 1.2 * ELECTION_TIMEOUT_S
    world.until(lambda: transfer.is_there, ELECTION_S, "the transfer is answered")
    assert isinstance(transfer.error, TransferFailed)
    assert transfer.error.timed_out
    assert leads(leader)
    assert leader.raft.current_term == term
    check(world)
