"""What a power loss may leave of writes that nobody was told of is cut; what had been synced never (segment.py)."""

from __future__ import annotations

from itertools import product
from random import Random

import pytest

from minicloud.storage.errors import Damaged
from minicloud.storage.memory_files import MemoryFiles
from tests.storage.helpers import (
    KeepNothing,
    append_synced,
    entries,
    entry,
    log_files,
    meta,
    open_in_cluster,
    open_storage,
    take_snapshot,
)

BIG_SEGMENT_BYTES = 1 << 20
SECTOR_BYTES = 512


def with_batch(*batches):
    """Three synced entries, then batches without a sync. Returns the files, the segment, where the batches begin."""
    files = MemoryFiles()
    storage = open_in_cluster(files, BIG_SEGMENT_BYTES)
    append_synced(storage, entries(1, 3))
    (path,) = log_files(files)
    start = files.size(path)
    for batch in batches:
        storage.append(batch)
    return files.kill().clone(), path, start


def damage(files, path, content):
    damaged = files.clone()
    damaged.put(path, bytes(content))
    return damaged


@pytest.mark.parametrize(
    "tail", [bytes(1), bytes(7), bytes(8), bytes(12), bytes(5000), b"\0\0\0\5", b"{", b"\xff" * 600]
)
def test_a_tail_that_is_no_record_is_cut_and_noted(tail):
    files, path, _ = with_batch()
    files.put(path, files.content(path) + tail)
    storage = open_storage(files)
    assert storage.recovered.entries == tuple(entries(1, 3))
    assert len(storage.recovered.notes) == 1


def test_a_tail_of_random_bytes_is_cut():
    for seed in range(50):
        random = Random(seed)
        files, path, _ = with_batch()
        files.put(path, files.content(path) + random.randbytes(random.randint(1, 3000)))
        assert open_storage(files).recovered.entries == tuple(entries(1, 3))


def test_a_cut_tail_is_noted_once():
    files, path, _ = with_batch()
    files.put(path, files.content(path) + b"torn")
    open_storage(files).close()
    storage = open_storage(files)
    assert storage.recovered.notes == ()
    assert storage.recovered.entries == tuple(entries(1, 3))
    assert len(log_files(files)) == 2


def test_a_batch_of_which_any_sectors_are_missing_is_cut_before_the_first_hole():
    batch = [entry(index, text="x" * 300) for index in range(4, 10)]
    files, path, start = with_batch(batch)
    content = files.content(path)
    first = start // SECTOR_BYTES
    count = -(-len(content) // SECTOR_BYTES) - first
    assert 4 <= count <= 8
    for survives in product((True, False), repeat=count):
        partly = bytearray(content)
        for number, survived in enumerate(survives):
            begin = max(start, (first + number) * SECTOR_BYTES)
            end = min(len(content), (first + number + 1) * SECTOR_BYTES)
            if not survived:
                partly[begin:end] = bytes(end - begin)
        found = open_storage(damage(files, path, partly)).recovered.entries
        assert found == (*entries(1, 3), *batch)[: len(found)]
        assert len(found) >= 3
        if all(survives):
            assert len(found) == 9


def test_two_appends_of_one_sync_of_which_the_first_is_missing_are_both_cut():
    files, path, start = with_batch([entry(4, text="x" * 1200)], [entry(5)])
    content = bytearray(files.content(path))
    content[start + 100 : start + 1100] = bytes(1000)
    storage = open_storage(damage(files, path, content))
    assert storage.recovered.entries == tuple(entries(1, 3))
    assert len(storage.recovered.notes) == 1


def test_a_flipped_byte_in_the_middle_of_the_newest_batch_is_refused():
    """Nothing is missing there, so no power loss did it, though nothing proves that the batch had been synced."""
    files, path, start = with_batch(entries(4, 6))
    files.flip(path, start + 30)
    with pytest.raises(Damaged) as caught:
        open_storage(files)
    assert caught.value.offset == start


def test_a_hole_in_what_a_later_record_proves_is_refused_however_it_looks():
    files, _, _ = with_batch()
    storage = open_storage(files, BIG_SEGMENT_BYTES)
    append_synced(storage, [entry(4, text="x" * 1200), entry(5)])
    path = log_files(files)[-1]
    content = bytearray(files.content(path))
    hole = content.index(b"xxx")
    content[hole : hole + 1100] = bytes(1100)
    with pytest.raises(Damaged):
        open_storage(damage(files, path, content))


def test_a_hole_in_what_was_carried_over_is_refused_however_it_looks():
    files, path, start = with_batch([entry(4, text="x" * 1200)])
    content = bytearray(files.content(path))
    storage = open_storage(files, BIG_SEGMENT_BYTES)
    append_synced(storage, [entry(5)])
    storage.close()
    paths = log_files(files)
    assert len(paths) == 2, "what was not proven was carried over"
    newest = bytearray(files.content(paths[1]))
    hole = newest.index(b"xxx")
    newest[hole : hole + 1100] = bytes(1100)
    with pytest.raises(Damaged) as caught:
        open_storage(damage(files, paths[1], newest))
    assert caught.value.file.endswith(paths[1])
    content[start:] = bytes(len(content) - start)  # what was carried over does not count where it was before
    assert len(open_storage(damage(files, path, content)).recovered.entries) == 5


def test_a_segment_whose_carried_records_are_cut_off_is_refused():
    files, _, _ = with_batch(entries(4, 6))
    open_storage(files)
    files = files.kill().clone()
    newest = log_files(files)[-1]
    content = files.content(newest)
    boundary = len(content) // 2
    for size in range(boundary, len(content)):
        with pytest.raises(Damaged):
            open_storage(damage(files, newest, content[:size]))


def test_a_record_hidden_in_a_value_is_never_taken_for_one():
    """Not even the bytes of a real record help: a record is good at its own place only."""
    files, path, start = with_batch(entries(4, 5))
    record = files.content(path)[start:]
    torn = files.content(path)[:start] + b"\0\0\xff\xff1234" + record
    storage = open_storage(damage(files, path, torn))
    assert storage.recovered.entries == tuple(entries(1, 3))


def test_after_a_failed_sync_and_a_restart_what_is_shown_is_on_disk():
    """The system calls lost pages clean and shows them; a restart must not answer on their strength alone."""
    files = MemoryFiles()
    storage = open_in_cluster(files)
    append_synced(storage, entries(1, 3))
    storage.append(entries(4, 6))
    files.fail_sync()
    with pytest.raises(Exception, match="system refused"):
        storage.sync()
    files = files.kill()
    assert open_storage(files).recovered.entries == tuple(entries(1, 6))
    files = files.crash(KeepNothing())
    assert open_storage(files).recovered.entries == tuple(entries(1, 6))


def test_restarts_without_writes_do_not_make_segments():
    files, _, _ = with_batch(entries(4, 6))
    for _ in range(5):
        storage = open_storage(files)
        assert storage.recovered.entries == tuple(entries(1, 6))
        files = files.kill()
    assert len(log_files(files)) == 2


def test_what_was_carried_over_is_compacted_no_sooner_than_the_snapshot_covers_it():
    files, _, _ = with_batch([entry(4)], entries(3, 9, term=2))
    storage = open_in_cluster(files, segment_bytes=100)
    assert storage.log_first_index == 1
    append_synced(storage, entries(10, 14, term=2))
    take_snapshot(storage, meta(5, term=2))
    storage.compact(5)
    for _ in range(9):
        storage.sync()
    assert storage.log_first_index == 3, "the first segment went, with what was replaced in it"
    log_bytes = storage.log_bytes
    storage.close()
    again = open_storage(files)
    assert again.log_first_index == 3
    assert again.recovered.entries == tuple(entries(3, 14, term=2))
    assert again.log_bytes == log_bytes


def test_only_what_counts_of_a_segment_is_counted():
    files, path, _ = with_batch(entries(4, 6))
    storage = open_storage(files, BIG_SEGMENT_BYTES)
    assert storage.log_bytes < files.size(path) + files.size(log_files(files)[1])
    log_bytes = storage.log_bytes
    storage.close()
    assert open_storage(files, BIG_SEGMENT_BYTES).log_bytes == log_bytes


def test_an_end_that_was_replaced_and_carried_over_reads_as_before():
    files, _, _ = with_batch(entries(3, 6, term=2), entries(2, 4, term=3))
    expected = (entry(1), *entries(2, 4, term=3))
    for _ in range(3):
        storage = open_storage(files, segment_bytes=100)
        assert storage.recovered.entries == expected
        assert storage.log_first_index == 1
        storage.append([entry(5, 3)])  # never synced, but kept by a killed process
        expected = (*expected[:4], entry(5, 3))
        files = files.kill()
    storage = open_storage(files)
    storage.append(entries(3, 9, term=4))
    storage.sync()
    files = files.crash(KeepNothing())
    assert open_storage(files).recovered.entries == (entry(1), entry(2, 3), *entries(3, 9, term=4))
