"""What Storage promises when nothing goes wrong, and whom it turns away."""

from __future__ import annotations

import pytest
from attrs import evolve

from minicloud.raft.entries import Entry, EntryKind, HardState
from minicloud.storage import garbage
from minicloud.storage.errors import Damaged, FolderInUse, ForeignFolder, UnsupportedFormat
from minicloud.storage.hard_state import encode_hard_state
from minicloud.storage.identity import Identity, decode_identity, encode_identity
from minicloud.storage.memory_files import MemoryFiles
from minicloud.storage.real_files import RealFiles
from minicloud.wire.limits import MAX_COMMAND_BYTES
from tests.storage.helpers import (
    CLUSTER_ID,
    CONFIGURATION,
    INSTANCE_ID,
    append_synced,
    crash_before,
    entries,
    entry,
    every_outcome,
    log_files,
    meta,
    open_in_cluster,
    open_storage,
    receive,
    run_until_crash,
    snapshot_bytes,
    take_snapshot,
)


@pytest.fixture(params=["real", "memory"])
def files(request, tmp_path):
    return RealFiles(tmp_path / "n1") if request.param == "real" else MemoryFiles()


def reopened(storage, files):
    storage.close()
    return open_storage(files)


def test_a_new_folder_is_empty_and_new(files):
    storage = open_storage(files)
    assert storage.is_new
    assert storage.identity == Identity("n1", INSTANCE_ID, "")
    assert storage.recovered.hard_state == HardState(0, "")
    assert storage.recovered.snapshot is None
    assert storage.recovered.entries == ()
    assert storage.recovered.notes == ()
    assert storage.log_first_index == 1
    assert storage.snapshot is None
    assert storage.snapshot_bytes == 0
    assert storage.open_snapshot() is None
    assert not reopened(storage, files).is_new


def test_everything_is_there_again(files):
    storage = open_storage(files)
    storage.set_cluster(CLUSTER_ID)
    storage.set_cluster(CLUSTER_ID)
    storage.save_hard_state(HardState(4, "n2"))
    storage.save_hard_state(HardState(4, "n2"))
    log = [
        Entry(1, 1, EntryKind.CONFIGURATION, configuration=CONFIGURATION),
        Entry(2, 2, EntryKind.NO_OP),
        Entry(2, 3, data='{"key":"ключ"}'.encode()),
    ]
    storage.append(log)
    storage.append([])
    storage.sync()
    storage = reopened(storage, files)
    assert storage.identity == Identity("n1", INSTANCE_ID, CLUSTER_ID)
    assert storage.recovered.hard_state == HardState(4, "n2")
    assert storage.recovered.entries == tuple(log)


def test_the_same_term_and_vote_are_not_written_again():
    files = MemoryFiles()
    storage = open_storage(files)
    storage.save_hard_state(HardState(4, "n2"))
    steps = []
    files.before_step = lambda operation, path: steps.append(operation)
    storage.save_hard_state(HardState(4, "n2"))
    assert steps == []
    storage.save_hard_state(HardState(4, "n3"))
    assert steps == ["create", "write", "sync", "rename", "sync_dir"]


def test_entries_that_replace_others_take_all_that_follows_with_them(files):
    storage = open_storage(files)
    append_synced(storage, entries(1, 20))
    storage.append(entries(5, 7, term=2))
    storage.sync()
    assert reopened(storage, files).recovered.entries == (*entries(1, 4), *entries(5, 7, term=2))


def test_the_log_goes_on_after_many_restarts(files):
    storage = open_storage(files)
    for first in range(1, 40, 3):
        storage.append(entries(first, first + 2))
        storage.sync()
        storage = reopened(storage, files)
        assert storage.recovered.entries == tuple(entries(1, first + 2))


def test_the_largest_entry_fits_and_a_larger_one_is_the_callers_fault(files):
    storage = open_storage(files)
    large = Entry(1, 1, data=b'"' + b"x" * (MAX_COMMAND_BYTES - 2) + b'"')
    with pytest.raises(ValueError, match="too large"):
        storage.append([evolve(large, data=b'"' + b"x" * (MAX_COMMAND_BYTES - 1) + b'"')])
    storage.append([large])
    storage.sync()
    assert reopened(storage, files).recovered.entries == (large,)


@pytest.mark.parametrize(
    "new", [[entry(6)], [entry(0)], [entry(4), entry(6)], [entry(5), entry(5)], [entry(5), entry(4)]]
)
def test_entries_out_of_order_are_the_callers_fault_and_change_nothing(files, new):
    storage = open_storage(files)
    append_synced(storage, entries(1, 4))
    with pytest.raises(ValueError):
        storage.append(new)
    storage.append([entry(5)])
    storage.sync()
    assert reopened(storage, files).recovered.entries == tuple(entries(1, 5))


def test_what_a_snapshot_covers_can_not_be_replaced(files):
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 6))
    take_snapshot(storage, meta(4))
    with pytest.raises(ValueError):
        storage.append([entry(4, 2)])
    storage.append([entry(5, 2)])


def test_a_node_stays_in_its_cluster(files):
    storage = open_in_cluster(files)
    with pytest.raises(ValueError, match=CLUSTER_ID):
        storage.set_cluster("d" * 32)
    assert reopened(storage, files).identity.cluster_id == CLUSTER_ID


def test_segments_that_a_snapshot_covers_are_dropped_and_no_others(files):
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 40))
    before = storage.log_bytes
    storage.compact(40)
    assert storage.log_bytes == before, "no snapshot, no compaction"
    take_snapshot(storage, meta(30))
    storage.compact(20)
    assert 10 < storage.log_first_index <= 21
    storage.compact(10)
    assert 10 < storage.log_first_index <= 21
    assert storage.log_bytes < before
    storage.compact(99)
    first = storage.log_first_index
    assert 20 < first <= 31
    for index in range(41, 60):
        append_synced(storage, [entry(index)])
    assert len(log_files(files)) < 10
    storage = reopened(storage, files)
    assert storage.log_first_index == first
    assert storage.recovered.entries == tuple(entries(first, 59))


def test_dropped_segments_go_one_by_one(files):
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 60))
    take_snapshot(storage, meta(60))
    count = len(log_files(files))
    storage.compact(60)
    assert len(log_files(files)) == count - 1
    storage.sync()
    storage.sync()
    assert len(log_files(files)) == count - 3


def test_the_newest_segment_is_never_dropped(files):
    storage = open_in_cluster(files, segment_bytes=1 << 20)
    append_synced(storage, entries(1, 20))
    take_snapshot(storage, meta(20))
    storage.compact(20)
    assert storage.log_first_index == 1
    assert reopened(storage, files).recovered.entries == tuple(entries(1, 20))


def test_log_bytes_is_the_size_of_the_log(files):
    storage = open_storage(files, segment_bytes=300)
    append_synced(storage, entries(1, 30))
    assert storage.log_bytes == sum(files.size(path) for path in log_files(files))


def test_the_recovered_entries_can_be_given_up(files):
    storage = open_storage(files)
    append_synced(storage, entries(1, 3))
    storage = reopened(storage, files)
    storage.forget_recovered()
    assert storage.recovered.entries == ()
    assert storage.recovered.hard_state == HardState()


def test_closing_twice_does_nothing(files):
    storage = open_storage(files)
    append_synced(storage, entries(1, 3))
    storage.close()
    storage.close()


def test_44_a_folder_that_is_open_is_refused_until_it_is_closed(files):
    storage = open_storage(files)
    with pytest.raises(FolderInUse, match="in use by another process"):
        open_storage(files)
    storage.close()
    open_storage(files)


def test_the_folder_of_another_node_is_refused_and_unlocked(files):
    open_storage(files).close()
    with pytest.raises(ForeignFolder, match="belongs to node 'n1', not to 'n2'") as caught:
        open_storage(files, node_id="n2")
    assert caught.value.node_id == "n1"
    assert open_storage(files).identity.node_id == "n1"


@pytest.mark.parametrize("name", ["hard_state", "log/0000000000000001.log"])
def test_a_file_of_a_later_version_is_refused(name):
    files = MemoryFiles()
    open_storage(files).close()
    files.put(name, files.content(name).replace(b" 1\n", b" 2\n", 1))
    with pytest.raises(UnsupportedFormat, match="format 2, this minicloud reads 1"):
        open_storage(files)


def test_a_file_of_another_kind_is_refused():
    files = MemoryFiles()
    storage = open_storage(files)
    storage.close()
    files.put("hard_state", files.content(log_files(files)[0]))
    with pytest.raises(Damaged, match="does not begin with 'minicloud hardstate 1'"):
        open_storage(files)


def test_an_identity_of_a_later_version_is_refused():
    good = encode_identity(Identity("n1", INSTANCE_ID, ""))
    assert decode_identity(good, "f") == Identity("n1", INSTANCE_ID, "")
    with pytest.raises(UnsupportedFormat, match="format 2"):
        decode_identity(_sealed({"format": 2, "other": "fields"}), "f")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"format": 1, "node_id": "n1", "cluster_id": ""}, "no field 'instance_id'"),
        ({"format": 1, "node_id": "n1", "cluster_id": "", "instance_id": 5}, "not a text"),
    ],
)
def test_an_identity_without_its_fields_is_refused(fields, reason):
    with pytest.raises(Damaged, match=reason):
        decode_identity(_sealed(fields), "f")


@pytest.mark.parametrize("data", [b"", b"[]", b"5", b"\xff", b"{", b"[" * 100_000])
def test_an_identity_that_is_no_json_object_is_refused(data):
    with pytest.raises(Damaged):
        decode_identity(data, "f")


def _sealed(fields):
    from minicloud.storage import identity

    return identity._with_checksum(fields)


def test_a_crash_at_any_step_of_making_a_folder_leaves_a_new_one_or_a_whole_one():
    for step in range(100):
        files = MemoryFiles()
        crash_before(files, step)
        crashed = run_until_crash(lambda files=files: open_storage(files))
        for survivor in every_outcome(files, range(8)):
            is_made = survivor.exists("identity.json")
            storage = open_storage(survivor)
            assert storage.is_new != is_made
            assert storage.recovered.entries == ()
            append_synced(storage, entries(1, 3))
        if not crashed:
            return
    pytest.fail("it never opened")


@pytest.mark.parametrize("what", ["votes", "snapshot", "second segment", "entries"])
def test_a_folder_with_state_and_without_identity_is_not_taken_for_a_new_one(what):
    files = MemoryFiles()
    open_storage(files).close()
    files.remove("identity.json")
    if what == "votes":
        files.put("hard_state", encode_hard_state(HardState(1, "")))
    elif what == "snapshot":
        files.put(f"snapshots/{1:020d}-{1:020d}.snapshot", b"")
    elif what == "second segment":
        files.put("log/0000000000000002.log", files.content("log/0000000000000001.log"))
    else:
        files.put("log/0000000000000001.log", files.content("log/0000000000000001.log") + b"x")
    before = files.list("")
    with pytest.raises(Damaged, match="it is missing, but there is"):
        open_storage(files)
    assert files.list("") == before


def test_files_of_other_names_are_left_alone(files):
    storage = open_in_cluster(files)
    strangers = ["readme.txt", "log/1.log", "log/0000000000000001.log.bak", "snapshots/mine"]
    for path in strangers:
        files.create(path).close()
    append_synced(storage, entries(1, 9))
    take_snapshot(storage, meta(9))
    storage = reopened(storage, files)
    assert storage.recovered.notes == ()
    assert all(files.exists(path) for path in strangers)


def test_what_was_left_unfinished_is_removed(files):
    storage = open_in_cluster(files)
    leftovers = ["hard_state.tmp", "identity.json.tmp", "log/0000000000000002.log.tmp", "snapshots/3.tmp"]
    for path in leftovers:
        files.create(path).close()
    reopened(storage, files)
    assert not any(files.exists(path) for path in leftovers)


@pytest.mark.parametrize("restarts", [0, 2])
def test_where_the_log_begins_is_the_same_before_and_after_a_restart(files, restarts):
    """The oldest segment may begin with entries that replaced some of the one before it, which is dropped."""
    storage = open_in_cluster(files, segment_bytes=330)
    append_synced(storage, entries(1, 4))
    assert len(log_files(files)) == 2
    append_synced(storage, entries(3, 8, term=2))
    for _ in range(restarts):
        assert storage.log_first_index == 1
        storage.close()
        storage = open_storage(files)
    take_snapshot(storage, meta(6, term=2))
    storage.compact(4)
    assert storage.log_first_index == 3
    for _ in range(5):
        storage.sync()
    storage = reopened(storage, files)
    assert storage.log_first_index == 3
    assert storage.recovered.entries == tuple(entries(3, 8, term=2))


def test_a_large_segment_that_waits_for_its_removal_is_whole(files, monkeypatch):
    monkeypatch.setattr(garbage, "SLICE_BYTES", 100)
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 60))
    take_snapshot(storage, meta(60))
    storage.compact(60)
    storage.sync()
    assert reopened(storage, files).recovered.entries[-1] == entry(60)


def test_segments_from_before_the_log_began_anew_do_not_matter():
    files = MemoryFiles()
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 40))
    storage.install_snapshot(receive(storage, meta(50), snapshot_bytes(meta(50))))
    void = log_files(files)[:-1]
    for path in void:
        files.flip(path, 20)
    assert open_storage(files.kill()).snapshot == meta(50)
