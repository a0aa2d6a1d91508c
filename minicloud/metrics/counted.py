"""What is measured, under the names of the contract, and how it is shown to Prometheus.

Each node has a registry of its own, so that several can live in one process. What happens often is counted where it
happens, through children that are kept; what merely *is* (terms, indexes, sizes) is asked of the node when somebody
looks.
"""

from __future__ import annotations

import platform

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    ProcessCollector,
    Summary,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from minicloud import __version__
from minicloud.metrics.gauges import BuildInfo
from minicloud.node.instruments import NodeInstruments
from minicloud.web.settings import WebInstruments
from twisted import __version__ as twisted_version

TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

REQUEST_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""From a read out of memory to the default time limit of a request."""

COMMIT_BUCKETS_S = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0)
"""From one fsync and one round trip to a leader that has just been replaced."""

FSYNC_BUCKETS_S = (0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 1.0, 4.0)
"""From a disk with a protected cache to one that is about to cost the leadership."""

SNAPSHOT_BUCKETS_S = (0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0)
"""They are written in slices between other work, so the larger ones take their time."""

LAG_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
"""Around the 100 ms that nothing may stall the reactor for."""


class Metrics:
    """All that one node measures."""

    def __init__(self) -> None:
        disable_created_metrics()  # a switch of the whole library; nobody here wants a second series for each counter
        self.registry = CollectorRegistry()
        self._children: dict[tuple[str, str, int], Counter] = {}
        self._durations: dict[tuple[str, str], Histogram] = {}
        self._make_http_metrics()
        self._make_raft_metrics()
        self.registry.register(BuildInfo(__version__, platform.python_version(), twisted_version))
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def _make_http_metrics(self) -> None:
        self._requests = self._counter("http_requests", "HTTP requests answered.", ("method", "route", "code"))
        self._request_duration = self._histogram(
            "http_request_duration_seconds",
            "From the end of a request's header to its answer.",
            REQUEST_BUCKETS_S,
            ("method", "route"),
        )
        self.puts = self._counter("kv_put_operations", "PUTs applied through this node.")
        self.gets = self._counter("kv_get_operations", "GETs of a key answered by this node.")
        self.deletes = self._counter("kv_delete_operations", "DELETEs applied through this node.")

    def _make_raft_metrics(self) -> None:
        self.elections = self._counter("raft_elections", "Elections that this node started.")
        self.leader_changes = self._counter("raft_leader_changes", "Times that this node learned of another leader.")
        self.proposals_committed = self._counter("raft_proposals_committed", "Entries committed, as this node saw it.")
        self.proposals_applied = self._counter("raft_proposals_applied", "Commands applied to this node's store.")
        self.proposals_failed = self._counter("raft_proposals_failed", "Proposals of this node that were not applied.")
        self.commit_duration = self._histogram(
            "raft_commit_duration_seconds", "From a proposal to its outcome, on the leader.", COMMIT_BUCKETS_S
        )
        # Its samples are raft_snapshot_count and raft_snapshot_sum: a summary is the one type that may use that name.
        self.snapshots = Summary("raft_snapshot", "Snapshots taken; the sum is their bytes.", registry=self.registry)
        self.snapshot_duration = self._histogram(
            "raft_snapshot_duration_seconds", "Taking one snapshot, other work in between included.", SNAPSHOT_BUCKETS_S
        )
        self.fsync_duration = self._histogram(
            "wal_fsync_duration_seconds", "Bringing the log to the disk.", FSYNC_BUCKETS_S
        )
        self.reactor_lag = self._histogram(
            "reactor_lag_seconds", "How late timers fire: how long the reactor was busy.", LAG_BUCKETS_S
        )

    def _counter(self, name: str, documentation: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(name, documentation, labels, registry=self.registry)

    def _histogram(
        self, name: str, documentation: str, buckets: tuple[float, ...], labels: tuple[str, ...] = ()
    ) -> Histogram:
        return Histogram(name, documentation, labels, buckets=buckets, registry=self.registry)

    def register(self, collector: Collector) -> None:
        """Add what is to be asked whenever somebody looks."""
        self.registry.register(collector)

    def request_finished(self, method: str, route: str, code: int, seconds: float) -> None:
        """Count one HTTP request; ``route`` is a template and never a key, so that the number of series is bounded."""
        child = self._children.get((method, route, code))
        if child is None:
            child = self._children[method, route, code] = self._requests.labels(method, route, str(code))
        child.inc()
        duration = self._durations.get((method, route))
        if duration is None:
            duration = self._durations[method, route] = self._request_duration.labels(method, route)
        duration.observe(seconds)

    def web_instruments(self) -> WebInstruments:
        """Return what the HTTP side is to call."""
        return WebInstruments(self.request_finished, self.puts.inc, self.gets.inc, self.deletes.inc)

    def node_instruments(self) -> NodeInstruments:
        """Return what the node is to call."""
        return NodeInstruments(
            election_started=self.elections.inc,
            leader_changed=self.leader_changes.inc,
            committed=self.proposals_committed.inc,
            applied=self.proposals_applied.inc,
            proposal_failed=self.proposals_failed.inc,
            commit_seconds=self.commit_duration.observe,
            snapshot_taken=self._snapshot_taken,
            fsync=self.fsync_duration.observe,
        )

    def _snapshot_taken(self, size_bytes: int, seconds: float) -> None:
        self.snapshots.observe(size_bytes)
        self.snapshot_duration.observe(seconds)

    def page(self, accept: str) -> tuple[str, bytes]:
        """Return content type and body of ``/metrics``, in the format that an ``Accept`` header prefers.

        It runs on the reactor: other threads would see numbers in the middle of a change.
        """
        if prefers_openmetrics(accept):
            return OPENMETRICS_TYPE, generate_openmetrics(self.registry)
        return TEXT_TYPE, generate_latest(self.registry)


def prefers_openmetrics(accept: str) -> bool:
    """Return whether an ``Accept`` header (RFC 9110, section 12.5.1) ranks OpenMetrics no lower than plain text."""
    ranks = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for item in accept.split(","):
        media_type, *parameters = (part.strip().lower() for part in item.split(";"))
        if media_type in ranks:
            ranks[media_type] = max(ranks[media_type], _rank(parameters))
    return ranks["application/openmetrics-text"] > 0 and ranks["application/openmetrics-text"] >= ranks["text/plain"]


def _rank(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
