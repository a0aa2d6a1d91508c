"""Files on a real disk, on POSIX systems and on Windows."""

from __future__ import annotations

import builtins
import contextlib
import errno
import os
import sys
from pathlib import Path

if sys.platform == "win32":  # pragma: no cover (the tests run on POSIX)
    import msvcrt
else:
    import fcntl

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would translate line ends without it
_CLOSE_ON_EXEC = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOINHERIT", 0)
_LOCK_HELD_ERRNOS = frozenset({errno.EACCES, errno.EAGAIN, errno.EDEADLK, errno.EWOULDBLOCK})
_CANNOT_SYNC_FOLDER_ERRNOS = frozenset({errno.EINVAL, errno.ENOTSUP})


def _sync_descriptor(descriptor: int) -> None:
    """Bring a file's content and size to the disk, by the cheapest call that does it."""
    if sys.platform == "darwin":  # pragma: no cover (the tests run on Linux)
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # fsync stops at the drive's volatile cache there
    elif hasattr(os, "fdatasync"):
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


class _RealAppendFile:
    def __init__(self, path: Path, flags: int) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | _BINARY | _CLOSE_ON_EXEC | flags, _FILE_MODE)

    def _opened(self) -> int:
        if self._descriptor < 0:
            raise ValueError("the file is closed")
        return self._descriptor

    def write(self, data: bytes) -> None:
        written = os.write(self._opened(), data)
        while written < len(data):
            written += os.write(self._opened(), memoryview(data)[written:])

    def sync(self) -> None:
        _sync_descriptor(self._opened())

    def truncate(self, size: int) -> None:
        os.ftruncate(self._opened(), size)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class _RealReadFile:
    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)

    def read(self, offset: int, length: int) -> bytes:
        self._file.seek(offset)
        parts: list[bytes] = []
        while length > 0:
            part = self._file.read(length)
            if not part:
                break
            parts.append(part)
            length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        self._file.close()


class _RealLock:
    """Belongs to the open file, not to the process: a second one in the same process is refused as well."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def release(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)  # which unlocks


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":  # pragma: no cover (the tests run on POSIX)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _LOCK_HELD_ERRNOS:
            return False
        raise
    return True


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":  # pragma: no cover (the tests run on POSIX)
        return  # a folder can't be opened there; NTFS journals names in order
    descriptor = os.open(folder, os.O_RDONLY | _CLOSE_ON_EXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC_FOLDER_ERRNOS:  # some network file systems have no such call
            raise
    finally:
        os.close(descriptor)


class RealFiles:
    """The files below one folder. Implements :class:`minicloud.storage.files.Files`.

    Args:
        root: the data folder; it need not exist.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def _at(self, path: str) -> Path:
        return self._root.joinpath(*path.split("/")) if path else self._root

    def describe(self, path: str) -> str:
        """See Files."""
        return str(self._at(path))

    def make_dir(self, path: str) -> None:
        """See Files."""
        folder = self._at(path).absolute()
        missing = [folder]
        if not path:
            missing += [parent for parent in folder.parents if not parent.exists()]
        for new in reversed(missing):
            with contextlib.suppress(FileExistsError):
                new.mkdir(mode=_FOLDER_MODE)
        for new in missing:
            with contextlib.suppress(PermissionError):  # a folder above ours may be closed to us
                _sync_folder(new.parent)

    def lock(self, path: str) -> _RealLock | None:
        """See Files. By ``flock``, on Windows by locking the file's first byte."""
        descriptor = os.open(self._at(path), os.O_RDWR | os.O_CREAT | _BINARY | _CLOSE_ON_EXEC, _FILE_MODE)
        try:
            locked = _try_lock(descriptor)
        except OSError:
            os.close(descriptor)
            raise
        if not locked:
            os.close(descriptor)
            return None
        return _RealLock(descriptor)

    def exists(self, path: str) -> bool:
        """See Files."""
        return self._at(path).is_file()

    def size(self, path: str) -> int:
        """See Files."""
        return self._at(path).stat().st_size

    def list(self, path: str) -> builtins.list[str]:
        """See Files."""
        with os.scandir(self._at(path)) as found:
            return sorted(item.name for item in found if item.is_file())

    def create(self, path: str) -> _RealAppendFile:
        """See Files."""
        return _RealAppendFile(self._at(path), os.O_CREAT | os.O_TRUNC)

    def open_append(self, path: str) -> _RealAppendFile:
        """See Files."""
        return _RealAppendFile(self._at(path), 0)

    def open_read(self, path: str) -> _RealReadFile:
        """See Files."""
        return _RealReadFile(self._at(path))

    def rename(self, old: str, new: str) -> None:
        """See Files."""
        os.replace(self._at(old), self._at(new))

    def remove(self, path: str) -> None:
        """See Files."""
        self._at(path).unlink()

    def sync_dir(self, path: str) -> None:
        """See Files."""
        _sync_folder(self._at(path))
