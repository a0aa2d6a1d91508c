"""Scenarios 39, 42 and 43: disks that fail, tails that are torn, and bytes that change."""

from __future__ import annotations

from bisect import bisect_right

import pytest
from attrs import evolve, frozen
from twisted.logger import globalLogPublisher

from minicloud.raft.messages import AppendReply, InstallSnapshot, InstallSnapshotReply, Message, VoteReply
from minicloud.storage.errors import StorageError, StorageFailed
from minicloud.storage.hard_state import HARD_STATE_FILE
from minicloud.storage.identity import IDENTITY_FILE
from minicloud.storage.memory_files import MemoryFiles
from minicloud.storage.segment import read_header, read_newest_segment
from minicloud.storage.snapshots import snapshot_path
from minicloud.storage.storage import Storage
from tests.sim.process import Process
from tests.sim.scenarios.laggards import SMALL, fall_behind, some_follower
from tests.sim.scenarios.stage import ELECTION_S, Post, check, elect, leader_of, leads, others, settle, world_of, write
from tests.sim.world import World

# 39


def has_ended(process: Process) -> bool:
    """Whether a process has ended because of its disk."""
    return not process.is_up and isinstance(process.failure, StorageFailed)


def test_39_a_leader_whose_fsync_fails_ends_and_answers_nothing():
    """A leader gets EIO when it syncs a write. It ends, and the client is told nothing; the others go on."""
    world = world_of()
    leader = elect(world)
    leader.disk.files.fail_sync()
    call = world.clients.put("k", leader.node_id)
    world.until(lambda: has_ended(leader), ELECTION_S, "the leader ends")
    assert leader.raft.log.last_term == leader.raft.current_term
    assert leader.raft.log.stable_index < leader.raft.log.last_index
    world.until(lambda: call.is_settled, ELECTION_S, "the client gives up")
    assert call.status == "unknown"
    assert elect(world) is not leader
    write(world)
    check(world)


def test_39_a_follower_whose_fsync_fails_ends_and_acknowledges_nothing():
    """Of two voters, the one that follows gets EIO when it syncs an entry. It ends; what it had in memory only, and what a
    power loss takes with it, was not acknowledged, and so not answered."""
    world = world_of(voters=2)
    post, leader = Post(world), elect(world)
    follower = world.process(some_follower(world))
    follower.disk.files.fail_sync()
    sent = len(post.letters(AppendReply, source=follower.node_id))
    call = world.clients.put("k", leader.node_id)
    world.until(lambda: has_ended(follower), ELECTION_S, "the follower ends")
    assert follower.raft.log.last_index == leader.raft.log.last_index > leader.raft.commit_index
    world.cut_power(follower.node_id)
    world.until(lambda: call.is_settled, ELECTION_S, "the client gives up")
    assert call.status == "unknown"
    assert len(post.letters(AppendReply, source=follower.node_id)) == sent
    assert not leads(leader), "alone, it is no majority"
    check(world)


def test_39_a_voter_whose_fsync_fails_ends_and_votes_for_nobody():
    """A voter gets EIO when it puts its vote on disk. It ends, and the candidate has no vote of it."""
    world = world_of()
    post, leader = Post(world), elect(world)
    candidate, voter = (world.process(name) for name in others(world, leader.node_id))
    post.only_candidate(candidate.node_id)
    world.kill(leader.node_id)
    voter.disk.files.fail_sync()
    sent = len(post.letters(VoteReply, source=voter.node_id))
    world.until(lambda: has_ended(voter), ELECTION_S, "the voter ends")
    assert voter.raft.voted_for == candidate.node_id, "it was about to vote"
    world.run(1.0)
    assert len(post.letters(VoteReply, source=voter.node_id)) == sent
    assert not leads(candidate)
    world.start(voter.node_id)
    elect(world)
    check(world)


def test_39_wherever_fsync_fails_once_the_process_ends():
    """A follower takes writes and snapshots. Its first sync fails, or its second, and so on: each time it ends, loses what
    was not on disk, starts, and catches up."""
    world = world_of(**SMALL)
    failed, has_failed = 0, True
    while has_failed:
        elect(world)
        process = world.process(some_follower(world))
        files = process.disk.files
        files.fail_sync(failed)
        for _ in range(8):
            write(world)
        world.run(0.02)
        has_failed = files._syncs_until_failure is None
        if has_failed:
            assert has_ended(process)
            failed += 1
            world.cut_power(process.node_id)
            world.start(process.node_id)
        settle(world)
    assert failed > 12
    files.fail_sync(None)
    check(world)


# 42

EVERY_NTH_BYTE = 7
"""Where nodes start with a torn tail; that the storage alone opens it is tested for every byte."""


@frozen
class Tail:
    """The newest segment of a follower that crashed between writing some entries and syncing them."""

    path: str
    content: bytes
    proven: int
    """How much of it had been on disk: its header, and what an earlier start has carried over."""
    ends: list[int]
    """Where each of the records behind that ends."""
    promised: int
    """Last entry that it had acknowledged: the one before those records."""

    def whole_records(self, size: int) -> int:
        """Return how many records are whole in the first bytes."""
        return bisect_right(self.ends, size)


@pytest.fixture
def notes():
    """What nodes say of their logs when they start."""
    found: list[str] = []

    def look_at(event):
        if event.get("log_format") == "{note}":
            found.append(event["note"])

    globalLogPublisher.addObserver(look_at)
    yield found
    globalLogPublisher.removeObserver(look_at)


def crash_before_sync(world: World, node_id: str, entries: int = 4) -> Tail:
    """Have a follower write some entries at once, and crash where it would sync them."""
    process = world.process(node_id)
    files, promised = process.disk.files, process.raft.log.last_index
    process.stop_acting()
    for _ in range(entries):
        write(world)

    def before_step(operation: str, path: str) -> None:
        if operation == "sync" and path.startswith("log/"):
            process.disk.crash_after(0)
        process.disk._before_step(operation, path)

    files.before_step = before_step
    process.act_again()
    world.until(lambda: not process.is_up, ELECTION_S, "it crashes")
    files = world.machines[node_id].disk.files
    number = max(int(name[:16]) for name in files.list("log"))
    content = read_newest_segment(files, number, *read_header(files, number))
    path = f"log/{number:016d}.log"
    ends = [offset for offset in [*content.offsets, content.end] if offset > content.proven]
    assert len(ends) == entries
    return Tail(path, files.content(path), content.proven, ends, promised)


def opened(world: World, node_id: str, files: MemoryFiles) -> Storage | StorageError:
    """Return what a node finds, or why it does not start."""
    try:
        return Storage.open(files, node_id=node_id, new_instance_id=world.new_id)
    except StorageError as error:
        return error


@pytest.mark.parametrize("is_carried", [False, True])
def test_42_a_torn_tail_is_cut_at_whatever_byte(is_carried):
    """A power loss leaves the first so many bytes of the newest segment. What is whole of it is there, what is not is cut and
    noted. Without its beginning, which was on disk, nothing is: a header, and records that were carried over."""
    world, node_id = with_segments(is_carried)
    tail = crash_before_sync(world, node_id)
    files = world.machines[node_id].disk.files
    for size in range(len(tail.content) + 1):
        torn = files.clone()
        torn.put(tail.path, tail.content[:size])
        found = opened(world, node_id, torn)
        if size < tail.proven:
            assert isinstance(found, StorageError)
            assert "damaged" in str(found)
            continue
        assert found.recovered.entries[-1].index == tail.promised + tail.whole_records(size)
        is_torn = size not in (tail.proven, *tail.ends)
        assert [tail.path in note for note in found.recovered.notes] == [True] * is_torn
    world.start(node_id)
    check(world)


def with_segments(is_carried: bool) -> tuple[World, str]:
    """Return a cluster, and a follower whose newest segment has nothing but its header, or also records that an earlier
    start has carried over into it."""
    world = world_of(segment_bytes=1)
    elect(world)
    node_id = some_follower(world)
    begin_segment(world, node_id, is_carried)
    return world, node_id


def begin_segment(world: World, node_id: str, is_carried: bool) -> None:
    write(world)  # one sync is one segment
    settle(world)
    if is_carried:
        crash_before_sync(world, node_id, entries=2)
        world.start(node_id)
        settle(world)


@pytest.mark.parametrize(("is_carried", "every"), [(False, EVERY_NTH_BYTE), (True, 2 * EVERY_NTH_BYTE)])
def test_42_a_node_with_a_torn_tail_takes_part_again(is_carried, every, notes):
    """The same, and the node starts, says what it has cut, and gets from the leader what it lacks."""
    world, node_id = with_segments(is_carried)
    tail = crash_before_sync(world, node_id)
    size, cut, refused = 0, 0, 0
    while size <= len(tail.content):
        files = world.machines[node_id].disk.files
        files.put(tail.path, tail.content[:size])
        del notes[:]
        process = world.start(node_id)
        if size < tail.proven:
            assert process is None
            assert "damaged" in world.machines[node_id].is_refusing
            world.machines[node_id].disk.files.put(tail.path, tail.content)
            world.start(node_id)
            refused += 1
        else:
            assert process.raft.log.last_index == tail.promised + tail.whole_records(size)
            is_torn = size not in (tail.proven, *tail.ends)
            assert [tail.path in note for note in notes] == [True] * is_torn
            cut += is_torn
        settle(world)
        begin_segment(world, node_id, is_carried)
        tail = crash_before_sync(world, node_id)
        size += every
    assert cut > 20
    assert refused > 10
    world.start(node_id)
    check(world)


# 43

SEVERAL_SEGMENTS = {"snapshot_entries": 12, "snapshot_trailing_entries": 6, "segment_bytes": 400}


def counted_bytes(process: Process) -> dict[str, int]:
    """Return the files of a node, and how much of each is known to be on disk and matters."""
    files, log = process.disk.files, process.storage._log
    counted = {segment.path: segment.size for segment in log._segments[:-1]}
    counted[log._segments[-1].path] = log._proven
    for path in (HARD_STATE_FILE, IDENTITY_FILE, snapshot_path(process.raft.snapshot)):
        counted[path] = files.size(path)
    return counted


def fill(world: World, node_id: str) -> Process:
    """Have clients write until that node has a snapshot, older segments, and a newest one with records that are proven."""
    process = world.process(node_id)
    log = process.storage._log
    for _ in range(100):
        write(world)
        settle(world)
        _, records_at = read_header(process.disk.files, log._segments[-1].number)
        if process.raft.snapshot is not None and len(log._segments) >= 3 and log._proven > records_at:
            return process
    raise AssertionError("it never has all of that at once")


def test_43_a_node_with_one_flipped_byte_before_the_tail_refuses_to_start():
    """While a node is down, one byte changes of what was on its disk for good. It does not start, and serves nothing; the
    others go on. With the byte as it was, it starts."""
    world = world_of(**SEVERAL_SEGMENTS)
    elect(world)
    node_id = some_follower(world)
    fill(world, node_id)
    counted = counted_bytes(world.process(node_id))
    world.kill(node_id)
    machine = world.machines[node_id]
    before = {path: machine.disk.files.content(path) for path in counted}
    for path, size in counted.items():
        assert size > 0, path
        for offset in range(0, size, 2):
            mask = 0xFF if offset % 4 else 1 << offset // 4 % 8
            machine.disk.files.flip(path, offset, mask)
            assert world.start(node_id) is None, (path, offset)
            assert "damaged" in machine.is_refusing or "has format" in machine.is_refusing
            machine.disk.files.flip(path, offset, mask)
    assert {path: machine.disk.files.content(path) for path in counted} == before, "it has changed nothing"
    write(world)
    assert world.start(node_id) is not None
    check(world)


def rebuild(world: World, node_id: str) -> Process:
    """Give a node whose data is damaged an empty folder, and have it join."""
    world.machines[node_id].disk.wiped()
    process = world.start(node_id)
    assert process is not None
    world.join(node_id)
    return process


@pytest.mark.parametrize("what", ["log", "snapshots", HARD_STATE_FILE])
def test_43_a_damaged_node_is_rebuilt_from_its_peers(what):
    """A byte of a node's log, snapshot, or vote changes. It refuses to start; with an empty folder it joins anew, and has
    everything again."""
    world = world_of(**SEVERAL_SEGMENTS)
    elect(world)
    node_id = some_follower(world)
    process = fill(world, node_id)
    path, size = next(item for item in counted_bytes(process).items() if item[0].startswith(what))
    world.kill(node_id)
    machine = world.machines[node_id]
    machine.disk.files.flip(path, size // 2)
    assert world.start(node_id) is None
    assert "damaged" in machine.is_refusing
    assert "join" in machine.is_refusing, "it says what to do"
    write(world)
    new = rebuild(world, node_id)
    assert new.instance_id != process.instance_id
    assert new.node.store.applied_index == 0
    check(world)
    assert world.configuration.is_voter(node_id)
    assert world.configuration.get(node_id).instance_id == new.instance_id
    assert new.node.store.digest() == leader_of(world).node.store.digest()


def flip_snapshot(process: Process) -> None:
    """Flip a byte of a node's snapshot while it runs."""
    path = snapshot_path(process.raft.snapshot)
    process.disk.files.flip(path, process.disk.files.size(path) // 2)


def spoil_chunks(process: Process) -> None:
    """Have a node send every snapshot with a byte that is not the file's."""
    send = process.send

    def spoiled(to: str, message: Message) -> bool:
        if isinstance(message, InstallSnapshot):
            message = evolve(message, data=bytes([message.data[0] ^ 1]) + message.data[1:])
        return send(to, message)

    process.send = spoiled


def test_43_a_snapshot_that_is_damaged_is_not_taken_over_by_a_follower():
    """A follower is sent a snapshot with a wrong byte in it. It does not take it, and stays at what it has, until somebody
    leads who sends a whole one."""
    world = world_of(**SMALL)
    post, leader = Post(world), elect(world)
    late = world.process(some_follower(world))
    spoil_chunks(leader)
    fall_behind(world, post, late.node_id)
    world.until(lambda: post.letters(InstallSnapshotReply), ELECTION_S, "the snapshot was sent")
    had = late.raft.log.last_index
    world.run(3.0)
    assert len(post.letters(InstallSnapshotReply)) > 1, "it was tried again"
    assert late.raft.snapshot is None
    assert late.raft.log.last_index == late.node.store.applied_index == had
    world.kill(leader.node_id)
    elect(world)
    assert late.raft.snapshot is not None
    world.start(leader.node_id)
    check(world)


def test_43_a_leader_sends_its_next_snapshot_where_one_was_refused():
    """The same, and the leader goes on, and takes another snapshot: that is the one to send, and it arrives whole."""
    world = world_of(**SMALL)
    post, leader = Post(world), elect(world)
    late = world.process(some_follower(world))
    spoil_chunks(leader)
    fall_behind(world, post, late.node_id)
    world.until(lambda: post.letters(InstallSnapshotReply), ELECTION_S, "the snapshot was sent")
    del leader.send
    refused = leader.raft.snapshot
    for _ in range(10):
        write(world)
    world.until(lambda: late.raft.snapshot is not None, 60.0, "the follower has got a snapshot")
    assert late.raft.snapshot.index > refused.index
    check(world)


def gets_a_whole_snapshot(world: World, late: Process) -> None:
    """See that a follower gets a snapshot soon, and that the leader, killed, could start from the one that it has now."""
    leader = leader_of(world)
    world.until(lambda: late.raft.snapshot is not None, ELECTION_S, "the follower has got a snapshot")
    check(world)
    world.kill(leader.node_id)
    assert world.start(leader.node_id) is not None
    check(world)


@pytest.mark.parametrize("writes", [0, 1])
def test_43_a_leader_whose_disk_has_changed_its_snapshot_takes_it_again(writes):
    """A byte of the leader's snapshot changes while the leader runs. It finds that when it is to send it: nothing of the damaged
    file gets to the follower, a whole one takes its place and is sent, also where nobody writes; and the node can start from it.
    """
    world = world_of(**SMALL)
    post, leader = Post(world), elect(world)
    late = world.process(some_follower(world))
    fall_behind(world, post, late.node_id)
    assert leader.raft.log.last_index == leader.raft.snapshot.index
    flip_snapshot(leader)
    for _ in range(writes):
        write(world)
    gets_a_whole_snapshot(world, late)
    assert {reply.message.next_offset for reply in post.letters(InstallSnapshotReply)} != {0}


def test_43_a_damaged_snapshot_is_taken_again_where_nothing_could_commit_without_it():
    """The same, and the third voter is down: the follower that needs the snapshot is needed for every majority."""
    world = world_of(**SMALL)
    post, leader = Post(world), elect(world)
    late = world.process(some_follower(world))
    fall_behind(world, post, late.node_id)
    world.kill(others(world, leader.node_id, late.node_id)[0])
    flip_snapshot(leader)
    gets_a_whole_snapshot(world, late)


def test_43_a_snapshot_that_is_damaged_after_its_first_chunk_was_lost_is_taken_again():
    """The first chunk, read from a file in order, does not arrive. Then the file changes, and is read from its start again."""
    world = world_of(**SMALL)
    post, leader = Post(world), elect(world)
    late = world.process(some_follower(world))
    lost = post.catch(InstallSnapshot)
    fall_behind(world, post, late.node_id)
    world.until(lambda: lost.caught, ELECTION_S, "the first chunk is on its way")
    flip_snapshot(leader)
    lost.end()
    gets_a_whole_snapshot(world, late)


def test_43_a_snapshot_that_is_damaged_while_a_follower_has_no_room_is_taken_again():
    """The follower's disk is full, and it refuses the first chunk. Then the leader's file changes, and the follower has room."""
    world = world_of(**SMALL)
    post, leader = Post(world), elect(world)
    late = world.process(some_follower(world))
    fall_behind(world, post, late.node_id)
    late.disk.files.capacity = late.disk.files.used_bytes + 20
    world.until(lambda: post.letters(InstallSnapshotReply), ELECTION_S, "the first chunk is refused")
    flip_snapshot(leader)
    late.disk.files.capacity = None
    gets_a_whole_snapshot(world, late)
