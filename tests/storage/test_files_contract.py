"""What every implementation of Files promises."""

from __future__ import annotations

import pytest

from minicloud.storage.files import read_all
from minicloud.storage.memory_files import MemoryFiles
from minicloud.storage.real_files import RealFiles


@pytest.fixture(params=["real", "memory"])
def files(request, tmp_path):
    made = RealFiles(tmp_path / "some" / "where") if request.param == "real" else MemoryFiles()
    made.make_dir("")
    return made


def write(files, path, data):
    file = files.create(path)
    file.write(data)
    file.close()


def test_what_is_written_can_be_read_back(files):
    file = files.create("a")
    file.write(b"one")
    file.write(b"")
    file.write(b"two")
    file.sync()
    file.close()
    assert read_all(files, "a") == b"onetwo"
    assert files.size("a") == 6


def test_an_existing_file_is_continued_at_its_end(files):
    write(files, "a", b"one")
    file = files.open_append("a")
    file.write(b"two")
    file.close()
    assert read_all(files, "a") == b"onetwo"


def test_creating_empties_what_was_there(files):
    write(files, "a", b"one")
    files.create("a").close()
    assert read_all(files, "a") == b""


def test_a_truncated_file_goes_on_at_its_new_end(files):
    file = files.create("a")
    file.write(b"one two")
    file.truncate(3)
    file.write(b"!")
    file.close()
    assert read_all(files, "a") == b"one!"


def test_reading_beyond_the_end_returns_what_there_is(files):
    write(files, "a", b"0123456789")
    file = files.open_read("a")
    assert file.read(2, 3) == b"234"
    assert file.read(8, 5) == b"89"
    assert file.read(10, 5) == b""
    assert file.read(99, 5) == b""
    assert file.size() == 10
    file.close()


def test_a_reader_sees_what_is_appended_later(files):
    writer = files.create("a")
    reader = files.open_read("a")
    writer.write(b"later")
    assert reader.read(0, 100) == b"later"
    assert reader.size() == 5
    writer.close()
    reader.close()


def test_closing_twice_does_nothing_and_a_closed_file_takes_nothing(files):
    writer = files.create("a")
    reader = files.open_read("a")
    for file in (writer, reader):
        file.close()
        file.close()
    with pytest.raises(ValueError):
        writer.write(b"x")
    with pytest.raises(ValueError):
        writer.sync()
    with pytest.raises(ValueError):
        writer.truncate(0)
    with pytest.raises(ValueError):
        reader.read(0, 1)


def test_a_rename_takes_the_place_of_what_had_the_name(files):
    write(files, "a", b"old")
    write(files, "a.tmp", b"new")
    files.rename("a.tmp", "a")
    assert files.list("") == ["a"]
    assert read_all(files, "a") == b"new"


def test_a_removed_file_is_gone(files):
    write(files, "a", b"x")
    assert files.exists("a")
    files.remove("a")
    assert not files.exists("a")
    assert files.list("") == []


def test_a_listing_is_ordered_and_leaves_folders_out(files):
    files.make_dir("folder")
    write(files, "folder/c", b"")
    for name in ("b", "a", "c"):
        write(files, name, b"")
    assert files.list("") == ["a", "b", "c"]
    assert files.list("folder") == ["c"]
    assert not files.exists("folder")


def test_making_a_folder_that_exists_is_fine(files):
    files.make_dir("folder")
    write(files, "folder/a", b"x")
    files.make_dir("folder")
    files.make_dir("")
    assert read_all(files, "folder/a") == b"x"


def test_syncing_a_folder_changes_nothing_that_can_be_seen(files):
    files.make_dir("folder")
    write(files, "folder/a", b"x")
    files.sync_dir("folder")
    files.sync_dir("")
    assert files.list("folder") == ["a"]


@pytest.mark.parametrize(
    "use",
    [
        lambda files: files.open_append("no"),
        lambda files: files.open_read("no"),
        lambda files: files.size("no"),
        lambda files: files.remove("no"),
        lambda files: files.rename("no", "a"),
        lambda files: files.list("no"),
        lambda files: files.sync_dir("no"),
        lambda files: files.create("no/a"),
        lambda files: files.open_read("no/a"),
    ],
)
def test_what_is_not_there_is_file_not_found(files, use):
    with pytest.raises(FileNotFoundError):
        use(files)


def test_a_lock_is_held_by_one_at_a_time(files):
    lock = files.lock("lock")
    assert lock is not None
    assert files.lock("lock") is None
    lock.release()
    lock.release()
    again = files.lock("lock")
    assert again is not None
    again.release()


def test_a_description_names_the_file(files):
    assert files.describe("log/a.log").replace("\\", "/").endswith("/log/a.log")
    assert files.describe("")
