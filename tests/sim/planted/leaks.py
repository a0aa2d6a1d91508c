"""Bugs that let nobody down today: something is kept that is of no use any more, and more of it with every fault."""

from __future__ import annotations

from minicloud.kv.store import FrozenView
from minicloud.node.errors import OutcomeUnknown
from minicloud.node.proposals import Proposals
from minicloud.node.reads import Reads
from minicloud.node.snapshot_sending import SnapshotSender
from minicloud.storage.snapshot_intake import UnfinishedFile
from tests.sim.planted.patcher import Patcher, bug


@bug("A proposal whose time is over still counts as pending.")
def late_proposals_stay_pending(patcher: Patcher) -> None:
    patcher.set(Proposals, "_too_late", lambda proposals, waiter, index: OutcomeUnknown())


@bug("A read whose time is over is remembered until its index is applied.")
def late_reads_are_remembered(patcher: Patcher) -> None:
    patcher.set(Reads, "_forget", lambda reads, index, waiter: None)


@bug("A snapshot stays open when it is sent.")
def sent_snapshots_stay_open(patcher: Patcher) -> None:
    patcher.set(SnapshotSender, "_drop", lambda sender, peer: sender._transfers.pop(peer, None))


@bug("An unfinished snapshot stays on the disk when it is given up.")
def unfinished_snapshots_stay(patcher: Patcher) -> None:
    patcher.set(UnfinishedFile, "discard", UnfinishedFile.close)


@bug("A view of the store goes on collecting changes when its snapshot is written.")
def views_stay_open(patcher: Patcher) -> None:
    patcher.set(FrozenView, "close", lambda view: None)
