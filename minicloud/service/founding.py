"""The first start of a cluster: what a node with ``bootstrap: true`` writes into its empty data folder."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from minicloud.config import Settings
from minicloud.raft.configuration import Configuration, Member, Suffrage
from minicloud.raft.entries import Entry, EntryKind, HardState
from minicloud.service.errors import StartError
from minicloud.storage.storage import Storage

FIRST_TERM = 1
"""Term of the entry that founds a cluster. Its founder leads in this term first: nobody else can have voted in it."""

_log = Logger()


def found_cluster(storage: Storage, settings: Settings, new_cluster_id: Callable[[], str]) -> bool:
    """Make this node the only voter of a new cluster, if its settings say so and its folder is empty.

    The entry is on disk before the cluster id is: the id is what makes the folder a part of a cluster, for this
    function too, so that a crash in between is made good by the next start.

    Returns whether that was done; where state exists, it wins, and a line in the log says so. Raises StartError where a
    crash has left half a cluster and the settings no longer say what to do with it, and what storage raises.
    """
    first = founding_entry(settings, storage.identity.instance_id)
    if not settings.bootstrap:
        if storage.recovered.entries and not storage.identity.cluster_id:
            raise StartError(
                "bootstrap: expected true, because a first start with it was cut short; or an empty data_dir"
            )
        return False
    if not _is_blank(storage, first):
        _log.info(
            "bootstrap is ignored: the data folder holds a node of cluster {cluster_id}",
            cluster_id=storage.identity.cluster_id,
        )
        return False
    storage.append([first])
    storage.sync()
    storage.set_cluster(new_cluster_id())
    _log.info("founded cluster {cluster_id} with this node as its only member", cluster_id=storage.identity.cluster_id)
    return True


def founding_entry(settings: Settings, instance_id: str) -> Entry:
    """Return the first log entry of a new cluster: a configuration with this node as its only voter."""
    founder = Member(
        node_id=settings.node_id,
        raft_addr=str(settings.raft_addr),
        http_addr=str(settings.advertise_addr),
        suffrage=Suffrage.VOTER,
        instance_id=instance_id,
    )
    return Entry(term=FIRST_TERM, index=1, kind=EntryKind.CONFIGURATION, configuration=Configuration((founder,)))


def _is_blank(storage: Storage, first: Entry) -> bool:
    """Whether nothing has ever happened here, but perhaps the first half of what is about to be done."""
    recovered = storage.recovered
    return (
        not storage.identity.cluster_id
        and recovered.hard_state == HardState()
        and recovered.snapshot is None
        and len(recovered.entries) <= 1
        and all(entry.index == first.index and entry.term == first.term for entry in recovered.entries)
    )
