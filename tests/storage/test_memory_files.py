"""The simulated disk loses exactly what a real one may lose."""

from __future__ import annotations

import errno
from random import Random

import pytest

from minicloud.storage.files import read_all
from minicloud.storage.memory_files import MachineStopped, MemoryFiles
from tests.storage.helpers import KeepAll, KeepNothing

SEEDS = range(200)


def with_file(content=b"synced"):
    files = MemoryFiles()
    file = files.create("a")
    file.write(content)
    file.sync()
    files.sync_dir("")
    return files, file


def outcomes(make):
    """All contents of file "a" that power losses leave, None where it is gone."""
    found = set()
    for seed in SEEDS:
        survivor = make().crash(Random(seed))
        found.add(survivor.content("a") if survivor.exists("a") else None)
    return found


def test_what_was_synced_survives_and_what_was_not_may_not():
    files, file = with_file()
    file.write(b" and more")
    assert files.crash(KeepNothing()).content("a") == b"synced"
    assert files.crash(KeepAll()).content("a") == b"synced and more"


def test_of_unsynced_writes_any_prefix_may_survive():
    def make():
        files, file = with_file(b"")
        file.write(b"ab")
        file.write(b"cd")
        return files

    assert {b"", b"a", b"ab", b"abc", b"abcd"} <= outcomes(make)


def test_an_unsynced_end_may_be_random_bytes():
    def make():
        files, file = with_file(b"")
        file.write(b"x" * 40)
        return files

    assert any(content.strip(b"x\0") for content in outcomes(make))


def test_an_unsynced_sector_may_read_as_zeros_where_a_later_one_survived():
    def make():
        files, file = with_file(b"")
        file.write(b"x" * 1024)
        return files

    assert bytes(512) + b"x" * 512 in outcomes(make)


def test_an_unsynced_truncation_may_be_undone():
    def make():
        files, file = with_file(b"synced")
        file.truncate(2)
        return files

    assert outcomes(make) == {b"sy", b"synced"}


def test_an_unsynced_creation_may_be_undone_though_the_content_was_synced():
    def make():
        files = MemoryFiles()
        file = files.create("a")
        file.write(b"x")
        file.sync()
        return files

    assert outcomes(make) == {b"x", None}


def test_an_unsynced_rename_may_be_undone_and_is_one_step():
    found = set()
    for seed in SEEDS:
        files, file = with_file(b"old")
        file.close()
        new = files.create("a.tmp")
        new.write(b"new")
        new.sync()
        new.close()
        files.sync_dir("")
        files.rename("a.tmp", "a")
        survivor = files.crash(Random(seed))
        found.add((survivor.content("a"), survivor.exists("a.tmp")))
    assert found == {(b"old", True), (b"new", False)}


def test_an_unsynced_removal_may_be_undone():
    def make():
        files, file = with_file()
        file.close()
        files.remove("a")
        return files

    assert outcomes(make) == {b"synced", None}


def test_a_sync_that_fails_loses_what_it_should_have_written_and_the_next_one_says_nothing():
    files, file = with_file()
    files.fail_sync()
    file.write(b"lost")
    with pytest.raises(OSError) as caught:
        file.sync()
    assert caught.value.errno == errno.EIO
    file.write(b"!")
    file.sync()
    assert files.content("a") == b"syncedlost!"
    assert files.crash(KeepAll()).content("a") == b"synced\0\0\0\0!"


def test_what_a_sync_that_failed_has_lost_never_counts_as_synced():
    files, file = with_file()
    files.fail_sync()
    file.write(b"lost")
    with pytest.raises(OSError):
        file.sync()
    file.sync()
    assert not files.is_synced("a")
    assert not files.is_synced("a", len(b"synced") + 1)
    assert files.is_synced("a", len(b"synced"))


def test_what_stands_before_all_changes_is_synced():
    files, file = with_file()
    size = len(b"synced")
    assert files.is_synced("a")
    file.write(b" in part")
    file.truncate(size)
    assert files.content("a") == b"synced"
    assert files.is_synced("a", size)
    assert not files.is_synced("a"), "a power loss may leave the write and not the cut"
    file.truncate(size - 1)
    file.write(b"d")
    assert files.content("a") == b"synced"
    assert not files.is_synced("a", size), "a power loss may leave the cut and not the write"
    file.sync()
    assert files.is_synced("a")


def test_the_sync_of_a_folder_can_fail_too():
    files, _ = with_file()
    files.fail_sync(after=1)
    files.sync_dir("")
    with pytest.raises(OSError):
        files.sync_dir("")
    files.sync_dir("")


def test_a_killed_process_leaves_all_that_it_wrote_unlocked_and_still_unsynced():
    files, file = with_file()
    assert files.lock("lock") is not None
    file.write(b" and more")
    survivor = files.kill()
    assert survivor.content("a") == b"synced and more"
    assert survivor.lock("lock") is not None
    survivor.rename("a", "b")
    survivor.sync_dir("")
    assert survivor.crash(KeepNothing()).content("b") == b"synced"
    file.close()


def test_a_stopped_machine_does_nothing_any_more():
    files, file = with_file()
    files.stop()
    for use in (lambda: file.write(b"x"), file.sync, lambda: files.list(""), lambda: files.remove("a")):
        with pytest.raises(MachineStopped):
            use()
    assert files.crash(KeepAll()).content("a") == b"synced"


def test_a_full_disk_takes_what_fits():
    files, file = with_file(b"12345")
    files.capacity = 8
    with pytest.raises(OSError) as caught:
        file.write(b"6789")
    assert caught.value.errno == errno.ENOSPC
    assert files.content("a") == b"12345678"
    files.make_dir("folder")
    assert files.room() == 0
    files.capacity = None
    file.write(b"9")
    assert files.content("a") == b"123456789"


def test_a_flipped_byte_stays_flipped():
    files, file = with_file(b"abc")
    file.write(b"def")
    files.flip("a", 1, 0x20)
    files.flip("a", 4, 0x20)
    assert read_all(files, "a") == b"aBcdEf"
    assert files.crash(KeepNothing()).content("a") == b"aBc"


def test_an_open_file_can_be_neither_renamed_nor_removed_as_on_windows():
    files, file = with_file()
    for use in (lambda: files.remove("a"), lambda: files.rename("a", "b")):
        with pytest.raises(PermissionError):
            use()
    file.close()
    files.rename("a", "b")
    files.remove("b")


def test_a_step_can_be_made_to_fail():
    files, file = with_file()
    steps = []

    def before_step(operation, path):
        steps.append((operation, path))
        if operation == "rename":
            raise OSError(errno.EACCES, "no")

    files.before_step = before_step
    file.close()
    with pytest.raises(OSError):
        files.rename("a", "b")
    assert steps == [("rename", "b")]
    assert files.content("a") == b"synced"


def test_a_clone_is_independent_and_on_disk():
    files, file = with_file()
    files.make_dir("folder")
    file.write(b"!")
    twin = files.clone()
    file.write(b"?")
    assert twin.crash(KeepNothing()).content("a") == b"synced!"


def test_a_file_can_be_put_there():
    files = MemoryFiles()
    files.put("a", b"x")
    assert files.crash(KeepNothing()).content("a") == b"x"
