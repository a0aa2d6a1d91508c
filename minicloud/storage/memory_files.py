"""Files in memory that know what is on the disk and what is not: for simulations, and for tests of every crash.

What a power loss does to them is in :mod:`minicloud.storage.memory_disk`.
"""

from __future__ import annotations

import builtins
import copy
import errno
import os
from collections.abc import Callable
from random import Random

from minicloud.storage.memory_disk import (
    DiskFile,
    DiskFolder,
    NameChange,
    Truncate,
    Write,
    close_all,
    durable_copy,
    used_bytes,
    users,
)


class MachineStopped(Exception):
    """The simulated process was killed, or its power is gone: these files are of no use any more."""


class _MemoryAppendFile:
    def __init__(self, files: MemoryFiles, file: DiskFile, path: str) -> None:
        self._files = files
        self._file = file
        self._path = path
        self._is_open = True
        file.users += 1

    def _check_open(self) -> None:
        if not self._is_open:
            raise ValueError(f"{self._path} is closed")

    def write(self, data: bytes) -> None:
        self._files.step("write", self._path)
        self._check_open()
        fitting = data[: self._files.room()]
        self._file.change(Write(len(self._file.content), bytes(fitting)))
        if len(fitting) < len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self._path)

    def sync(self) -> None:
        self._files.step("sync", self._path)
        self._check_open()
        if self._files.next_sync_fails():
            self._file.lose_unsynced()
            raise OSError(errno.EIO, os.strerror(errno.EIO), self._path)
        self._file.sync()

    def truncate(self, size: int) -> None:
        self._files.step("truncate", self._path)
        self._check_open()
        self._file.change(Truncate(size))

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._file.users -= 1


class _MemoryReadFile:
    def __init__(self, files: MemoryFiles, file: DiskFile, path: str) -> None:
        self._files = files
        self._file = file
        self._path = path
        self._is_open = True
        file.users += 1

    def read(self, offset: int, length: int) -> bytes:
        self._files.step("read", self._path)
        if not self._is_open:
            raise ValueError(f"{self._path} is closed")
        return bytes(self._file.content[offset : offset + length])

    def size(self) -> int:
        return len(self._file.content)

    def close(self) -> None:
        if self._is_open:
            self._is_open = False
            self._file.users -= 1


class _MemoryLock:
    def __init__(self, held: set[str], path: str) -> None:
        self._held = held
        self._path = path
        self._is_held = True

    def release(self) -> None:
        if self._is_held:
            self._is_held = False
            self._held.discard(self._path)


class MemoryFiles:
    """A data folder in memory. Implements :class:`minicloud.storage.files.Files`.

    As on Windows, a file that is open can be neither renamed nor removed.
    """

    def __init__(self) -> None:
        self._root = DiskFolder()
        self._locks: set[str] = set()
        self._is_stopped = False
        self._syncs_until_failure: int | None = None
        self.capacity: int | None = None
        """Bytes that fit on the disk; a write that goes beyond it is cut short and gets ENOSPC. None: no limit."""
        self.before_step: Callable[[str, str], None] | None = None
        """Called before each operation with its name (``write``, ``sync``, ``rename``, …) and path.

        It may raise MachineStopped, or an OSError in place of the operation."""

    # What a test does

    def fail_sync(self, after: int | None = 0) -> None:
        """Make one sync of a file or folder fail with EIO: the next one, or one after so many good ones; None: none."""
        self._syncs_until_failure = after

    @property
    def used_bytes(self) -> int:
        """How much is on the disk, in bytes."""
        return used_bytes(self._root)

    def users(self) -> dict[str, int]:
        """Return the path of every file, and how often it is open."""
        return users(self._root)

    def is_synced(self, path: str, size: int | None = None) -> bool:
        """Return whether a file, or so many bytes of it, would be as it is read now after any power loss."""
        folder, name = self._parent(path)
        file = self._file(path)
        if folder.durable.get(name) is not file:
            return False
        if size is None:
            return not file.unsynced and file.durable == file.content
        return file.durable[:size] == file.content[:size] and all(change.spares(size) for change in file.unsynced)

    def flip(self, path: str, offset: int, mask: int = 0xFF) -> None:
        """Damage one byte of a file, on disk and in memory."""
        file = self._file(path)
        file.content[offset] ^= mask
        if offset < len(file.durable):
            file.durable[offset] ^= mask

    def content(self, path: str) -> bytes:
        """Return the content of a file."""
        return bytes(self._file(path).content)

    def put(self, path: str, content: bytes) -> None:
        """Make a file with that content in the place of any that is there, all of it on disk."""
        folder, name = self._parent(path)
        file = DiskFile(bytearray(content), bytearray(content))
        folder.names[name] = folder.durable[name] = file

    def clone(self) -> MemoryFiles:
        """Return an independent copy of what can be read now, all of it on disk, with no lock held."""
        twin = MemoryFiles()
        twin._root = durable_copy(self._root)
        return twin

    def fingerprint(self) -> str:
        """Return a text that is equal for folders that are equal, on disk and in memory."""
        return repr(self._root)

    def stop(self) -> None:
        """Refuse every further operation with MachineStopped."""
        self._is_stopped = True

    def kill(self) -> MemoryFiles:
        """Kill the process that uses these files. Returns what its successor finds: all that was written."""
        self.stop()
        successor = MemoryFiles()
        successor._root = copy.deepcopy(self._root)
        successor.capacity = self.capacity
        close_all(successor._root)
        return successor

    def crash(self, random: Random) -> MemoryFiles:
        """Cut the power. Returns what is on the disk then; ``random`` decides what survives of the unsynced."""
        self.stop()
        successor = MemoryFiles()
        successor._root = self._root.after_power_loss(random)
        successor.capacity = self.capacity
        return successor

    # What the open files need

    def step(self, operation: str, path: str) -> None:
        """Take note that an operation begins. Raises MachineStopped after :meth:`stop`."""
        if self.before_step is not None and not self._is_stopped:
            self.before_step(operation, path)
        if self._is_stopped:
            raise MachineStopped(f"{operation} {path}")

    def next_sync_fails(self) -> bool:
        """Count a sync and return whether it is the one to fail."""
        if self._syncs_until_failure is None:
            return False
        self._syncs_until_failure -= 1
        if self._syncs_until_failure >= 0:
            return False
        self._syncs_until_failure = None
        return True

    def room(self) -> int | None:
        """Return how many bytes more fit on the disk; None: any number."""
        return None if self.capacity is None else max(0, self.capacity - used_bytes(self._root))

    # Files

    def describe(self, path: str) -> str:
        """See Files."""
        return f"memory:/{path}"

    def make_dir(self, path: str) -> None:
        """See Files."""
        self.step("make_dir", path)
        if not path:
            return
        folder, name = self._parent(path)
        if name not in folder.names:
            folder.change(NameChange("", name, DiskFolder()))
        self._sync_folder(folder, path)

    def lock(self, path: str) -> _MemoryLock | None:
        """See Files."""
        self.step("lock", path)
        folder, name = self._parent(path)
        if name not in folder.names:
            folder.change(NameChange("", name, DiskFile()))
        if path in self._locks:
            return None
        self._locks.add(path)
        return _MemoryLock(self._locks, path)

    def exists(self, path: str) -> bool:
        """See Files."""
        self.step("exists", path)
        folder, name = self._parent(path)
        return isinstance(folder.names.get(name), DiskFile)

    def size(self, path: str) -> int:
        """See Files."""
        self.step("size", path)
        return len(self._file(path).content)

    def list(self, path: str) -> builtins.list[str]:
        """See Files."""
        self.step("list", path)
        return sorted(name for name, item in self._folder(path).names.items() if isinstance(item, DiskFile))

    def create(self, path: str) -> _MemoryAppendFile:
        """See Files."""
        self.step("create", path)
        folder, name = self._parent(path)
        found = folder.names.get(name)
        if isinstance(found, DiskFile):
            found.change(Truncate(0))
            return _MemoryAppendFile(self, found, path)
        file = DiskFile()
        folder.change(NameChange("", name, file))
        return _MemoryAppendFile(self, file, path)

    def open_append(self, path: str) -> _MemoryAppendFile:
        """See Files."""
        self.step("open_append", path)
        return _MemoryAppendFile(self, self._file(path), path)

    def open_read(self, path: str) -> _MemoryReadFile:
        """See Files."""
        self.step("open_read", path)
        return _MemoryReadFile(self, self._file(path), path)

    def rename(self, old: str, new: str) -> None:
        """See Files. Only within one folder."""
        self.step("rename", new)
        folder, old_name = self._parent(old)
        new_folder, new_name = self._parent(new)
        assert folder is new_folder, "a rename between folders is two changes, and not modelled"
        file = self._closed_file(old)
        if new_name in folder.names:
            self._closed_file(new)
        folder.change(NameChange(old_name, new_name, file))

    def remove(self, path: str) -> None:
        """See Files."""
        self.step("remove", path)
        self._closed_file(path)
        folder, name = self._parent(path)
        folder.change(NameChange(name, "", None))

    def sync_dir(self, path: str) -> None:
        """See Files."""
        self.step("sync_dir", path)
        self._sync_folder(self._folder(path), path)

    # Within

    def _sync_folder(self, folder: DiskFolder, path: str) -> None:
        if self.next_sync_fails():
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        folder.sync()

    def _folder(self, path: str) -> DiskFolder:
        folder = self._root
        for name in path.split("/") if path else ():
            found = folder.names.get(name)
            if not isinstance(found, DiskFolder):
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
            folder = found
        return folder

    def _parent(self, path: str) -> tuple[DiskFolder, str]:
        folder, _, name = path.rpartition("/")
        return self._folder(folder), name

    def _file(self, path: str) -> DiskFile:
        folder, name = self._parent(path)
        found = folder.names.get(name)
        if not isinstance(found, DiskFile):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found

    def _closed_file(self, path: str) -> DiskFile:
        file = self._file(path)
        if file.users:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        return file
