"""The only door to the operating system's files. Real and simulated files keep to the same contract.

Paths are relative to the data folder, with ``/`` between the parts; ``""`` is the data folder itself. Every method
raises :class:`OSError` where the system refuses, and ValueError on a file that is closed.
"""

from __future__ import annotations

from typing import Protocol


class AppendFile(Protocol):
    """A file open for writing at its end."""

    def write(self, data: bytes) -> None:
        """Append all of ``data``, in one system call where the system takes it whole.

        After an error any part of it may be there.
        """

    def sync(self) -> None:
        """Return when everything written so far is on disk, together with the file's size.

        After an error nobody knows what is.
        """

    def truncate(self, size: int) -> None:
        """Cut the file to ``size`` bytes."""

    def close(self) -> None:
        """Close without syncing. Closing twice does nothing."""


class ReadFile(Protocol):
    """A file open for reading. It stays readable while others append to it."""

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` on, fewer only at the end of the file."""

    def size(self) -> int:
        """Return the present size in bytes."""

    def close(self) -> None:
        """Close. Closing twice does nothing."""


class Lock(Protocol):
    """A lock that is held."""

    def release(self) -> None:
        """Give the lock up, as the system does when the process ends. Releasing twice does nothing."""


class Files(Protocol):
    """One data folder."""

    def describe(self, path: str) -> str:
        """Return the path as a person would look for it."""

    def make_dir(self, path: str) -> None:
        """Make a folder, and with ``""`` also the ones above it, readable by its owner only; fine where it exists.

        The new folder is on disk on return.
        """

    def lock(self, path: str) -> Lock | None:
        """Lock that file, making it where it is missing. Returns None where this process or another holds the lock."""

    def exists(self, path: str) -> bool:
        """Return whether there is a file of that name."""

    def size(self, path: str) -> int:
        """Return the size of a file in bytes."""

    def list(self, path: str) -> list[str]:
        """Return the names of the files in a folder, ordered; folders are left out."""

    def create(self, path: str) -> AppendFile:
        """Open a new, empty file for writing; one that has that name already is emptied."""

    def open_append(self, path: str) -> AppendFile:
        """Open a file that exists for writing at its end."""

    def open_read(self, path: str) -> ReadFile:
        """Open a file for reading."""

    def rename(self, old: str, new: str) -> None:
        """Give a file another name in one step, in place of the file that has that name. Neither may be open."""

    def remove(self, path: str) -> None:
        """Remove a file, which must not be open."""

    def sync_dir(self, path: str) -> None:
        """Return when all creations, renames and removals in that folder are on disk."""


def read_all(files: Files, path: str) -> bytes:
    """Return the content of a whole file; raises FileNotFoundError where there is none."""
    file = files.open_read(path)
    try:
        return file.read(0, file.size())
    finally:
        file.close()
