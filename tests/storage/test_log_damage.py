"""Scenarios 42 and 43: cut or refused, never served."""

from __future__ import annotations

import pytest

from minicloud.raft.entries import HardState
from minicloud.storage.errors import REBUILD_ADVICE, Damaged, StorageError, UnsupportedFormat
from minicloud.storage.files import read_all
from minicloud.storage.memory_files import MemoryFiles
from minicloud.storage.real_files import RealFiles
from minicloud.storage.segment import read_header, read_newest_segment
from tests.storage.helpers import (
    append_synced,
    entries,
    entry,
    log_files,
    meta,
    open_in_cluster,
    open_storage,
    take_snapshot,
)

MASKS = (0x01, 0x80, 0xFF)


def several_segments(is_closed):
    """Some segments, a replaced end, a batch, and what must be read back."""
    files = MemoryFiles()
    storage = open_in_cluster(files, segment_bytes=250)
    append_synced(storage, entries(1, 12))
    append_synced(storage, entries(11, 14, term=2))
    storage.append(entries(15, 17, term=2))
    storage.sync()
    append_synced(storage, entries(18, 19, term=2))
    if is_closed:
        storage.close()
    written = (*entries(1, 10), *entries(11, 19, term=2))
    assert len(log_files(files)) >= 4
    return files.kill().clone(), written


def opened(files):
    """Return what opens, or the refusal."""
    try:
        return open_storage(files)
    except StorageError as error:
        return error


@pytest.mark.parametrize("is_closed", [False, True])
def test_42_a_log_truncated_at_any_byte_opens_with_a_prefix_or_is_refused(is_closed):
    files, written = several_segments(is_closed)
    newest = log_files(files)[-1]
    prefixes, silent = set(), set()
    for path in log_files(files):
        content = files.content(path)
        for size in range(len(content)):
            shorter = files.clone()
            shorter.put(path, content[:size])
            result = opened(shorter)
            if isinstance(result, Damaged):
                assert result.file.endswith(path)
                assert 0 <= result.offset <= size
                continue
            assert path == newest, "only the newest segment has a tail"
            found = result.recovered.entries
            assert found == written[: len(found)]
            prefixes.add(len(found))
            if result.recovered.notes:
                (note,) = result.recovered.notes
                assert path in note
                assert "cut short" in note
            else:
                silent.add(size)
    assert max(prefixes) >= len(written) - 1
    assert silent <= _record_boundaries(files, newest), "a cut between two records can't be seen, any other is noted"


def _record_boundaries(files, path):
    number = int(path[4:20])
    header, start = read_header(files, number)
    content = read_newest_segment(files, number, header, start)
    mark_bytes = 12
    return {start, *content.offsets, content.end, content.end - mark_bytes}


@pytest.mark.parametrize("is_closed", [False, True])
@pytest.mark.parametrize("mask", MASKS)
def test_43_a_flipped_byte_anywhere_in_the_log_is_refused_or_in_the_last_record_cut(mask, is_closed):
    files, written = several_segments(is_closed)
    newest = log_files(files)[-1]
    for path in log_files(files):
        for offset in range(len(files.content(path))):
            damaged = files.clone()
            damaged.flip(path, offset, mask)
            result = opened(damaged)
            if isinstance(result, StorageError):
                assert isinstance(result, Damaged | UnsupportedFormat)
                assert result.file.endswith(path)
                continue
            assert path == newest
            assert result.recovered.notes
            # the mark that a log in good order ends with protects every entry
            assert result.recovered.entries == (written if is_closed else written[:-1])


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("path", ["identity.json", "hard_state", "snapshot"])
def test_43_a_flipped_byte_in_any_other_file_is_refused(path, mask):
    files = _with_everything()
    path = _snapshot_path(files) if path == "snapshot" else path
    for offset in range(len(files.content(path))):
        damaged = files.clone()
        damaged.flip(path, offset, mask)
        before = damaged.clone()
        with pytest.raises((Damaged, UnsupportedFormat)) as caught:
            open_storage(damaged)
        assert caught.value.file.endswith(path)
        assert "\n" not in str(caught.value)
        assert _all_contents(damaged) == _all_contents(before), "a refusal changes nothing"


@pytest.mark.parametrize("path", ["identity.json", "hard_state", "snapshot"])
def test_42_any_other_file_truncated_at_any_byte_is_refused(path):
    files = _with_everything()
    path = _snapshot_path(files) if path == "snapshot" else path
    content = files.content(path)
    for size in range(len(content)):
        shorter = files.clone()
        shorter.put(path, content[:size])
        with pytest.raises(Damaged) as caught:
            open_storage(shorter)
        assert caught.value.file.endswith(path)
        assert caught.value.offset <= size


@pytest.mark.parametrize("path", ["identity.json", "hard_state", "snapshot"])
def test_anything_after_the_end_of_a_file_is_refused(path):
    files = _with_everything()
    path = _snapshot_path(files) if path == "snapshot" else path
    size = files.size(path)
    files.put(path, files.content(path) + b"\n")
    with pytest.raises(Damaged) as caught:
        open_storage(files)
    assert caught.value.offset == size


def _with_everything():
    files = MemoryFiles()
    storage = open_in_cluster(files)
    storage.save_hard_state(HardState(7, "n1"))
    append_synced(storage, entries(1, 5))
    take_snapshot(storage, meta(4), [b'{"some":"payload"}', b'{"another":"one"}'])
    storage.close()
    return files.kill().clone()


def _snapshot_path(files):
    (name,) = files.list("snapshots")
    return f"snapshots/{name}"


def _all_contents(files):
    paths = [*files.list(""), *log_files(files), *(f"snapshots/{name}" for name in files.list("snapshots"))]
    return {path: files.content(path) for path in paths}


def test_the_refusal_says_where_it_is_and_how_to_rebuild():
    files, _ = several_segments(True)
    path = log_files(files)[1]
    files.flip(path, 150)
    with pytest.raises(Damaged) as caught:
        open_storage(files)
    text = str(caught.value)
    assert path in text
    assert f"byte {caught.value.offset}" in text
    assert REBUILD_ADVICE in text
    assert "\n" not in text


@pytest.mark.parametrize("which", [0, 1, -2])
def test_a_segment_that_is_missing_is_refused(which):
    files, _ = several_segments(True)
    files.remove(log_files(files)[which])
    with pytest.raises(Damaged, match="missing"):
        open_storage(files)


def test_a_log_folder_without_segments_is_refused():
    files, _ = several_segments(True)
    for path in log_files(files):
        files.remove(path)
    with pytest.raises(Damaged, match="no segment"):
        open_storage(files)


def test_a_snapshot_that_is_missing_is_refused_where_the_log_begins_after_it():
    files = MemoryFiles()
    storage = open_in_cluster(files, segment_bytes=200)
    append_synced(storage, entries(1, 20))
    take_snapshot(storage, meta(15))
    storage.compact(15)
    append_synced(storage, entries(21, 30))
    storage.close()
    files.remove(_snapshot_path(files))
    with pytest.raises(Damaged, match="the entries from 1 on are missing"):
        open_storage(files)


@pytest.mark.parametrize("path", ["identity.json", "hard_state"])
def test_a_missing_identity_or_vote_is_refused_where_there_is_a_log(path):
    files, _ = several_segments(True)
    files.remove(path)
    with pytest.raises(Damaged, match="it is missing"):
        open_storage(files)


def test_segments_that_changed_places_are_refused():
    files, _ = several_segments(True)
    one, two = log_files(files)[:2]
    first, second = files.content(one), files.content(two)
    files.put(one, second)
    files.put(two, first)
    with pytest.raises(Damaged):
        open_storage(files)


def test_a_record_that_is_no_entry_is_refused():
    files = MemoryFiles()
    storage = open_in_cluster(files)
    storage.append([entry(1)])
    storage.sync()
    storage._log.append([_NotAnEntry()])
    storage._log._file.sync()
    files = files.kill()
    with pytest.raises(Damaged, match="no entry"):
        open_storage(files)


class _NotAnEntry:
    """Encodes to something that the wire room refuses."""

    term = 1
    index = -1
    kind = entry(1).kind
    data = b"{}"
    configuration = None


def test_a_gap_between_records_is_refused():
    files = MemoryFiles()
    storage = open_in_cluster(files)
    storage.append([entry(1)])
    storage.sync()
    storage._log._terms.next_index = 3  # what no caller can do
    storage._log.append([entry(3)])
    storage._log.sync()
    with pytest.raises(Damaged, match="entry 3 follows entry 1"):
        open_storage(files.kill())


def test_42_43_the_same_holds_on_a_real_disk(tmp_path):
    files = RealFiles(tmp_path / "n1")
    storage = open_storage(files, segment_bytes=250)
    append_synced(storage, entries(1, 8))
    storage.close()
    paths = [tmp_path / "n1" / "log" / name for name in files.list("log")]
    assert len(paths) > 1
    for path in paths:
        content = path.read_bytes()
        for offset in range(0, len(content), 7):
            flipped = bytes([content[offset] ^ 0xFF])
            for damaged in (content[:offset], content[:offset] + flipped + content[offset + 1 :]):
                path.write_bytes(damaged)
                result = opened(files)
                if not isinstance(result, StorageError):
                    found = result.recovered.entries
                    assert found == tuple(entries(1, 8))[: len(found)]
                    result.close()
                    _remove_what_the_recovery_made(files, paths)
        path.write_bytes(content)
    assert len(read_all(files, "identity.json"))


def _remove_what_the_recovery_made(files, paths):
    for name in files.list("log"):
        if name not in {path.name for path in paths}:
            files.remove(f"log/{name}")
