"""Scenarios 39 and 40: a disk that fails stops everything, a disk that is full stops nothing for good."""

from __future__ import annotations

import errno
import os

import pytest

from minicloud.raft.entries import HardState
from minicloud.storage.errors import DiskFull, StorageError, StorageFailed
from minicloud.storage.memory_files import MemoryFiles
from tests.storage.helpers import (
    CHANGES,
    CLUSTER_ID,
    KeepNothing,
    append_synced,
    entries,
    entry,
    every_outcome,
    log_files,
    meta,
    open_in_cluster,
    open_storage,
    receive,
    snapshot_bytes,
    take_snapshot,
)
from tests.storage.model import Pair
from tests.storage.test_crash_points import MAX_STEPS, SCRIPTS

SEEDS = range(3)


def test_39_after_one_failed_sync_nothing_is_written_any_more():
    files = MemoryFiles()
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 6))
    take_snapshot(storage, meta(2))
    writer = storage.create_snapshot(meta(3))
    data = snapshot_bytes(meta(30))
    half = storage.receive_snapshot(meta(30), len(data))
    whole = receive(storage, meta(30), data)
    storage.append(entries(7, 8))
    files.fail_sync()
    with pytest.raises(StorageFailed, match="the system refused") as caught:
        storage.sync()
    assert "\n" not in str(caught.value)
    steps = []
    files.before_step = lambda operation, path: steps.append(operation)
    for write in (
        lambda: storage.append([entry(9)]),
        storage.sync,
        lambda: storage.save_hard_state(HardState(99, "n1")),
        lambda: storage.compact(2),
        lambda: storage.create_snapshot(meta(4)),
        lambda: storage.receive_snapshot(meta(30), 1000),
        lambda: writer.write(b"1"),
        writer.commit,
        lambda: half.write_chunk(0, data),
        lambda: storage.install_snapshot(whole),
        storage.open_snapshot,
    ):
        with pytest.raises(StorageFailed, match="nothing is written after that"):
            write()
    storage.close()
    assert not CHANGES & set(steps), "a sync that failed is not tried again"
    found = open_storage(files.crash(KeepNothing())).recovered
    assert found.entries == tuple(entries(1, 6))
    assert found.snapshot == meta(2)


def test_39_a_cluster_that_could_not_be_noted_is_not_known():
    files = MemoryFiles()
    storage = open_storage(files)
    files.fail_sync()
    for _ in range(2):
        with pytest.raises(StorageFailed):
            storage.set_cluster(CLUSTER_ID)
        assert storage.identity.cluster_id == ""


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("operations", [{"sync", "sync_dir"}, CHANGES])
def test_39_an_error_in_any_operation_stops_the_node_and_loses_nothing(script, operations):
    """For syncs also the loss that nobody sees: what should have been written is not, and reads as if it were."""
    for step in range(MAX_STEPS):
        files = MemoryFiles()
        if operations == CHANGES:
            fail_before(files, step)
        else:
            files.fail_sync(after=step)
        pair = Pair(files)
        try:
            script(pair)
        except StorageFailed:
            _assert_stopped(pair)
            failed = True
        else:
            failed = files._syncs_until_failure is None and operations != CHANGES
            failed = failed or getattr(files, "has_failed", False)
        for survivor in every_outcome(files, SEEDS):
            successor = Pair(survivor)
            successor.allowed = pair.allowed
            successor.open()
            successor.files = survivor.crash(KeepNothing())
            successor.open()
        if not failed:
            return
    pytest.fail("the script never came to its end")


def fail_before(files, step):
    count = 0
    files.has_failed = False

    def before_step(operation, path):
        nonlocal count
        if operation in CHANGES:
            if count == step:
                files.has_failed = True
                count += 1
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)
            count += 1

    files.before_step = before_step


def _assert_stopped(pair):
    if pair.storage is not None:
        with pytest.raises(StorageFailed):
            pair.storage.save_hard_state(HardState(1000, "n1"))
        pair.storage.close()


def test_40_a_full_disk_at_any_byte_changes_nothing_and_when_there_is_room_it_goes_on():
    files = MemoryFiles()
    pair = Pair(files)
    pair.open()
    pair.set_cluster(CLUSTER_ID)
    pair.append(entries(1, 5))
    pair.sync()
    start = files.clone()
    allowed = pair.allowed
    roomy = 0
    for spare in range(0, 3000, 3):
        pair = Pair(start.clone())
        pair.allowed = allowed
        pair.open()
        pair.files.capacity = _used(pair.files) + spare
        full = _use_up(pair)
        for survivor in every_outcome(pair.files, ()):
            _assert_has_room_again(pair, survivor)
        roomy += not full
    assert roomy


def _used(files):
    files.capacity = 1 << 40
    return files.capacity - files.room()


def _use_up(pair):
    """Do some of everything, as far as there is room; each call must be all or nothing."""
    calls = [
        lambda: pair.append(entries(6, 9)),
        pair.sync,
        lambda: pair.save_hard_state(HardState(5, "n1")),
        lambda: pair.append([entry(pair.model.now.next_index, text="x" * 200)]),
        pair.sync,
        lambda: pair.take_snapshot(meta(5)),
        lambda: pair.append(entries(6, 6, term=2)),
        lambda: pair.append([entry(pair.model.now.next_index, 2)]),
        pair.sync,
        lambda: pair.install(meta(20)),
        lambda: pair.save_hard_state(HardState(6, "")),
        pair.sync,
    ]
    full = 0
    for call in calls:
        try:
            call()
        except DiskFull as error:
            assert "no room" in str(error)
            assert "\n" not in str(error)
            full += 1
    return full


def _assert_has_room_again(pair, survivor):
    survivor.capacity = None
    successor = Pair(survivor)
    successor.allowed = pair.allowed
    successor.open()
    successor.append([entry(successor.model.now.next_index, 9)])
    successor.sync()
    successor.files = survivor.crash(KeepNothing())
    successor.open()


def test_40_the_same_storage_goes_on_once_there_is_room():
    files = MemoryFiles()
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 3))
    files.capacity = _used(files) + 10
    for _ in range(3):
        with pytest.raises(DiskFull):
            storage.append(entries(4, 6))
        with pytest.raises(DiskFull):
            storage.save_hard_state(HardState(3, "n2"))
        with pytest.raises(DiskFull):
            take_snapshot(storage, meta(2))
    assert storage.open_snapshot() is None
    files.capacity = None
    storage.append(entries(4, 6))
    storage.save_hard_state(HardState(3, "n2"))
    storage.sync()
    take_snapshot(storage, meta(2))
    storage = open_storage(files.crash(KeepNothing()))
    assert storage.recovered.entries == tuple(entries(1, 6))
    assert storage.recovered.hard_state == HardState(3, "n2")
    assert storage.recovered.snapshot == meta(2)
    assert storage.recovered.notes == ()


def test_40_without_room_for_a_new_segment_the_old_one_grows():
    files = MemoryFiles()
    storage = open_storage(files, segment_bytes=300)
    append_synced(storage, entries(1, 3))
    storage.append([entry(4, text="x" * 100)])
    files.capacity = _used(files)
    storage.sync()
    assert len(log_files(files)) == 1
    files.capacity = None
    append_synced(storage, [entry(5)])
    assert len(log_files(files)) == 2
    assert open_storage(files.crash(KeepNothing())).recovered.entries == (
        *entries(1, 3),
        entry(4, text="x" * 100),
        entry(5),
    )


def test_40_a_snapshot_from_the_leader_that_finds_no_room_is_given_up_and_can_come_again():
    files = MemoryFiles()
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 3))
    data = snapshot_bytes(meta(20))
    files.capacity = _used(files) + len(data) - 1
    with pytest.raises(DiskFull):
        receive(storage, meta(20), data, chunk_bytes=50)
    assert files.list("snapshots") == []
    files.capacity = _used(files) + len(data) + 20
    incoming = receive(storage, meta(20), data)
    with pytest.raises(DiskFull):
        storage.install_snapshot(incoming)
    assert storage.snapshot is None
    assert storage.log_first_index == 1
    files.capacity = None
    assert storage.install_snapshot(incoming)
    assert storage.log_first_index == 21


def test_40_a_folder_without_room_to_begin_says_so_and_is_new_the_next_time():
    for capacity in range(0, 600, 20):
        files = MemoryFiles()
        files.capacity = capacity
        try:
            open_storage(files).close()
        except DiskFull:
            files.capacity = None
            assert open_storage(files).is_new
        else:
            return
    pytest.fail("there never was room")


def test_a_disk_that_can_not_be_read_is_one_clear_error():
    files = MemoryFiles()
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 3))
    take_snapshot(storage, meta(2))

    def before_step(operation, path):
        if operation in {"read", "open_read"}:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    source = storage.open_snapshot()
    files.before_step = before_step
    with pytest.raises(StorageFailed, match=os.strerror(errno.EIO)):
        source.read(0, 10)
    files.before_step = None
    with pytest.raises(StorageFailed):
        list(source.records())
    files = files.kill()
    files.before_step = before_step
    with pytest.raises(StorageFailed, match=os.strerror(errno.EIO)):
        open_storage(files)
    files.before_step = None
    assert open_storage(files).snapshot == meta(2), "the lock was given up"


def test_39_a_log_that_can_not_be_marked_at_its_end_is_closed_all_the_same():
    files = MemoryFiles()
    storage = open_storage(files)
    append_synced(storage, entries(1, 3))
    files.fail_sync()
    storage.close()
    assert open_storage(files).recovered.entries == tuple(entries(1, 3))


def test_a_partial_write_that_can_not_be_cut_back_stops_the_node():
    files = MemoryFiles()
    storage = open_storage(files)
    append_synced(storage, entries(1, 3))

    def before_step(operation, path):
        if operation == "truncate":
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    files.before_step = before_step
    files.capacity = _used(files) + 10
    with pytest.raises(StorageFailed):
        storage.append([entry(4)])
    with pytest.raises(StorageError):
        storage.append([entry(4)])
    files.before_step = None
    files = files.kill()
    files.capacity = None
    assert open_storage(files).recovered.entries == tuple(entries(1, 3))
