"""Files that are written once and whole: prepared under another name, then published in one step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from minicloud.storage.errors import DiskFull, is_disk_full
from minicloud.storage.files import Files

TEMPORARY_SUFFIX = ".tmp"
"""What the name of an unfinished file ends in. Such a file means nothing and is removed at the next start."""


@contextlib.contextmanager
def room_for(files: Files, path: str) -> Iterator[None]:
    """Turn the system's "no room" into DiskFull. Not for syncs: what a sync that failed has left, nobody knows."""
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        raise DiskFull(f"no room to write {files.describe(path)}; make some, and the node goes on") from error


def prepare(files: Files, path: str, data: bytes) -> None:
    """Write a file under its temporary name and sync it; :func:`publish` gives it its own name.

    Raises:
        DiskFull: there was no room; nothing is left of it.
        OSError: the system refused.
    """
    temporary = path + TEMPORARY_SUFFIX
    with room_for(files, path):
        file = files.create(temporary)
    try:
        with room_for(files, path):
            file.write(data)
        file.sync()
    except DiskFull:
        file.close()
        discard(files, temporary)
        raise
    finally:
        file.close()


def publish(files: Files, path: str) -> None:
    """Give a prepared file its own name, in place of what had it. On disk on return."""
    files.rename(path + TEMPORARY_SUFFIX, path)
    files.sync_dir(parent_of(path))


def replace_whole(files: Files, path: str, data: bytes) -> None:
    """Put ``data`` in the place of a file's content, in one step. On disk on return.

    Raises:
        DiskFull: there was no room; the file is what it was.
        OSError: the system refused; a restart finds the old content or the new.
    """
    prepare(files, path, data)
    publish(files, path)


def discard(files: Files, path: str) -> None:
    """Remove a file that nothing depends on, if the system lets us."""
    with contextlib.suppress(OSError):
        files.remove(path)


def remove_temporaries(files: Files, folder: str) -> None:
    """Remove what an earlier process left unfinished in a folder."""
    for name in files.list(folder):
        if name.endswith(TEMPORARY_SUFFIX):
            files.remove(f"{folder}/{name}" if folder else name)


def parent_of(path: str) -> str:
    """Return the folder that a file is in."""
    return path.rpartition("/")[0]
