"""Bugs in what is on the disk, and when."""

from __future__ import annotations

from minicloud.node.driver import Driver
from minicloud.raft.entries import HardState
from minicloud.storage import folder, hard_state, log, log_reader, segment, whole_files
from minicloud.storage.errors import Damaged, DiskFull
from minicloud.storage.log import Log
from minicloud.storage.storage import Storage
from tests.sim.planted.patcher import Patcher, bug


@bug("The log is not synced.")
def log_not_synced(patcher: Patcher) -> None:
    def sync(self):
        self._synced = self._segments[-1].size

    patcher.set(Log, "sync", sync)


@bug("The log is synced only from time to time.")
def log_synced_now_and_then(patcher: Patcher) -> None:
    original = Log.sync
    patcher.set(Log, "sync", lambda self: original(self) if self.next_index % 3 else None)


@bug("A file is written without a sync before it gets its name.")
def whole_files_not_synced(patcher: Patcher) -> None:
    def replace_whole(files, path, data):
        file = files.create(path + ".tmp")
        file.write(data)
        file.close()
        whole_files.publish(files, path)

    patcher.set(hard_state, "replace_whole", replace_whole)


@bug("A new segment gets its name, and its folder is not synced.")
def segment_name_not_synced(patcher: Patcher) -> None:
    patcher.set(log, "publish", lambda files, path: files.rename(path + ".tmp", path))


@bug("The file with term and vote gets its name, and its folder is not synced.")
def hard_state_name_not_synced(patcher: Patcher) -> None:
    def replace_whole(files, path, data):
        whole_files.prepare(files, path, data)
        files.rename(path + ".tmp", path)

    patcher.set(hard_state, "replace_whole", replace_whole)


@bug("A sync of the log that failed is tried again, and then taken for a good one.")
def failed_sync_is_tried_again(patcher: Patcher) -> None:
    original = Log.sync

    def sync(self):
        try:
            original(self)
        except OSError:
            original(self)

    patcher.set(Log, "sync", sync)


@bug("A sync of the log that failed is not noticed.")
def failed_sync_is_ignored(patcher: Patcher) -> None:
    original = Log.sync

    def sync(self):
        try:
            original(self)
        except OSError:
            self._synced = self._segments[-1].size

    patcher.set(Log, "sync", sync)


@bug("Entries for which there was no room are taken for written.")
def full_disk_is_ignored(patcher: Patcher) -> None:
    original = Driver._append

    def append(driver, ready):
        try:
            original(driver, ready)
        except DiskFull:
            driver.storage.sync()

    patcher.set(Driver, "_append", append)


@bug("A node whose disk was full never looks whether it is so still.")
def full_disk_for_ever(patcher: Patcher) -> None:
    patcher.set(Driver, "_try_again", lambda driver: None)


@bug("After a restart, what was written and never synced is taken for synced.")
def nothing_is_carried_over(patcher: Patcher) -> None:
    def go_on(self, content):
        self._open(self._segments[-1])
        self._remove_at_once(content.void_paths)

    patcher.set(Log, "go_on", go_on)


@bug("What is damaged in the log is taken for a write that was cut short.")
def damage_taken_for_a_torn_tail(patcher: Patcher) -> None:
    def read_newest_segment(files, number, header, start):
        content = segment.SegmentContent(end=start, proven=start)
        data = segment.read_all(files, segment.segment_path(number))
        bad = segment._read_records(memoryview(data), number, content)
        content.proven = min(content.proven, content.end)
        content.torn = bad.reason if bad is not None else ""
        return content

    patcher.set(log_reader, "read_newest_segment", read_newest_segment)


@bug("A term and a vote that cannot be read are taken for none.")
def damaged_vote_taken_for_none(patcher: Patcher) -> None:
    original = folder.read_hard_state

    def read_hard_state(files):
        try:
            return original(files)
        except Damaged:
            return HardState()

    patcher.set(folder, "read_hard_state", read_hard_state)


@bug("Segments go before a snapshot has what is in them.")
def segments_removed_too_early(patcher: Patcher) -> None:
    original = Log.compact
    patcher.set(Log, "compact", lambda self, through_index: original(self, self.next_index))


@bug("A record that takes the place of others does so only in memory.")
def truncation_not_on_disk(patcher: Patcher) -> None:
    original = Storage.append

    def append(storage, entries):
        original(storage, [entry for entry in entries if entry.index >= storage._log.next_index])

    patcher.set(Storage, "append", append)
