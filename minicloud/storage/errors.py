"""Why storage could not do it. Each is one line that says where, what, and what to do."""

from __future__ import annotations

import errno

REBUILD_ADVICE = (
    "to rebuild this node from its peers, remove it from the cluster, move its data folder away "
    "and start it again with join_url set"
)

_DISK_FULL_ERRNOS = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)})


class StorageError(Exception):
    """Base of everything that storage raises on purpose."""


class FolderInUse(StorageError):
    """Another process has the data folder open."""

    def __init__(self, folder: str) -> None:
        super().__init__(f"data folder {folder} is in use by another process; stop that one or set another data_dir")


class ForeignFolder(StorageError):
    """The data folder belongs to another node."""

    def __init__(self, folder: str, node_id: str, wanted: str) -> None:
        super().__init__(f"data folder {folder} belongs to node {node_id!r}, not to {wanted!r}; set another data_dir")
        self.node_id = node_id
        """Whose it is."""


class Damaged(StorageError):
    """Bytes that were on disk are not what was written. Nothing of it is served."""

    def __init__(self, file: str, offset: int, reason: str) -> None:
        super().__init__(f"{file} is damaged at byte {offset}: {reason}; {REBUILD_ADVICE}")
        self.file = file
        self.offset = offset
        """Where in the file, in bytes from its start."""
        self.reason = reason


class UnsupportedFormat(StorageError):
    """The file is of a version that this program does not read."""

    def __init__(self, file: str, found: str, supported: str) -> None:
        super().__init__(f"{file} has format {found}, this minicloud reads {supported}; start the one that wrote it")
        self.file = file


class BadSnapshot(StorageError):
    """What a peer sent is not the snapshot that it announced. Nothing changed; the transfer is to be given up."""


class DiskFull(StorageError):
    """There is no room. Nothing was changed; the same call may be made again later."""


class StorageFailed(StorageError):
    """The operating system refused to read, write or sync. Nothing more is written; the process must end."""


def is_disk_full(error: OSError) -> bool:
    """Return whether that error says that the disk, or the quota, is full."""
    return error.errno in _DISK_FULL_ERRNOS
