"""Scenarios 11 to 15 and 17: what clients are told, and when."""

from __future__ import annotations

import pytest
from attrs import evolve

from minicloud.raft.entries import EntryKind
from minicloud.raft.messages import (
    AppendEntries,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    ReadIndexReply,
    ReadIndexRequest,
)
from minicloud.raft.role import Role
from minicloud.wire.commands import decode_command
from tests.sim.scenarios.sites import Sites
from tests.sim.scenarios.stage import (
    ELECTION_S,
    Post,
    answered,
    check,
    elect,
    leader_of,
    leads,
    settle,
    world_of,
    write,
)

# 11


def leader_whose_no_op_waits():
    """n2 leads and has committed nothing yet. It does not know that an answered write of n1's time is committed.

    Returns the world, the old write and the new one, and the rule that keeps n2's no-op from the others.
    """
    world = world_of()
    elect(world, "n1")
    old = write(world)
    settle(world)
    post = Post(world)
    post.catch(Heartbeat, source="n1")
    new = write(world)
    world.kill("n1")
    post.only_candidate("n2")
    no_op = post.catch(AppendEntries, source="n2")
    leader = world.process("n2")
    world.until(lambda: leads(leader), ELECTION_S, "n2 leads")
    assert old.revision <= leader.raft.commit_index < new.revision < leader.raft.term_start_index
    return world, old, new, no_op


def test_11_a_read_before_the_new_leaders_no_op_commits_waits():
    """Its commit index may be old by then, so that a read would miss an answered write. On a follower it is the same."""
    world, old, new, no_op = leader_whose_no_op_waits()
    reads = [world.clients.get("k", via) for via in ("n2", "n3")]
    world.run(0.4)
    assert leads(world.process("n2")), "a majority confirms that all the time"
    assert world.store("n2").get("k").revision == old.revision, "which is what would be read"
    assert [call.status for call in reads] == ["under way", "under way"]
    no_op.end()
    assert [answered(world, call).value for call in reads] == [new.number, new.number]
    check(world)


def test_11_a_read_is_refused_where_the_no_op_does_not_commit_in_time():
    """The same, and the no-op never gets through: whoever reads is told that it did not work."""
    world, _, _, _ = leader_whose_no_op_waits()
    reads = [world.clients.get("k", via) for via in ("n2", "n3")]
    world.until(lambda: all(call.is_settled for call in reads), 3, "answers")
    assert leader_of(world).raft.commit_index < leader_of(world).raft.term_start_index
    assert [call.status for call in reads] == ["refused", "refused"]
    check(world)


# 12


def test_12_a_retried_read_index_takes_a_fresh_index():
    """The leader's answer to a follower's read is late, so the follower asks again; another read waits by then, too.

    The old answer is of no use to either, since a write was answered meanwhile.
    """
    world = world_of()
    elect(world, "n1")
    one = write(world)
    settle(world)
    post = Post(world)
    replies = post.catch(ReadIndexReply, target="n2")
    behind = post.catch(AppendEntries, target="n2")
    first = world.clients.get("k", "n2")
    world.until(lambda: replies.caught, 0.1, "the first answer")
    late = replies.caught[0]
    two = write(world)
    second = world.clients.get("k", "n2")
    world.until(lambda: len(replies.caught) == 3, 1, "an answer to the second read, and one to the first asked anew")
    assert world.store("n2").applied_index == one.revision == late.message.read_index < two.revision
    post.deliver(late)
    world.run(0.02)
    assert [first.status, second.status] == ["under way", "under way"]
    assert all(letter.message.read_index >= two.revision for letter in replies.caught[1:])
    ids = [letter.message.request_id for letter in post.letters(ReadIndexRequest, source="n2")]
    assert len(set(ids)) == len(ids) >= 3
    post.release(replies, behind)
    assert [answered(world, call).value for call in (first, second)] == [two.number, two.number]
    check(world)


# 13


def deposed_leader():
    """n1 slept while n2 was elected and a write was answered. It is awake again and knows nothing of that.

    It has a read from before that write and one from after it. Returns the world, its post, the two writes, the two reads,
    and what others have said to n1: the echoes of the round that confirms the first read, and the rule that keeps the rest.
    """
    world = world_of()
    old = elect(world, "n1")
    one = write(world)
    settle(world)
    post = Post(world)
    echoes = post.catch(HeartbeatReply, AppendReply, target="n1")
    early = world.clients.get("k", "n1")
    world.until(lambda: len(echoes.caught) == 2, 0.1, "the echoes")
    assert old.raft.reads.pending
    echoes.end()
    rest = post.catch(target="n1")
    old.stop_acting()
    post.only_candidate("n2")
    world.until(lambda: leads(world.process("n2")), ELECTION_S, "n2 leads")
    two = write(world, via="n2")
    old.act_again()
    late = world.clients.get("k", "n1")
    world.run(0.02)
    assert leads(old)
    assert [read.round for read in old.raft.reads.pending][:2] == [1, 0]
    assert world.store("n1").get("k").revision == one.revision
    return world, post, (one, two), (early, late), echoes.caught, rest


def test_13_a_deposed_leader_with_waiting_reads_answers_none_of_them():
    """It learns of the new term first, then gets the echoes of its own. Both reads are answered by way of the new leader."""
    world, post, (_, two), reads, echoes, rest = deposed_leader()
    old = world.process("n1")
    news = next(letter for letter in rest.caught if isinstance(letter.message, AppendEntries) and letter.source == "n2")
    post.deliver(news)
    world.run(0.005)
    assert old.raft.role is Role.FOLLOWER
    for letter in echoes:
        post.deliver(letter)
    world.run(0.1)
    assert [call.status for call in reads] == ["under way", "under way"]
    post.release(rest)
    assert [answered(world, call).value for call in reads] == [two.number, two.number]
    check(world)


def test_13_the_echoes_of_a_round_confirm_no_read_that_came_after_it_began():
    """It gets the echoes of its own term first: they prove nothing for a read that came later, or was asked for anew since."""
    world, post, (_, two), reads, echoes, rest = deposed_leader()
    old = world.process("n1").raft
    for letter in echoes:
        post.deliver(letter)
    world.run(0.01)
    assert leads(world.process("n1"))
    assert old.reads.confirmed_round == 1, "the echoes count"
    assert [call.status for call in reads] == ["under way", "under way"]
    post.release(rest)
    assert [answered(world, call).value for call in reads] == [two.number, two.number]
    check(world)


# 14


def test_14_a_restarted_node_does_not_read_while_it_replays():
    """A follower has its log back, but not its store: it hears only later what of the log is committed. Reads wait for that."""
    world = world_of(snapshot_entries=1000)
    elect(world, "n1")
    last = [write(world) for _ in range(5)][-1]
    settle(world)
    world.kill("n2")
    elect(world, "n3")  # a new leader does not know how far the logs agree
    post = Post(world)
    appends = post.catch(AppendEntries, target="n2")
    restarted = world.start("n2")
    reads = [world.clients.get("k", "n2"), world.clients.get("k", "n2", min_revision=last.revision)]
    seen = world.clients.get("k", "n2", stale=True)
    world.until(lambda: post.letters(ReadIndexReply, target="n2"), 1, "the leader confirms the read")
    world.run(0.2)
    assert restarted.raft.log.last_index >= last.revision > restarted.node.store.applied_index
    assert answered(world, seen).value == 0, "which is what would be read"
    assert [call.status for call in reads] == ["under way", "under way"]
    appends.end()
    assert [answered(world, call).value for call in reads] == [last.number, last.number]
    check(world)


@pytest.mark.parametrize("voters", [1, 3])
def test_14_a_cluster_that_restarts_reads_what_it_had(voters):
    """All nodes lose power at once and come back; each is asked at once, and replays entry by entry."""
    world = world_of(voters, snapshot_entries=1000)
    elect(world)
    last = [write(world) for _ in range(30)][-1]
    settle(world)
    names = sorted(world.machines)
    for name in names:
        world.cut_power(name)
    for name in names:
        process = world.start(name)
        process.raft.settings = evolve(process.raft.settings, max_apply_entries=1)
    assert [process.node.store.applied_index for process in world.up] == [0] * voters
    reads = [world.clients.get("k", name) for name in names]
    assert [answered(world, call).value for call in reads] == [last.number] * voters
    check(world)


# 15


def commands_for(world, key):
    """Return all commands for a key in the leader's log."""
    log = leader_of(world).raft.log
    entries = log.between(log.first_index, log.last_index)
    commands = [decode_command(entry.data) for entry in entries if entry.kind is EntryKind.COMMAND]
    return [command for command in commands if command.key == key]


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("is_reset", [True, False])
def test_15_the_lost_reply_to_a_forwarded_write_leaves_its_outcome_unknown_and_it_is_sent_once(method, is_reset):
    """A follower forwards a write; the leader does it; its reply is lost with the connection, or just does not come.

    The connection was used before, so Twisted would send a DELETE again by itself.
    """
    world = world_of(snapshot_entries=1000)
    elect(world, "n1")
    sites = Sites(world, forward_writes=True)
    assert sites.ask("n2", "PUT", "/kv/web", b"first").code == 200
    sites.loses_answers = True
    connection = sites.send("n2", method, "/kv/web?timeout=1s", b"x" if method == "PUT" else None)
    for _ in range(50):
        sites.turn()
    done = commands_for(world, "web")
    assert len(done) == 2
    assert leader_of(world).raft.last_applied == leader_of(world).raft.log.last_index, "the leader has done it"
    if is_reset:
        sites.network.pumps[0].serverIO.loseConnection()
    response = connection.answer(turns=5000)
    assert (response.code, response.problem, response.json["retryable"]) == (504, "outcome_unknown", False)
    sites.loses_answers = False
    for _ in range(500):
        sites.turn()
    assert commands_for(world, "web") == done
    assert sites.network.dialled == ["n1:9001"]
    check(world)


# 17


def test_17_of_two_nodes_that_each_believe_that_the_other_leads_the_second_refuses():
    """n1 forwards to n2, which leads. Leadership goes to n1 while the request is under way: n2 does not send it back."""
    world = world_of(snapshot_entries=1000)
    elect(world, "n2")
    sites = Sites(world, forward_writes=True)
    connection = sites.send("n1", "PUT", "/kv/web", b"x")
    assert world.process("n1").raft.leader_id == "n2"
    elect(world, "n1")
    assert world.process("n2").raft.leader_id == "n1"
    assert connection.responses == [], "it is still under way"
    response = connection.answer()
    assert (response.code, response.problem, response.json["retryable"]) == (503, "not_leader", True)
    assert (response["Minicloud-Node"], response["Minicloud-Forwarded-By"]) == ("n2", "n1")
    assert sites.network.dialled == ["n2:9001"], "one hop"
    assert commands_for(world, "web") == []
    check(world)
