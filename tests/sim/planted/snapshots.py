"""Bugs in snapshots: taken, sent, installed, restored."""

from __future__ import annotations

from attrs import evolve

from minicloud.kv.store import FrozenView
from minicloud.node.snapshot_receiving import SnapshotReceiver
from minicloud.node.snapshot_sending import SnapshotSender
from minicloud.node.snapshots import RestoredStore, SnapshotTaker
from minicloud.raft import replication
from minicloud.raft.configuration import Configuration
from minicloud.raft.core import Raft
from minicloud.raft.log import RaftLog
from minicloud.storage.log import Log
from minicloud.storage.snapshot_intake import UnfinishedFile
from minicloud.storage.snapshots import DurableSnapshot, SnapshotFolder, snapshot_path
from minicloud.wire.snapshots import SnapshotItems, decode_snapshot_payload
from tests.sim.planted.patcher import Patcher, bug

# Taking


def _with_meta(patcher: Patcher, change) -> None:
    """Have snapshots say something else of themselves."""
    original = SnapshotTaker._steps
    patcher.set(SnapshotTaker, "_steps", lambda taker, meta, view: original(taker, change(taker, meta), view))


@bug("A snapshot lacks the last key.")
def snapshot_drops_its_tail(patcher: Patcher) -> None:
    original = FrozenView.next_items

    def next_items(view, *limits):
        items = original(view, *limits)
        view.count -= bool(items)
        return items[:-1]

    patcher.set(FrozenView, "next_items", next_items)


@bug("A snapshot says nothing of who takes part.")
def snapshot_forgets_the_configuration(patcher: Patcher) -> None:
    _with_meta(patcher, lambda taker, meta: evolve(meta, configuration=Configuration(), configuration_index=0))


@bug("A snapshot names the newest configuration in the log, though it is not committed.")
def snapshot_has_a_later_configuration(patcher: Patcher) -> None:
    _with_meta(patcher, lambda taker, meta: evolve(meta, configuration=taker._raft.log.configuration))


@bug("A snapshot claims one entry less than it has.")
def snapshot_claims_too_little(patcher: Patcher) -> None:
    def change(taker, meta):
        term = taker._raft.log.term_at(meta.index - 1)
        return meta if term is None else evolve(meta, index=meta.index - 1, term=term)

    _with_meta(patcher, change)


@bug("A snapshot claims one entry more than it has.")
def snapshot_claims_too_much(patcher: Patcher) -> None:
    def change(taker, meta):
        term = taker._raft.log.term_at(meta.index + 1)
        return meta if term is None else evolve(meta, index=meta.index + 1, term=term)

    _with_meta(patcher, change)


@bug("A snapshot gets its name, and its folder is not synced.")
def snapshot_name_not_synced(patcher: Patcher) -> None:
    def adopt(folder, temporary_path, header, size):
        older, path = folder.newest, snapshot_path(header.meta)
        folder._files.rename(temporary_path, path)
        folder._newest = DurableSnapshot(header, path, size)
        if older is not None and older.path not in folder._readers:
            folder._garbage.add(older.path, in_slices=True)

    patcher.set(SnapshotFolder, "adopt", adopt)


@bug("A snapshot is not synced before the log behind it goes.")
def snapshot_not_synced(patcher: Patcher) -> None:
    patcher.set(UnfinishedFile, "sync", lambda self: None)


# Sending and receiving


@bug("A chunk of a snapshot that was lost is not sent again.")
def lost_chunk_not_repeated(patcher: Patcher) -> None:
    patcher.set(SnapshotSender, "tick", lambda sender: False)


@bug("A follower ignores the last items of a snapshot, and does not compare with its end.")
def receiver_drops_the_tail(patcher: Patcher) -> None:
    def add(restored, payload):
        part = decode_snapshot_payload(payload)
        if isinstance(part, SnapshotItems):
            restored._builder.add_items(part.items[:-1])

    patcher.set(RestoredStore, "add", add)
    patcher.set(RestoredStore, "finish", lambda restored, applied_index: restored._builder.finish(applied_index))


@bug("A snapshot that was installed replaces the log, and not the store.")
def installed_snapshot_keeps_the_store(patcher: Patcher) -> None:
    original = SnapshotReceiver.install

    def install(receiver, meta):
        original(receiver, meta)

    patcher.set(SnapshotReceiver, "install", install)


@bug("A snapshot that was installed does not end the log on disk, which it does not go on from.")
def installed_snapshot_keeps_the_log(patcher: Patcher) -> None:
    patcher.set(Log, "holds", lambda log, index, term: True)


@bug("A snapshot that was installed brings no configuration.")
def installed_snapshot_brings_no_configuration(patcher: Patcher) -> None:
    original = RaftLog.reset_to

    def reset_to(log, snapshot):
        known = log._configurations
        original(log, snapshot)
        log._configurations = known

    patcher.set(RaftLog, "reset_to", reset_to)


@bug("A snapshot that was installed leaves the commit index where it was.")
def installed_snapshot_does_not_commit(patcher: Patcher) -> None:
    original = Raft.begin_anew_from

    def begin_anew_from(raft, meta):
        commit_index = raft.commit_index
        original(raft, meta)
        raft.commit_index = commit_index

    patcher.set(Raft, "begin_anew_from", begin_anew_from)


@bug("A follower says that it has a snapshot when the first chunk has come.")
def snapshot_acknowledged_too_early(patcher: Patcher) -> None:
    original = replication.on_install_snapshot

    def on_install_snapshot(raft, sender, message):
        original(raft, sender, message)
        raft.send(sender, replication.AppendReply(raft.current_term, True, message.snapshot.index))

    patcher.react(original, on_install_snapshot)
