"""What only real files can show: modes, other processes, and what the system may refuse."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from minicloud.storage import real_files
from minicloud.storage.errors import FolderInUse, StorageFailed
from minicloud.storage.files import read_all
from minicloud.storage.real_files import RealFiles
from tests.storage.helpers import append_synced, entries, open_storage

PROCESS_TIMEOUT_S = 30
"""For a child that imports and locks: takes well below a second."""

needs_posix = pytest.mark.skipif(os.name == "nt", reason="modes, fdatasync and folder syncs are POSIX")

OPEN_IN_A_CHILD = """
import sys
from pathlib import Path
from pathlib import Path
from minicloud.storage.real_files import RealFiles
from minicloud.storage.storage import Storage
from minicloud.storage.errors import FolderInUse
try:
    storage = Storage.open(RealFiles(Path(sys.argv[1])), node_id="n1", new_instance_id=lambda: "a" * 32)
except FolderInUse as error:
    print(error)
    raise SystemExit(3)
print("open", flush=True)
sys.stdin.read()
"""


def child(folder):
    return subprocess.Popen(
        [sys.executable, "-c", OPEN_IN_A_CHILD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


@needs_posix
def test_folders_and_files_are_for_their_owner_only(tmp_path):
    folder = tmp_path / "data" / "n1"
    storage = open_storage(RealFiles(folder))
    storage.close()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    for path in folder.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_44_a_second_process_on_the_same_folder_is_refused(tmp_path):
    storage = open_storage(RealFiles(tmp_path / "n1"))
    other = child(tmp_path / "n1")
    output, _ = other.communicate(timeout=PROCESS_TIMEOUT_S)
    assert other.returncode == 3
    assert "is in use by another process" in output
    assert str(tmp_path / "n1") in output
    storage.close()


def test_44_the_lock_goes_with_the_process_however_it_ends(tmp_path):
    other = child(tmp_path / "n1")
    try:
        assert other.stdout.readline() == "open\n"
        with pytest.raises(FolderInUse):
            open_storage(RealFiles(tmp_path / "n1"))
    finally:
        other.kill()
        other.communicate(timeout=PROCESS_TIMEOUT_S)
    open_storage(RealFiles(tmp_path / "n1")).close()


def test_a_write_that_the_system_takes_in_parts_is_whole(tmp_path, monkeypatch):
    files = RealFiles(tmp_path)
    write = os.write
    monkeypatch.setattr(real_files.os, "write", lambda descriptor, data: write(descriptor, bytes(data[:3])))
    file = files.create("a")
    file.write(b"0123456789")
    file.close()
    monkeypatch.undo()
    assert read_all(files, "a") == b"0123456789"


def test_a_read_that_the_system_gives_in_parts_is_whole(tmp_path):
    files = RealFiles(tmp_path)
    (tmp_path / "a").write_bytes(b"0123456789")

    class InParts:
        def __init__(self, file):
            self.file = file

        def seek(self, offset):
            self.file.seek(offset)

        def read(self, length):
            return self.file.read(min(3, length))

    reader = files.open_read("a")
    whole = reader._file
    reader._file = InParts(whole)
    assert reader.read(1, 100) == b"123456789"
    assert reader.read(1, 7) == b"1234567"
    whole.close()


@needs_posix
def test_without_fdatasync_it_is_fsync(tmp_path, monkeypatch):
    synced = []
    monkeypatch.delattr(real_files.os, "fdatasync", raising=False)
    monkeypatch.setattr(real_files.os, "fsync", synced.append)
    file = RealFiles(tmp_path).create("a")
    file.sync()
    file.close()
    assert len(synced) == 1


@needs_posix
@pytest.mark.parametrize(("number", "is_refused"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_a_folder_that_cannot_be_synced_is_fine_and_one_that_fails_is_not(tmp_path, monkeypatch, number, is_refused):
    def fsync(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(real_files.os, "fsync", fsync)
    if is_refused:
        with pytest.raises(OSError):
            RealFiles(tmp_path).sync_dir("")
    else:
        RealFiles(tmp_path).sync_dir("")


@needs_posix
def test_a_system_without_locks_is_an_error_and_not_a_lock(tmp_path, monkeypatch):
    def flock(descriptor, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(real_files.fcntl, "flock", flock)
    with pytest.raises(StorageFailed, match=os.strerror(errno.ENOLCK)):
        open_storage(RealFiles(tmp_path))


def test_a_file_in_the_place_of_the_folder_is_one_clear_error(tmp_path):
    (tmp_path / "n1").write_bytes(b"I was here first")
    with pytest.raises(StorageFailed, match="n1") as caught:
        open_storage(RealFiles(tmp_path / "n1"))
    assert "\n" not in str(caught.value)
    assert (tmp_path / "n1").read_bytes() == b"I was here first"


def test_a_relative_folder_is_made_where_one_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    storage = open_storage(RealFiles(Path("data/n1")))
    append_synced(storage, entries(1, 3))
    storage.close()
    assert (tmp_path / "data" / "n1" / "identity.json").is_file()


def test_one_append_is_one_write_and_one_sync_is_one_sync(tmp_path, monkeypatch):
    storage = open_storage(RealFiles(tmp_path / "n1"), segment_bytes=1 << 20)
    calls = []
    write, fdatasync = os.write, real_files._sync_descriptor
    monkeypatch.setattr(real_files.os, "write", lambda *args: calls.append("write") or write(*args))
    monkeypatch.setattr(real_files, "_sync_descriptor", lambda *args: calls.append("sync") or fdatasync(*args))
    storage.append(entries(1, 100))
    storage.sync()
    storage.sync()
    assert calls == ["write", "sync"]
    storage.close()


WRITE_IN_A_CHILD = """
import sys
from pathlib import Path
from minicloud.raft.entries import Entry
from minicloud.storage.real_files import RealFiles
from minicloud.storage.storage import Storage
files = RealFiles(Path(sys.argv[1]))
storage = Storage.open(files, node_id="n1", new_instance_id=lambda: "a" * 32, segment_bytes=2000)
index = len(storage.recovered.entries)
while True:
    storage.append([Entry(1, index + 1, data=b'"%d"' % (index + 1)), Entry(1, index + 2, data=b'"%d"' % (index + 2))])
    storage.sync()
    index += 2
    print(index, flush=True)
"""


def test_37_what_a_process_was_told_to_be_on_disk_survives_its_kill(tmp_path):
    told = 0
    for round_number in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITE_IN_A_CHILD, str(tmp_path / "n1")],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        try:
            for _ in range(50 + round_number):
                told = int(writer.stdout.readline())
        finally:
            writer.kill()
            writer.communicate(timeout=PROCESS_TIMEOUT_S)
        storage = open_storage(RealFiles(tmp_path / "n1"), segment_bytes=2000)
        found = storage.recovered.entries
        assert len(found) >= told
        assert [item.data for item in found] == [b'"%d"' % index for index in range(1, len(found) + 1)]
        storage.close()
