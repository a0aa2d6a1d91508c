"""The disk under :mod:`minicloud.storage.memory_files`: what of it is durable, and what a power loss leaves.

As the harshest of usual file systems does it:

- Writes and truncations of a file are on disk after its sync. At a power loss, of what came after the last sync any
  prefix survives, the next write perhaps in part; or some sectors of it survive, and the others read as zeros; or it
  ends in random bytes.
- Creations, renames and removals are on disk after a sync of the folder. At a power loss any of those after the last
  sync may survive, the others not. A rename is one step.
- A sync that fails leaves what it should have written readable, and not on disk, and the next sync does not write it
  (Rebello et al., "Can Applications Recover from fsync Failures?", USENIX ATC 2020).
- When a process dies and the system does not, everything that it wrote is there.
"""

from __future__ import annotations

from random import Random
from typing import TypeAlias

from attrs import Factory, define

_SECTOR_BYTES = 512


@define
class Write:
    """Bytes put into a file."""

    offset: int
    data: bytes

    def apply(self, content: bytearray) -> None:
        """Do it."""
        content.extend(bytes(max(0, self.offset - len(content))))
        content[self.offset : self.offset + len(self.data)] = self.data

    def spares(self, size: int) -> bool:
        """Return whether the first ``size`` bytes are the same with it, without it, or with some of it."""
        return self.offset >= size


@define
class Truncate:
    """A file cut to a size."""

    size: int

    def apply(self, content: bytearray) -> None:
        """Do it."""
        content.extend(bytes(max(0, self.size - len(content))))
        del content[self.size :]

    def spares(self, size: int) -> bool:
        """Return whether the first ``size`` bytes are the same with it or without it."""
        return self.size >= size


Change: TypeAlias = Write | Truncate


@define(eq=False)
class DiskFile:
    """What a name stands for."""

    content: bytearray = Factory(bytearray)
    """What is read from it."""
    durable: bytearray = Factory(bytearray)
    """What is on the disk."""
    unsynced: list[Change] = Factory(list)
    """What turns ``durable`` into ``content``, but for what a failed sync has lost."""
    users: int = 0
    """How often it is open."""

    def change(self, change: Change) -> None:
        """Make a change that is not on disk yet."""
        change.apply(self.content)
        self.unsynced.append(change)

    def sync(self) -> None:
        """Bring all changes to the disk."""
        for change in self.unsynced:
            change.apply(self.durable)
        self.unsynced.clear()

    def lose_unsynced(self) -> None:
        """Take all changes for durable ones that are not: what a sync does that fails."""
        self.unsynced.clear()

    def after_power_loss(self, random: Random) -> DiskFile:
        """Return what is left of it."""
        content = bytearray(self.durable)
        kept = random.randint(0, len(self.unsynced))
        for change in self.unsynced[:kept]:
            change.apply(content)
        if kept < len(self.unsynced):
            _apply_in_part(self.unsynced[kept], content, random)
        elif self.unsynced and random.random() >= 0.5:
            _lose_sectors(content, len(self.durable), random)
        return DiskFile(content, bytearray(content))


def _apply_in_part(change: Change, content: bytearray, random: Random) -> None:
    if isinstance(change, Truncate):
        return
    part = change.data[: random.randint(0, len(change.data))]
    if random.random() < 0.25:
        part += random.randbytes(random.randint(0, len(change.data) - len(part)))
    Write(change.offset, part).apply(content)


def _lose_sectors(content: bytearray, durable_bytes: int, random: Random) -> None:
    start = durable_bytes
    while start < len(content):
        end = min(len(content), (start // _SECTOR_BYTES + 1) * _SECTOR_BYTES)
        if random.random() < 0.5:
            content[start:end] = bytes(end - start)
        start = end


@define
class NameChange:
    """A change of a folder: the name ``removed`` goes, the name ``added`` stands for ``item``. Either may be empty."""

    removed: str
    added: str
    item: DiskFile | DiskFolder | None

    def apply(self, names: dict[str, DiskFile | DiskFolder]) -> None:
        """Do it."""
        names.pop(self.removed, None)
        if self.item is not None:
            names[self.added] = self.item


@define(eq=False)
class DiskFolder:
    """Names and what they stand for."""

    names: dict[str, DiskFile | DiskFolder] = Factory(dict)
    """As they are seen."""
    durable: dict[str, DiskFile | DiskFolder] = Factory(dict)
    """As they are on the disk."""
    unsynced: list[NameChange] = Factory(list)
    """What turns ``durable`` into ``names``."""

    def change(self, entry: NameChange) -> None:
        """Make a change that is not on disk yet."""
        entry.apply(self.names)
        self.unsynced.append(entry)

    def sync(self) -> None:
        """Bring all changes to the disk."""
        self.durable = dict(self.names)
        self.unsynced.clear()

    def after_power_loss(self, random: Random) -> DiskFolder:
        """Return what is left of it and of all that is in it."""
        names = dict(self.durable)
        for entry in self.unsynced:
            if random.random() < 0.5:
                entry.apply(names)
        survivors = {name: names[name].after_power_loss(random) for name in sorted(names)}
        return DiskFolder(survivors, dict(survivors))


def durable_copy(folder: DiskFolder) -> DiskFolder:
    """Return an independent folder with all that can be read, all of it durable."""
    names: dict[str, DiskFile | DiskFolder] = {}
    for name, item in folder.names.items():
        if isinstance(item, DiskFolder):
            names[name] = durable_copy(item)
        else:
            names[name] = DiskFile(bytearray(item.content), bytearray(item.content))
    return DiskFolder(names, dict(names))


def close_all(folder: DiskFolder) -> None:
    """Close all files, as the end of a process does."""
    for item in folder.names.values():
        if isinstance(item, DiskFolder):
            close_all(item)
        else:
            item.users = 0


def used_bytes(folder: DiskFolder) -> int:
    """Return the size of all files together."""
    return sum(
        used_bytes(item) if isinstance(item, DiskFolder) else len(item.content) for item in folder.names.values()
    )


def users(folder: DiskFolder, prefix: str = "") -> dict[str, int]:
    """Return the path of every file, and how often it is open."""
    found: dict[str, int] = {}
    for name, item in folder.names.items():
        if isinstance(item, DiskFolder):
            found |= users(item, f"{prefix}{name}/")
        else:
            found[prefix + name] = item.users
    return found
