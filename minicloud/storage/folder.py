"""Opening a data folder: lock it, read and check everything, make what is missing. Reading changes nothing."""

from __future__ import annotations

import contextlib

from attrs import define

from minicloud.raft.entries import Entry, HardState, SnapshotMeta
from minicloud.storage.errors import Damaged, FolderInUse, ForeignFolder
from minicloud.storage.files import Files, Lock, read_all
from minicloud.storage.hard_state import HARD_STATE_FILE, encode_hard_state, read_hard_state, write_hard_state
from minicloud.storage.identity import IDENTITY_FILE, Identity, read_identity, write_identity
from minicloud.storage.log import FIRST_SEGMENT, first_segment_content, make_empty_log
from minicloud.storage.log_reader import LogContent, read_log
from minicloud.storage.segment import LOG_FOLDER, segment_numbers, segment_path
from minicloud.storage.snapshots import SNAPSHOT_FOLDER, DurableSnapshot, read_newest_snapshot, snapshot_paths
from minicloud.storage.whole_files import TEMPORARY_SUFFIX, discard, remove_temporaries

LOCK_FILE = "lock"


@define
class FoundFolder:
    """All that is in a data folder."""

    is_new: bool
    identity: Identity
    hard_state: HardState
    snapshot: DurableSnapshot | None
    log: LogContent

    @property
    def snapshot_meta(self) -> SnapshotMeta | None:
        """What the newest snapshot replaces."""
        return self.snapshot.meta if self.snapshot is not None else None

    @property
    def is_log_superseded(self) -> bool:
        """Whether the snapshot takes the place of the whole log: a crash came before the log could begin anew."""
        return self.snapshot is not None and not self.log.continues(self.snapshot.meta)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries of the log that count."""
        return () if self.is_log_superseded else tuple(self.log.entries)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a person should know."""
        notes: list[str] = []
        newest = self.log.newest
        if newest.torn:
            path = self.log.segments[-1].path
            notes.append(f"{path} ends at byte {newest.end}: {newest.torn}; what follows had not been synced")
        if self.snapshot is not None and self.is_log_superseded:
            notes.append(f"the log begins anew after the snapshot at index {self.snapshot.meta.index}")
        return tuple(notes)


def lock_folder(files: Files) -> Lock:
    """Make the folder where it is missing, and lock it. Raises FolderInUse, OSError."""
    files.make_dir("")
    lock = files.lock(LOCK_FILE)
    if lock is None:
        raise FolderInUse(files.describe(""))
    return lock


def read_folder(files: Files, node_id: str) -> FoundFolder | None:
    """Read and check a data folder; None where it is not one yet.

    Raises:
        ForeignFolder, Damaged, UnsupportedFormat, OSError: see Storage.open.
    """
    identity = read_identity(files)
    if identity is None:
        _check_unused(files)
        return None
    if identity.node_id != node_id:
        raise ForeignFolder(files.describe(""), identity.node_id, node_id)
    hard_state = read_hard_state(files)
    snapshot = read_newest_snapshot(files, identity.cluster_id)
    log = read_log(files, snapshot.meta if snapshot is not None else None)
    return FoundFolder(False, identity, hard_state, snapshot, log)


def _check_unused(files: Files) -> None:
    """Check that a folder without identity holds no state: at most, a crash came while it was made.

    Raises:
        Damaged: it does, so that its identity was lost. To begin anew there would be amnesia.
    """
    used = [HARD_STATE_FILE] if not _is_missing_or(files, HARD_STATE_FILE, encode_hard_state(HardState())) else []
    with contextlib.suppress(FileNotFoundError):
        used += snapshot_paths(files)
    with contextlib.suppress(FileNotFoundError):
        used += [segment_path(number) for number in segment_numbers(files) if not _is_empty_log(files, number)]
    if used:
        raise Damaged(files.describe(IDENTITY_FILE), 0, f"it is missing, but there is {used[0]}")


def _is_empty_log(files: Files, number: int) -> bool:
    return number == FIRST_SEGMENT and _is_missing_or(files, segment_path(number), first_segment_content())


def _is_missing_or(files: Files, path: str, content: bytes) -> bool:
    try:
        return read_all(files, path) == content
    except FileNotFoundError:
        return True


def make_folder(files: Files, node_id: str, instance_id: str) -> FoundFolder:
    """Make a new data folder. Its identity is written last: without it, what is there means nothing.

    Raises:
        DiskFull, OSError: it is not made; the next start tries again.
    """
    files.make_dir(LOG_FOLDER)
    files.make_dir(SNAPSHOT_FOLDER)
    make_empty_log(files)
    write_hard_state(files, HardState())
    identity = Identity(node_id, instance_id, cluster_id="")
    write_identity(files, identity)
    return FoundFolder(True, identity, HardState(), None, read_log(files, None))


def tidy_folder(files: Files, found: FoundFolder) -> None:
    """Make sure that all names which were read are on disk, and remove what an earlier process left behind.

    Only after the first may the second happen: the snapshot that makes older ones superfluous must not vanish.

    Raises:
        OSError: the system refused.
    """
    for folder in ("", LOG_FOLDER, SNAPSHOT_FOLDER):
        files.sync_dir(folder)
    for path in (IDENTITY_FILE, HARD_STATE_FILE):
        discard(files, path + TEMPORARY_SUFFIX)
    remove_temporaries(files, LOG_FOLDER)
    remove_temporaries(files, SNAPSHOT_FOLDER)
    for path in snapshot_paths(files):
        if found.snapshot is None or path != found.snapshot.path:
            files.remove(path)
