"""Scenarios 21, 22 and 24: snapshots that are taken, sent and installed while machines crash and messages are late."""

from __future__ import annotations

import errno
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from attrs import Factory, define, evolve

from minicloud.node.snapshots import load_newest
from minicloud.raft.configuration import Configuration
from minicloud.raft.entries import SnapshotMeta
from minicloud.raft.messages import AppendEntries, Heartbeat, InstallSnapshot, InstallSnapshotReply
from minicloud.storage.memory_files import MemoryFiles
from minicloud.storage.snapshot_format import SnapshotParser, snapshot_record, snapshot_start
from minicloud.storage.snapshots import snapshot_path
from minicloud.storage.storage import Storage
from minicloud.storage.whole_files import TEMPORARY_SUFFIX
from tests.sim.leftovers import leftovers
from tests.sim.process import CLUSTER_ID, Process
from tests.sim.scenarios.laggards import SMALL, fall_behind, some_follower
from tests.sim.scenarios.stage import (
    ELECTION_S,
    Post,
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
from tests.storage.helpers import KeepAll, KeepNothing


def start(**settings: Any) -> tuple[World, Post]:
    """Return a cluster of three with a leader, and its post office."""
    world = world_of(**settings)
    elect(world)
    return world, Post(world)


def write_large_values(world: World) -> None:
    """Make snapshots so large that three chunks carry one."""
    for number in range(3):
        write(world, f"large {number}", size_bytes=150_000)


# 21

QUIET_ROUNDS = 3
"""So many rounds without a crash end it: how much there is to do differs a little from round to round."""


@define
class CrashPoint:
    """A crash of one process in place of one of its operations on files, counted from its next one on a snapshot."""

    snapshot: SnapshotMeta | None
    """Its newest snapshot before."""
    operations: list[tuple[str, str]] = Factory(list)
    """What was counted: the operation, and in which folder. The last one did not take place any more."""
    has_come: bool = False
    left: list[MemoryFiles] = Factory(list)
    """What may be on the disk after it."""


def arm(world: World, node_id: str, after: int, is_power_loss: bool) -> CrashPoint:
    """Have a process crash after so many operations."""
    process = world.process(node_id)
    disk, files = process.disk, process.disk.files
    point = CrashPoint(process.raft.snapshot)

    def before_step(operation: str, path: str) -> None:
        if point.operations or path.startswith("snapshots/"):
            point.operations.append((operation, path.partition("/")[0]))
        if len(point.operations) == after + 1:
            disk.crash_after(0)
        disk._before_step(operation, path)

    def crash() -> None:
        point.has_come = True
        if is_power_loss:
            point.left = [files.crash(chance) for chance in (KeepNothing(), KeepAll(), Random(after))]
            world.cut_power(node_id)
        else:
            world.kill(node_id)
        point.left.append(disk.files.clone())

    files.before_step = before_step
    disk.on_crash = crash
    return point


def check_left(world: World, node_id: str, point: CrashPoint, promised: int) -> None:
    """What a crash left is the old state or the new one: a snapshot that is whole, and a log without a gap behind it."""
    for files in point.left:
        storage = Storage.open(files, node_id=node_id, new_instance_id=world.new_id)
        found = storage.recovered
        covered = found.snapshot.index if found.snapshot is not None else 0
        if found.snapshot != point.snapshot:
            assert covered > (point.snapshot.index if point.snapshot is not None else 0)
            assert world.invariants.commit_safety.terms[covered] == found.snapshot.term
            assert load_newest(storage).digest() == world.invariants.state_machine_safety._digests[covered]
        indexes = [entry.index for entry in found.entries]
        first = indexes[0] if indexes else covered + 1
        assert first <= covered + 1, "no gap between snapshot and log"
        assert indexes == list(range(first, first + len(indexes))), "no gap in the log"
        assert max(covered, first + len(indexes) - 1) >= promised, "what was acknowledged is there"


def check_tidy(process: Process) -> None:
    """A start leaves nothing of what the process before it had begun, or had not removed yet."""
    newest = [snapshot_path(process.raft.snapshot)] if process.raft.snapshot is not None else []
    files = process.disk.files
    assert [f"snapshots/{name}" for name in files.list("snapshots")] == newest
    assert not [name for name in files.list("log") if name.endswith(TEMPORARY_SUFFIX)]


def promised_by(world: World, process: Process) -> int:
    """Return up to which entry others count on what a process, perhaps a dead one, has on its disk."""
    leader = world.leader
    if leader is None or process.node_id not in leader.raft.progress:
        return process.raft.commit_index
    return leader.raft.progress[process.node_id].match_index


def crash_at_every_step(
    world: World, choose: Callable[[World], str], act: Callable[[World, str], None], is_power_loss: bool
) -> set[tuple[str, str]]:
    """Do something again and again, with a crash one operation later each time, until none comes any more.

    Returns the operations in whose place a crash came.
    """
    crashed_at, quiet, step = set(), 0, 0
    while quiet < QUIET_ROUNDS:
        elect(world)
        node_id = choose(world)
        process = world.process(node_id)
        point = arm(world, node_id, step, is_power_loss)
        act(world, node_id)
        step += 1
        if point.has_come:
            quiet = 0
            crashed_at.add(point.operations[-1])
            check_left(world, node_id, point, promised_by(world, process))
            restarted = world.start(node_id)
            assert restarted is not None, world.machines[node_id].is_refusing
            check_tidy(restarted)
            settle(world)
        else:
            quiet += 1
            process.disk.files.before_step = process.disk._before_step
    return crashed_at


def write_until_done(world: World, node_id: str) -> None:
    """Have clients write until that node has a new snapshot and has removed what this one covers, or has crashed."""
    process = world.process(node_id)
    storage, snapshot, first_index = process.storage, process.raft.snapshot, process.storage.log_first_index

    def is_done() -> bool:
        return (
            process.raft.snapshot != snapshot and storage.log_first_index > first_index and not storage._garbage._items
        )

    while process.is_up and not is_done():
        world.clients.put("k", leader_of(world).node_id)
        world.run(0.02)


def be_left_behind(world: World, node_id: str) -> None:
    """Have that node get the leader's snapshot in place of entries, and remove what this one covers, or crash."""
    fall_behind(world, Post(world), node_id)
    write_until_done(world, node_id)


TAKING = {
    ("create", "snapshots"),
    ("write", "snapshots"),
    ("sync", "snapshots"),
    ("rename", "snapshots"),
    ("sync_dir", "snapshots"),
    ("remove", "snapshots"),
    ("remove", "log"),
    ("sync_dir", "log"),
}
INSTALLING = TAKING | {
    ("open_read", "snapshots"),
    ("read", "snapshots"),
    ("create", "log"),
    ("write", "log"),
    ("sync", "log"),
    ("rename", "log"),
}


@pytest.mark.parametrize("is_power_loss", [False, True])
@pytest.mark.parametrize("who", ["follower", "leader"])
def test_21_crash_at_every_step_of_taking_a_snapshot_and_compacting(who, is_power_loss):
    """A node writes a snapshot, syncs and renames it, and removes what it covers. Wherever that is cut off, the node finds
    the old state or the new one, without a gap, and takes part again."""
    world = world_of(**SMALL)
    choose = some_follower if who == "follower" else lambda world: leader_of(world).node_id
    crashed_at = crash_at_every_step(world, choose, write_until_done, is_power_loss)
    assert crashed_at >= TAKING
    check(world)


@pytest.mark.parametrize("is_power_loss", [False, True])
def test_21_crash_at_every_step_of_receiving_and_installing_a_snapshot(is_power_loss):
    """A follower that was left behind gets a snapshot of several chunks, which takes the place of its log and its store.
    Wherever that is cut off, it has its old log or the snapshot, and gets there in the end."""
    world = world_of(**SMALL)
    elect(world)
    write_large_values(world)
    crashed_at = crash_at_every_step(world, some_follower, be_left_behind, is_power_loss)
    assert crashed_at >= INSTALLING
    check(world)


# 22


def test_22_two_snapshots_in_quick_succession():
    """While a snapshot is on its way to a follower, the leader takes the next one and compacts its log beyond the first.
    The follower gets one after the other, and never goes back."""
    world, post = start(**SMALL)
    write_large_values(world)
    leader, late = leader_of(world), world.process(some_follower(world))
    rest = post.catch(InstallSnapshot, where=lambda letter: letter.message.offset > 0)
    fall_behind(world, post, late.node_id)
    world.until(lambda: rest.caught, ELECTION_S, "a snapshot that is on its way")
    first = rest.caught[0].message.snapshot
    while leader.raft.log.base_index <= first.index:
        write(world)
    second = leader.raft.snapshot
    assert late.raft.commit_index < first.index < second.index
    rest.end()
    installed = snapshots_until(world, late, lambda: late.raft.commit_index >= second.index)
    assert installed == [first.index, second.index]
    check(world)


def snapshots_until(world: World, process: Process, condition: Callable[[], bool]) -> list[int]:
    """Let time pass until it is so; return the indexes of the snapshots that a process got meanwhile."""
    got = [process.raft.snapshot]
    while not condition():
        world.step()
        if process.raft.snapshot != got[-1]:
            got.append(process.raft.snapshot)
    return [snapshot.index for snapshot in got[1:]]


@pytest.mark.parametrize("is_restarted", [False, True])
def test_22_an_old_snapshot_after_a_newer_log(is_restarted):
    """A follower has installed a snapshot, and more entries behind it. Then the same snapshot comes once more, late."""
    world, post = start(**SMALL)
    late = some_follower(world)
    fall_behind(world, post, late)
    settle(world)
    write(world)
    write(world)
    settle(world)
    if is_restarted:
        world.restart(late)
    process = world.process(late)
    last_index, snapshot, applied = process.raft.log.last_index, process.raft.snapshot, process.node.store.applied_index
    old = post.letters(InstallSnapshot, target=late)
    assert old[-1].message.snapshot.index < last_index
    for letter in old:
        post.deliver(letter)
        world.run(0.001)
    world.run(0.1)
    assert (process.raft.log.last_index, process.raft.snapshot) == (last_index, snapshot)
    assert process.node.store.applied_index >= applied
    check(world)


def test_22_a_snapshot_of_what_the_log_holds_keeps_the_entries_behind_it():
    """A restarted follower has a long log, and does not know yet how much of it is committed. A snapshot comes that covers
    a part of it. What follows there was acknowledged, and stays (paper, figure 13, step 6)."""
    world, post = start(**SMALL)
    leader = leader_of(world)
    node_id, late = others(world, leader.node_id)
    refuse_snapshots(world.process(node_id))
    fall_behind(world, post, late)
    settle(world)
    write(world)
    write(world)
    settle(world)
    post.catch(AppendEntries, Heartbeat, target=node_id)
    process = world.restart(node_id)
    (letter,) = post.letters(InstallSnapshot, target=late)
    index, last_index = letter.message.snapshot.index, process.raft.log.last_index
    assert process.raft.commit_index < index < last_index
    post.deliver(evolve(letter, target=node_id))
    world.until(lambda: process.raft.commit_index >= index, ELECTION_S, "the snapshot has told what is committed")
    assert process.raft.log.last_index == last_index
    assert leader.raft.progress[node_id].match_index == last_index, "the leader counts on them"
    check(world)


def test_22_half_a_snapshot_whose_leader_is_gone_leaves_nothing():
    """A leader is cut off when it has sent half of a snapshot. The next one has all entries still, and sends those. The half
    is given up: nobody will ever send the rest, and it would keep its room on the disk until the next snapshot comes."""
    world, post = start(**SMALL)
    write_large_values(world)
    leader = leader_of(world)
    late, node_id = others(world, leader.node_id)
    refuse_snapshots(world.process(node_id))
    rest = post.catch(InstallSnapshot, where=lambda letter: letter.message.offset > 0)
    post.only_candidate(node_id)
    fall_behind(world, post, late)
    world.until(lambda: rest.caught, ELECTION_S, "a snapshot that is on its way")
    process = world.process(late)
    assert leftovers(process)["snapshots on their way in"]
    isolate(world, leader.node_id)
    world.until(lambda: leads(world.process(node_id)), ELECTION_S, "another one leads")
    write(world, via=node_id)
    index = world.process(node_id).raft.commit_index
    world.until(lambda: process.node.store.applied_index >= index, ELECTION_S, "it has all entries")
    world.until(lambda: not leftovers(process), ELECTION_S, "nothing is left of it")
    check(world)


def refuse_snapshots(process: Process) -> None:
    """Leave no room for snapshots on a disk, until the process ends."""

    def before_step(operation: str, path: str) -> None:
        if (operation, path.partition("/")[0]) == ("create", "snapshots"):
            raise OSError(errno.ENOSPC, "no room for snapshots", path)

    process.disk.files.before_step = before_step


# 24


def test_24_a_snapshot_carries_configuration_and_cluster_id():
    """A node joins whose log can only begin with a snapshot: the entries that made the configuration are compacted away.
    It knows the members and the cluster from the snapshot, also after a power loss, and so does everybody else."""
    world, post = start(**SMALL)
    world.add_machine("n4")
    world.start("n4")
    world.join("n4")
    world.until(lambda: world.configuration.is_voter("n4"), ELECTION_S, "n4 is a voter")
    settle(world)
    configuration = world.configuration
    while any(process.raft.log.base_index <= process.raft.configuration_index for process in world.up):
        write(world)
    post.catch(AppendEntries, target="n5", where=lambda letter: bool(letter.message.entries))
    world.add_machine("n5")
    new = world.start("n5")
    world.join("n5", voter=False)
    world.until(lambda: new.raft.snapshot is not None, ELECTION_S, "the snapshot is there")
    check_knows(new, configuration)
    world.cut_power("n5")
    isolate(world, "n5")
    check_knows(world.start("n5"), configuration)
    rejoin(world, "n5")
    post.release()
    world.until(lambda: world.process("n5").raft.configuration.get("n5"), ELECTION_S, "it knows that it is a member")
    settle(world)
    black_out(world)
    elect(world)
    assert world.configuration.without("n5") == configuration
    check(world)


def check_knows(process: Process, configuration: Configuration) -> None:
    """A node has these members from a snapshot of our cluster, and has nothing else."""
    raft, source = process.raft, process.storage.open_snapshot()
    assert raft.log.last_index == raft.log.base_index == raft.snapshot.index
    assert raft.configuration == raft.snapshot.configuration == configuration
    assert raft.committed_configuration == (raft.snapshot.configuration_index, configuration)
    assert source.cluster_id == process.storage.identity.cluster_id == CLUSTER_ID
    source.close()


def black_out(world: World) -> None:
    """Cut the power of all machines at once, and start them again."""
    for node_id in world.machines:
        world.cut_power(node_id)
    for node_id in world.machines:
        world.start(node_id)


def test_24_a_snapshot_of_another_cluster_is_not_installed():
    """A follower that was left behind is sent a snapshot which says that it belongs to another cluster. It throws it away,
    and takes the right one."""
    world, post = start(**SMALL)
    late = world.process(some_follower(world))
    held = post.catch(InstallSnapshot)
    fall_behind(world, post, late.node_id)
    world.until(lambda: held.caught, ELECTION_S, "a snapshot is sent")
    letter = held.caught[0]
    message = letter.message
    assert len(message.data) == message.total_bytes
    foreign = of_cluster("d" * 32, message.snapshot, message.data)
    post.deliver(evolve(letter, message=evolve(message, data=foreign)))
    world.run(0.1)
    assert late.raft.snapshot is None
    (answer,) = post.letters(InstallSnapshotReply, source=late.node_id)
    assert answer.message.next_offset == 0
    held.end()
    world.until(lambda: late.raft.snapshot == message.snapshot, ELECTION_S, "the right one is installed")
    check(world)


def of_cluster(cluster_id: str, meta: SnapshotMeta, own: bytes) -> bytes:
    """Return the same snapshot, whole and good, with the mark of another cluster."""
    data = snapshot_start(cluster_id, meta)
    for payload in [*SnapshotParser("the snapshot").feed(own), b""]:
        data += snapshot_record(len(data), payload)
    assert data != own
    assert len(data) == len(own)
    return data


def test_24_a_folder_with_a_snapshot_of_another_cluster_is_refused():
    """Somebody has copied a snapshot of another cluster into a data folder. The node does not start."""
    world, _ = start(**SMALL)
    node_id = some_follower(world)
    while world.process(node_id).raft.snapshot is None:
        write(world)
    meta = world.process(node_id).raft.snapshot
    world.kill(node_id)
    machine = world.machines[node_id]
    path = snapshot_path(meta)
    own = machine.disk.files.content(path)
    machine.disk.files.put(path, of_cluster("d" * 32, meta, own))
    assert world.start(node_id) is None
    assert f"it is of cluster '{'d' * 32}'" in machine.is_refusing
    machine.disk.files.put(path, own)
    assert world.start(node_id) is not None
    check(world)
