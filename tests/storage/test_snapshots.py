"""Taking, sending, receiving and installing snapshots."""

from __future__ import annotations

from pathlib import Path

import pytest

from minicloud.raft.configuration import Configuration, Member
from minicloud.raft.entries import SnapshotMeta
from minicloud.storage import garbage
from minicloud.storage.errors import BadSnapshot, Damaged
from minicloud.storage.frames import MAX_PAYLOAD_BYTES, magic
from minicloud.storage.memory_files import MemoryFiles
from minicloud.storage.real_files import RealFiles
from minicloud.storage.snapshot_format import READ_BYTES, snapshot_record
from minicloud.storage.snapshot_intake import SYNC_BYTES
from minicloud.wire.limits import MAX_CHUNK_BYTES
from tests.storage.helpers import (
    CLUSTER_ID,
    append_synced,
    entries,
    entry,
    log_files,
    meta,
    open_in_cluster,
    open_storage,
    receive,
    snapshot_bytes,
    take_snapshot,
)

PAYLOADS = [b'{"p":1}', b'{"p":"' + b"x" * 700_000 + b'"}', b'{"p":3}']


@pytest.fixture(params=["real", "memory"])
def files(request, tmp_path):
    return RealFiles(tmp_path / "n1") if request.param == "real" else MemoryFiles()


@pytest.fixture
def storage(files):
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 20))
    return storage


def reopened(storage, files):
    storage.close()
    return open_storage(files)


def snapshots_on_disk(files):
    return files.list("snapshots")


def payloads_of(storage):
    source = storage.open_snapshot()
    try:
        return list(source.records())
    finally:
        source.close()


def test_a_snapshot_is_there_again_with_all_its_payloads(files, storage):
    take_snapshot(storage, meta(15), PAYLOADS)
    for current in (storage, None):
        current = current or reopened(storage, files)
        source = current.open_snapshot()
        assert source.meta == meta(15) == current.snapshot
        assert source.cluster_id == CLUSTER_ID
        assert list(source.records()) == PAYLOADS
        assert list(source.records()) == PAYLOADS
        assert source.total_bytes == current.snapshot_bytes == files.size(f"snapshots/{snapshots_on_disk(files)[0]}")
        source.close()
        source.close()
    assert current.recovered.snapshot == meta(15)
    assert current.recovered.entries == tuple(entries(1, 20))


def test_24_a_snapshot_carries_configuration_and_cluster_id(files, storage):
    members = (Member("n1", "h:1", "h:2"), Member("n2", "h:3", "h:4", instance_id="b" * 32))
    wanted = SnapshotMeta(15, 1, Configuration(members), 9)
    take_snapshot(storage, wanted)
    storage = reopened(storage, files)
    assert storage.recovered.snapshot == wanted
    assert storage.open_snapshot().cluster_id == CLUSTER_ID


def test_a_snapshot_without_payloads_is_one(files, storage):
    take_snapshot(storage, meta(3), [])
    assert payloads_of(reopened(storage, files)) == []


def test_a_snapshot_is_read_in_chunks_that_the_peer_links_can_send(storage):
    assert READ_BYTES <= MAX_CHUNK_BYTES
    take_snapshot(storage, meta(15), PAYLOADS)
    source = storage.open_snapshot()
    data = b""
    while part := source.read(len(data), 10**9):
        assert len(part) <= MAX_CHUNK_BYTES
        data += part
    assert len(data) == source.total_bytes
    assert source.read(5, 10) == data[5:15]
    assert data == snapshot_bytes(meta(15), PAYLOADS)


def read_in_order(source):
    offset = 0
    while offset < source.total_bytes:
        offset += len(source.read(offset, READ_BYTES))


def change_newest(files, change):
    """Change the bytes of the newest snapshot behind the back of whoever reads it."""
    path = f"snapshots/{snapshots_on_disk(files)[0]}"
    if isinstance(files, MemoryFiles):
        file = files._file(path)
        file.content[:] = file.durable[:] = change(files.content(path))
    else:
        file = Path(files.describe(path))
        file.write_bytes(change(file.read_bytes()))


@pytest.mark.parametrize("place", [0, len("minicloud snapshot "), 0.5, -1], ids=["kind", "version", "middle", "end"])
def test_what_the_disk_has_changed_is_not_read_to_be_sent(files, storage, place):
    take_snapshot(storage, meta(15), PAYLOADS)
    source = storage.open_snapshot()
    read_in_order(source)
    source.close()

    def flip(content):
        at = len(content) // 2 if place == 0.5 else place % len(content)
        return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]

    change_newest(files, flip)
    source = storage.open_snapshot()
    with pytest.raises(Damaged, match="snapshot"):
        read_in_order(source)
    source.close()
    assert storage.is_snapshot_damaged
    assert storage.open_snapshot() is None
    take_snapshot(storage, meta(16), PAYLOADS)  # this is no failure of the disk
    assert not storage.is_snapshot_damaged
    assert payloads_of(reopened(storage, files)) == PAYLOADS


def test_a_damaged_snapshot_can_be_taken_again_as_soon_as_nobody_reads_it(files, storage):
    take_snapshot(storage, meta(15), PAYLOADS)
    reader, other = storage.open_snapshot(), storage.open_snapshot()
    assert storage.create_snapshot(meta(15)).commit() is False, "it is good"
    change_newest(files, lambda content: content[:-1])
    with pytest.raises(Damaged):
        read_in_order(reader)
    reader.close()
    assert storage.create_snapshot(meta(15)).commit() is False, "it is read"
    other.close()
    take_snapshot(storage, meta(15), [b"1"])
    assert not storage.is_snapshot_damaged
    assert len(snapshots_on_disk(files)) == 1
    assert payloads_of(storage) == [b"1"]
    storage.sync()
    assert payloads_of(reopened(storage, files)) == [b"1"]


def test_damage_to_a_snapshot_that_has_a_successor_does_not_matter(files, storage):
    take_snapshot(storage, meta(15), PAYLOADS)
    reader = storage.open_snapshot()
    change_newest(files, lambda content: content[:-1])
    take_snapshot(storage, meta(16), PAYLOADS)
    with pytest.raises(Damaged):
        read_in_order(reader)
    assert not storage.is_snapshot_damaged
    reader.close()
    assert payloads_of(storage) == PAYLOADS


def test_what_is_read_from_its_start_again_is_checked_again(files, storage):
    take_snapshot(storage, meta(15), PAYLOADS)
    source = storage.open_snapshot()
    source.read(0, READ_BYTES)
    change_newest(files, lambda content: content[:30] + b"!" + content[31:])
    with pytest.raises(Damaged):
        read_in_order(source)


def test_what_has_lost_its_end_is_not_read_to_be_sent(files, storage):
    take_snapshot(storage, meta(15), PAYLOADS)
    change_newest(files, lambda content: content[:-1])
    with pytest.raises(Damaged, match="cut short"):
        read_in_order(storage.open_snapshot())


def test_a_newer_snapshot_takes_the_place_of_the_older(files, storage):
    take_snapshot(storage, meta(10), PAYLOADS)
    take_snapshot(storage, meta(15), [b"1"])
    storage.sync()
    assert len(snapshots_on_disk(files)) == 1
    assert reopened(storage, files).snapshot == meta(15)


def test_22_a_snapshot_that_was_overtaken_is_given_up(files, storage):
    slow = storage.create_snapshot(meta(10))
    slow.write(b'{"old":1}')
    take_snapshot(storage, meta(15), [b'{"new":1}'])
    assert slow.commit() is False
    slow.abort()
    assert storage.snapshot == meta(15)
    assert len(snapshots_on_disk(files)) == 1
    assert payloads_of(storage) == [b'{"new":1}']


def test_a_snapshot_that_is_being_read_stays_until_its_last_reader_is_done(files, storage):
    take_snapshot(storage, meta(10), PAYLOADS)
    readers = [storage.open_snapshot(), storage.open_snapshot()]
    take_snapshot(storage, meta(15), [b"1"])
    take_snapshot(storage, meta(16), [b"1"])
    storage.sync()
    assert len(snapshots_on_disk(files)) == 2
    assert list(readers[0].records()) == PAYLOADS
    readers[0].close()
    storage.sync()
    assert readers[1].read(0, 10) == b"minicloud "
    readers[1].close()
    storage.sync()
    assert len(snapshots_on_disk(files)) == 1
    reader = storage.open_snapshot()
    reader.close()
    storage.sync()
    assert len(snapshots_on_disk(files)) == 1


def test_a_large_snapshot_is_removed_in_slices(files, storage, monkeypatch):
    monkeypatch.setattr(garbage, "SLICE_BYTES", 200_000)
    take_snapshot(storage, meta(10), PAYLOADS)
    old = f"snapshots/{snapshots_on_disk(files)[0]}"
    size = files.size(old)
    take_snapshot(storage, meta(15), [b"1"])
    for step in range(1, 3):
        storage.sync()
        assert files.size(old) == size - 200_000 * step
    storage.sync()
    storage.sync()
    assert not files.exists(old)


def test_a_snapshot_that_is_given_up_leaves_nothing(files, storage):
    take_snapshot(storage, meta(5))
    writer = storage.create_snapshot(meta(10))
    writer.write(b"1")
    writer.abort()
    writer.abort()
    assert len(snapshots_on_disk(files)) == 1
    assert storage.snapshot == meta(5)
    with pytest.raises(ValueError):
        writer.write(b"1")
    with pytest.raises(ValueError):
        writer.commit()


def test_an_abort_after_the_commit_does_nothing(storage):
    writer = storage.create_snapshot(meta(10))
    assert writer.commit() is True
    writer.abort()
    assert payloads_of(storage) == []


def test_a_payload_that_would_end_the_snapshot_or_is_too_long_is_the_callers_fault(storage):
    writer = storage.create_snapshot(meta(10))
    for payload in (b"", bytes(MAX_PAYLOAD_BYTES + 1)):
        with pytest.raises(ValueError):
            writer.write(payload)
    writer.write(b"1")
    writer.commit()
    assert payloads_of(storage) == [b"1"]


def test_a_snapshot_needs_its_entry_in_the_log_and_a_cluster(files, storage):
    for wrong in (meta(21), meta(10, term=2), meta(0)):
        with pytest.raises(ValueError):
            storage.create_snapshot(wrong)
    lonely = open_storage(MemoryFiles())
    append_synced(lonely, entries(1, 2))
    with pytest.raises(ValueError, match="none yet"):
        lonely.create_snapshot(meta(1))
    with pytest.raises(ValueError, match="none yet"):
        lonely.receive_snapshot(meta(1), 100)


def test_a_long_snapshot_is_synced_as_it_grows():
    files = MemoryFiles()
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 3))
    unsynced = [0]

    def before_step(operation, path):
        if operation == "sync":
            unsynced.append(0)

    files.before_step = before_step
    writer = storage.create_snapshot(meta(3))
    for _ in range(40):
        writer.write(b'"' + b"x" * 100_000 + b'"')
        unsynced[-1] += 100_000
    writer.commit()
    assert max(unsynced) <= SYNC_BYTES + 100_000


# Receiving and installing


@pytest.mark.parametrize("chunk_bytes", [1, 7, 100, 10**9])
def test_a_snapshot_arrives_in_chunks_of_any_size(chunk_bytes):
    storage = open_in_cluster(MemoryFiles())
    payloads = [b'{"p":1}', b'"' + b"x" * 300 + b'"']
    incoming = receive(storage, meta(50), snapshot_bytes(meta(50), payloads), chunk_bytes)
    assert incoming.is_complete
    assert list(incoming.records()) == payloads


def test_an_installed_snapshot_voids_a_log_that_does_not_reach_it(files, storage):
    incoming = receive(storage, meta(50), snapshot_bytes(meta(50), PAYLOADS))
    assert incoming.meta == meta(50)
    assert incoming.received_bytes == incoming.total_bytes
    assert list(incoming.records()) == PAYLOADS
    assert storage.install_snapshot(incoming) is True
    assert storage.snapshot == meta(50)
    assert storage.log_first_index == 51
    append_synced(storage, entries(51, 53))
    storage = reopened(storage, files)
    assert storage.recovered.snapshot == meta(50)
    assert storage.recovered.entries == tuple(entries(51, 53))
    assert payloads_of(storage) == PAYLOADS
    assert storage.recovered.notes == ()


def test_an_installed_snapshot_voids_a_log_that_contradicts_it(files, storage):
    storage.install_snapshot(receive(storage, meta(15, 2), snapshot_bytes(meta(15, 2))))
    assert storage.log_first_index == 16
    assert reopened(storage, files).recovered.entries == ()


def test_an_installed_snapshot_keeps_a_log_that_goes_on_after_it(files, storage):
    storage.install_snapshot(receive(storage, meta(15), snapshot_bytes(meta(15))))
    assert storage.log_first_index == 1
    append_synced(storage, [entry(21)])
    storage.compact(15)
    first = storage.log_first_index
    assert 1 < first <= 16
    for _ in range(20):
        storage.sync()
    assert reopened(storage, files).recovered.entries == tuple(entries(first, 21))


def test_the_segments_of_a_voided_log_are_removed(files, storage):
    storage.install_snapshot(receive(storage, meta(50), snapshot_bytes(meta(50))))
    for _ in range(20):
        storage.sync()
    assert len(log_files(files)) == 1


def test_22_an_old_snapshot_after_a_newer_one_is_given_up(files, storage):
    take_snapshot(storage, meta(15), [b"1"])
    for old in (meta(15), meta(9)):
        incoming = receive(storage, old, snapshot_bytes(old))
        assert storage.install_snapshot(incoming) is False
    assert storage.snapshot == meta(15)
    assert storage.log_first_index == 1
    assert len(snapshots_on_disk(files)) == 1


def test_a_chunk_that_comes_again_or_too_early_is_ignored(storage):
    data = snapshot_bytes(meta(50))
    incoming = storage.receive_snapshot(meta(50), len(data))
    incoming.write_chunk(10, data[10:20])
    assert incoming.received_bytes == 0
    incoming.write_chunk(0, data[:60])
    incoming.write_chunk(0, data[:60])
    incoming.write_chunk(30, data[30:90])
    incoming.write_chunk(60, b"")
    assert incoming.received_bytes == 60
    assert not incoming.is_complete
    incoming.write_chunk(60, data[60:])
    incoming.write_chunk(len(data), b"more")
    assert incoming.is_complete


def test_an_incomplete_snapshot_can_be_neither_read_nor_installed(files, storage):
    data = snapshot_bytes(meta(50))
    incoming = storage.receive_snapshot(meta(50), len(data))
    incoming.write_chunk(0, data[:-1])
    with pytest.raises(ValueError):
        storage.install_snapshot(incoming)
    with pytest.raises(ValueError):
        next(incoming.records())
    incoming.abort()
    incoming.abort()
    assert snapshots_on_disk(files) == []


def test_43_a_flipped_byte_anywhere_in_what_a_peer_sends_is_refused():
    storage = open_in_cluster(MemoryFiles())
    append_synced(storage, entries(1, 5))
    data = snapshot_bytes(meta(50))
    for offset in range(len(data)):
        flipped = data[:offset] + bytes([data[offset] ^ 1]) + data[offset + 1 :]
        with pytest.raises(BadSnapshot) as caught:
            receive(storage, meta(50), flipped, chunk_bytes=64)
        assert "\n" not in str(caught.value)
    assert storage._files.list("snapshots") == []
    assert storage.snapshot is None
    assert storage.install_snapshot(receive(storage, meta(50), data))


def test_a_snapshot_cut_short_or_with_more_behind_it_is_refused(storage):
    data = snapshot_bytes(meta(50))
    for size in range(1, len(data)):
        with pytest.raises(BadSnapshot, match="cut short"):
            receive(storage, meta(50), data[:size])
    with pytest.raises(BadSnapshot, match="follows the end"):
        receive(storage, meta(50), data + b"x")
    incoming = storage.receive_snapshot(meta(50), len(data) - 1)
    with pytest.raises(BadSnapshot, match="were announced"):
        incoming.write_chunk(0, data)
    assert not incoming.is_complete


def test_another_snapshot_than_was_announced_is_refused(storage):
    with pytest.raises(BadSnapshot, match="another snapshot"):
        receive(storage, meta(51), snapshot_bytes(meta(50)))


def test_a_snapshot_of_another_cluster_is_refused():
    other = open_storage(MemoryFiles())
    other.set_cluster("d" * 32)
    with pytest.raises(BadSnapshot, match="another snapshot"):
        receive(other, meta(50), snapshot_bytes(meta(50)))


def test_34_a_snapshot_on_disk_of_another_cluster_or_index_is_refused():
    for cluster_id, index, reason in ((CLUSTER_ID, 49, "index 49"), ("d" * 32, 50, "of cluster")):
        files = MemoryFiles()
        storage = open_storage(files)
        storage.set_cluster(cluster_id)
        storage.close()
        files.put(f"snapshots/{50:020d}-{1:020d}.snapshot", snapshot_bytes(meta(index)))
        with pytest.raises(Damaged, match=reason):
            open_storage(files)


def test_a_snapshot_that_the_disk_did_not_keep_is_not_served():
    files = MemoryFiles()
    storage = open_in_cluster(files)
    data = snapshot_bytes(meta(50), [b'{"p":1}', b'{"p":2}'])
    incoming = receive(storage, meta(50), data)
    files.flip(f"snapshots/{files.list('snapshots')[0]}", len(data) - 20)
    with pytest.raises(Damaged):
        list(incoming.records())
    storage.install_snapshot(incoming)
    with pytest.raises(Damaged):
        payloads_of(storage)


def test_a_snapshot_whose_first_record_is_no_header_is_refused():
    storage = open_in_cluster(MemoryFiles())
    start = magic("snapshot")
    for payload in (b"{}", b""):
        with pytest.raises(BadSnapshot, match="no snapshot header"):
            receive(storage, meta(50), start + snapshot_record(len(start), payload))


def test_a_snapshot_that_is_being_read_can_be_installed_or_given_up(files, storage):
    """On Windows a file that is open can be neither renamed nor removed."""
    data = snapshot_bytes(meta(50), PAYLOADS)
    given_up = receive(storage, meta(50), data)
    assert next(given_up.records()) == PAYLOADS[0]
    given_up.abort()
    assert snapshots_on_disk(files) == []
    installed = receive(storage, meta(50), data)
    records = installed.records()
    assert next(records) == PAYLOADS[0]
    assert storage.install_snapshot(installed)
    records.close()
    installed.abort()
    with pytest.raises(ValueError):
        storage.install_snapshot(installed)
    assert payloads_of(storage) == PAYLOADS
