"""The disk of a simulated machine: minicloud's files in memory, with faults that come at a chosen operation."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from minicloud.storage.memory_files import MachineStopped, MemoryFiles


class Disk:
    """The files of one machine, whichever process has them open."""

    def __init__(self) -> None:
        self.files = MemoryFiles()
        self.on_slow: Callable[[float], None] = lambda seconds: None
        """Told how long the process waits."""
        self.on_crash: Callable[[], None] = lambda: None
        """Told that the process is killed in the middle of what it does."""
        self.sync_s = 0.0
        """How long a sync takes."""
        self._operations_until_crash: int | None = None
        self.files.before_step = self._before_step

    def crash_after(self, operations: int) -> None:
        """Kill the process at one of its next operations on files, in place of that operation."""
        self._operations_until_crash = operations

    def heal(self) -> None:
        """End all faults."""
        self.sync_s = 0.0
        self.files.capacity = None
        self.files.fail_sync(None)
        self._operations_until_crash = None

    def process_killed(self) -> None:
        """Take note that the process is gone, and the system is not: all that was written is there."""
        self._replace(self.files.kill())

    def power_lost(self, random: Random) -> None:
        """Lose what was not synced, or part of it."""
        self._replace(self.files.crash(random))

    def wiped(self) -> None:
        """Be a new disk."""
        self._replace(MemoryFiles())

    def exchanged(self, other: Disk) -> None:
        """Swap the contents with another machine's disk."""
        mine, theirs = self.files, other.files
        self._replace(theirs)
        other._replace(mine)

    def is_synced(self, path: str, size: int | None = None) -> bool:
        """Return whether a file, or so many bytes of it, would be as it is read now after any power loss."""
        return self.files.is_synced(path, size)

    def _replace(self, files: MemoryFiles) -> None:
        self.files.before_step = None
        self._operations_until_crash = None
        self.files = files
        files.before_step = self._before_step

    def _before_step(self, operation: str, path: str) -> None:
        if self._operations_until_crash is not None:
            self._operations_until_crash -= 1
            if self._operations_until_crash < 0:
                self._operations_until_crash = None
                self.files.stop()
                self.on_crash()
                raise MachineStopped(f"{operation} {path}")
        if self.sync_s and operation in ("sync", "sync_dir"):
            self.on_slow(self.sync_s)
