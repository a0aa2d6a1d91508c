"""Metrics that nobody counts: each is asked of the node at the moment when somebody looks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from attrs import frozen
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from minicloud.node.status import MemberStatus, NodeStatus


class MeasuredStore(Protocol):
    """The replicated store, as far as it is measured."""

    def __len__(self) -> int:
        """Return the number of keys."""

    @property
    def bytes_used(self) -> int:
        """Bytes of all keys and values."""


class MeasuredNode(Protocol):
    """The node, as far as it is measured."""

    @property
    def store(self) -> MeasuredStore:
        """The replicated store."""

    def status(self) -> NodeStatus:
        """Return what this node says of itself."""

    def members(self) -> list[MemberStatus]:
        """Return what this node knows of each member."""


class MeasuredStorage(Protocol):
    """The data folder, as far as it is measured."""

    @property
    def snapshot_bytes(self) -> int:
        """Size of the newest snapshot, 0 where there is none."""


@frozen
class NodeGauges(Collector):
    """The present state of one node."""

    node: MeasuredNode
    storage: MeasuredStorage

    def collect(self) -> Iterable[Metric]:
        """Return one gauge for each thing that is what it is."""
        status = self.node.status()
        yield _gauge("raft_is_leader", "1 where this node leads.", status.is_leader)
        yield _gauge("raft_has_leader", "1 where this node knows a leader.", status.leader is not None)
        yield _gauge("raft_term", "The current term.", status.term)
        yield _gauge("raft_commit_index", "Newest log index known to be committed.", status.commit_index)
        yield _gauge("raft_applied_index", "Newest log index applied to this node's store.", status.applied_index)
        yield _gauge("raft_log_entries", "Entries in this node's log, behind its snapshot.", status.log_entries)
        yield _gauge("raft_proposals_pending", "Proposals of this node without an outcome.", status.pending_proposals)
        if status.last_contact_ms is not None:
            seconds = status.last_contact_ms / 1000
            yield _gauge("raft_leader_last_contact_seconds", "Since the leader was heard of; 0 on itself.", seconds)
        yield _gauge("raft_snapshot_size_bytes", "Size of the newest snapshot on disk.", self.storage.snapshot_bytes)
        yield _gauge("kv_keys", "Keys in this node's store.", len(self.node.store))
        yield _gauge("kv_bytes", "Bytes of the keys and values in this node's store.", self.node.store.bytes_used)
        yield _gauge("kv_watchers", "Clients that watch keys; none, as long as there is nothing to watch with.", 0)
        yield from _peers(status.node_id, self.node.members())


@frozen
class BuildInfo(Collector):
    """Which program this is."""

    version: str
    python_version: str
    twisted_version: str

    def collect(self) -> Iterable[Metric]:
        """Return a constant 1 that carries the versions as labels."""
        labels = {"version": self.version, "python": self.python_version, "twisted": self.twisted_version}
        family = GaugeMetricFamily("minicloud_build_info", "Versions, as labels.", labels=list(labels))
        family.add_metric(list(labels.values()), 1)
        yield family


def _gauge(name: str, documentation: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation, value=float(value))


def _peers(own_id: str, members: list[MemberStatus]) -> Iterator[Metric]:
    """What this node knows of each other member. What it does not know has no sample: a zero would be a lie."""
    up = GaugeMetricFamily("raft_peer_up", "1 where the peer was heard of in time.", labels=["peer"])
    match_index = GaugeMetricFamily("raft_peer_match_index", "How far the peer's log is known.", labels=["peer"])
    round_trip = GaugeMetricFamily(
        "raft_peer_round_trip_seconds", "Of the newest message that the peer answered.", labels=["peer"]
    )
    for status in members:
        peer = [status.member.node_id]
        if peer == [own_id]:
            continue
        if status.healthy is not None:
            up.add_metric(peer, float(status.healthy))
        if status.match_index is not None:
            match_index.add_metric(peer, status.match_index)
        if status.round_trip_seconds is not None:
            round_trip.add_metric(peer, status.round_trip_seconds)
    yield from (up, match_index, round_trip)
