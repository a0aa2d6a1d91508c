"""Removing files bit by bit: to remove 100 MB at once would stall the reactor for 30 ms."""

from __future__ import annotations

from collections import deque

from attrs import frozen

from minicloud.storage.files import Files
from minicloud.storage.whole_files import parent_of

SLICE_BYTES = 16 * 1024 * 1024
"""How much is given back to the system in one step: takes it about 4 ms."""


@frozen
class _Item:
    path: str
    in_slices: bool


class Garbage:
    """Files that nothing on disk depends on any more, removed in the order in which they came.

    A restart finds what was not removed yet, and takes it for what it is.
    """

    def __init__(self, files: Files) -> None:
        self._files = files
        self._items: deque[_Item] = deque()

    def add(self, path: str, *, in_slices: bool) -> None:
        """Take a file to be removed.

        Args:
            path: of the file.
            in_slices: whether it may be found half removed by a restart. A log segment may not.
        """
        self._items.append(_Item(path, in_slices))

    def step(self) -> None:
        """Remove one file, or a slice of one. Raises OSError."""
        if not self._items:
            return
        path = self._items[0].path
        size = self._files.size(path) if self._items[0].in_slices else 0
        if size > 2 * SLICE_BYTES:
            file = self._files.open_append(path)
            try:
                file.truncate(size - SLICE_BYTES)
            finally:
                file.close()
            return
        self._files.remove(path)
        self._files.sync_dir(parent_of(path))  # so that, of two segments, the newer one never vanishes alone
        self._items.popleft()
