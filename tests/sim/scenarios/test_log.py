"""Scenarios 18 to 20: late, repeated and early messages about the log, and a log that has gone."""

from __future__ import annotations

from random import Random

from attrs import evolve

from minicloud.raft.messages import AppendEntries, AppendReply, Heartbeat, InstallSnapshot
from tests.sim.scenarios.stage import (
    ELECTION_S,
    Letter,
    Post,
    answered,
    check,
    elect,
    is_settled,
    isolate,
    leader_of,
    leads,
    rejoin,
    settle,
    world_of,
    write,
)

# 18


def test_18_delayed_repeated_and_reordered_appends_never_truncate_what_matches():
    """A follower has five entries that are not committed yet, and gets the messages that brought them again, in any order.

    It may have told the leader of the fifth already, so it must not forget it because of a message that ends earlier.
    """
    world = world_of()
    leader = elect(world, "n1")
    world.kill("n3")
    post = Post(world)
    replies = post.catch(AppendReply, source="n2")
    before = leader.raft.log.last_index
    calls = []
    for _ in range(5):
        calls.append(world.clients.put("k", "n1"))
        world.run(0.005)
    world.run(0.01)
    follower = world.process("n2").raft
    old = post.letters(AppendEntries, target="n2")
    assert len({letter.message.prev_log_index for letter in old}) == 5, "an entry each"
    assert follower.commit_index <= before < before + 5 == follower.log.last_index == follower.log.stable_index
    entries = follower.log.between(before + 1, before + 5)
    random = Random(18)
    for _ in range(30):
        post.deliver(random.choice(old))
        assert follower.log.between(before + 1, before + 5) == entries
        assert follower.log.stable_index == before + 5
    world.run(0.01)
    assert follower.commit_index <= before
    assert all(letter.message.success for letter in replies.caught)
    for letter in replies.caught:
        post.deliver(letter)
    replies.end()
    assert [answered(world, call).status for call in calls] == ["done"] * 5
    world.kill("n1")  # n2 alone has what was answered
    post.release()
    world.start("n3")
    world.until(lambda: leads(world.process("n2")), ELECTION_S, "n2 leads")
    check(world)


def test_18_storms_of_late_and_repeated_lines_do_no_harm():
    """Every other line is repeated or overtaken while writes go on; all invariants are looked at after each step."""
    world = world_of(snapshot_entries=1000)
    elect(world)
    world.network.worsen(duplication=0.5, reordering=0.5, late_s=0.1)
    calls = []
    for number in range(60):
        calls.append(world.clients.put(f"k{number % 4}", leader_of(world).node_id if world.leader else "n1"))
        world.run(0.01)
    world.until(lambda: all(call.is_settled for call in calls), 5, "answers")
    counts = world.network.counts
    assert counts.duplicated > 100
    assert counts.reordered > 100
    assert sum(call.status == "done" for call in calls) > 30
    check(world)


# 19


def divergent_follower():
    """n3 led and has three entries that nobody else has. n1 leads now, and has committed others in their place, and more.

    n3 is linked again and hears n1's heartbeats, but none of its entries. Returns the world, its post, the last index at
    which the logs agree, and the rule that keeps the entries.
    """
    world = world_of(snapshot_entries=1000)
    old = elect(world, "n3")
    agreed = old.raft.log.last_index
    isolate(world, "n3")
    post = Post(world)
    lost = [world.clients.put("k", "n3") for _ in range(3)]
    post.only_candidate("n1")
    world.until(lambda: leads(world.process("n1")), ELECTION_S, "n1 leads")
    for _ in range(4):
        write(world, via="n1")
    entries = post.catch(AppendEntries, target="n3")
    sent_before = len(post.sent)
    rejoin(world, "n3")
    world.until(lambda: old.raft.leader_id == "n1", ELECTION_S, "n3 hears n1")
    world.run(0.3)
    heartbeats = [
        item for item in post.sent[sent_before:] if isinstance(item.message, Heartbeat) and item.target == "n3"
    ]
    assert len(heartbeats) >= 5
    assert old.raft.log.last_index == agreed + len(lost) < leader_of(world).raft.commit_index
    assert old.raft.log.term_at(agreed + 1) < leader_of(world).raft.log.term_at(agreed + 1)
    return world, post, agreed, entries


def test_19_a_heartbeat_commits_nothing_that_was_not_verified():
    """The leader has committed further than n3's log goes, and other entries: its heartbeats commit none of n3's own."""
    world, _, agreed, entries = divergent_follower()
    assert world.process("n3").raft.commit_index == agreed
    entries.end()
    world.until(lambda: is_settled(world), ELECTION_S, "n3 has the leader's log")
    check(world)


def test_19_appends_commit_no_further_than_the_last_entry_that_they_verify():
    """An AppendEntries that ends before n3's own entries begin names a commit index beyond them.

    The leader would send it if it did not know how far the logs agree: nothing in it speaks for what n3 has behind.
    """
    world, post, agreed, entries = divergent_follower()
    leader, follower = leader_of(world).raft, world.process("n3").raft
    last = leader.log.between(agreed, agreed)[0]
    before = leader.log.term_at(agreed - 1)
    for verified in ((), (last,)):
        prev_index, prev_term = (agreed, last.term) if not verified else (agreed - 1, before)
        append = AppendEntries(leader.current_term, prev_index, prev_term, verified, leader.commit_index)
        post.deliver(Letter("n1", "n3", append))
        world.run(0.01)
        assert follower.commit_index == agreed
        assert follower.log.last_index == agreed + 3
    entries.end()
    settle(world)
    check(world)


def test_19_a_follower_that_lacks_entries_commits_what_it_has():
    """n3 gets entries one at a time and late, while heartbeats tell of a newer commit index: it commits step by step."""
    world = world_of(snapshot_entries=1000)
    leader = elect(world, "n1")
    leader.raft.settings = evolve(leader.raft.settings, max_append_bytes=1)
    post = Post(world)
    entries = post.catch(AppendEntries, target="n3")
    before = world.process("n3").raft.log.last_index
    last = [write(world) for _ in range(5)][-1]
    follower = world.process("n3").raft
    world.run(0.3)
    assert leader.raft.commit_index >= last.revision
    assert (follower.commit_index, follower.log.last_index) == (before, before)
    by_index = {letter.message.entries[0].index: letter for letter in entries.caught if letter.message.entries}
    for index in range(before + 1, before + 3):
        ahead = evolve(by_index[index].message, commit_index=leader.raft.commit_index, round=0)
        post.deliver(Letter("n1", "n3", ahead))
        world.run(0.01)
        assert (follower.commit_index, follower.log.last_index) == (index, index)
    entries.end()
    settle(world)
    check(world)


# 20


def follower_behind(leads_since_before):
    """n3 was down while the others wrote so much that the entries which it lacks are gone.

    ``leads_since_before``: whether who leads now has known n3 before, or was elected meanwhile.
    """
    world = world_of(snapshot_entries=10, snapshot_trailing_entries=2)
    elect(world, "n1")
    write(world)
    settle(world)
    world.kill("n3")
    for number in range(40):
        write(world, f"k{number % 7}")
    if not leads_since_before:
        elect(world, "n2")
    return world, Post(world)


def check_catch_up(world, post):
    leader = leader_of(world)
    behind = world.start("n3").raft
    has = behind.log.last_index
    assert has < leader.raft.log.base_index
    world.until(lambda: is_settled(world), ELECTION_S, "n3 catches up")
    assert behind.snapshot.index > has
    letters = post.letters(AppendEntries, InstallSnapshot, target="n3")
    kinds = [type(letter.message) for letter in letters]
    first = kinds.index(InstallSnapshot)
    assert world.store("n3").digest() == world.store(leader.node_id).digest()
    return letters[:first], letters[first:]


def test_20_a_follower_behind_the_compacted_log_gets_a_snapshot_and_no_empty_append():
    """The leader knows what n3 lacks and that it is gone: it sends a snapshot at once, then what follows."""
    world, post = follower_behind(leads_since_before=True)
    before, after = check_catch_up(world, post)
    assert before == []
    write(world)
    settle(world)
    assert all(letter.message.entries for letter in after if isinstance(letter.message, AppendEntries))
    check(world)


def test_20_a_new_leader_finds_out_and_sends_a_snapshot():
    """A leader elected meanwhile does not know where n3's log ends. Its probe is refused, and a snapshot follows."""
    world, post = follower_behind(leads_since_before=False)
    before, _ = check_catch_up(world, post)
    leader = leader_of(world).raft
    assert all(letter.message.prev_log_index >= leader.log.base_index for letter in before)
    check(world)
