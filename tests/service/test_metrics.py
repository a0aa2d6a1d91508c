"""Every metric of the contract, by its name, and how it is shown."""

import gc

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from minicloud.metrics.counted import OPENMETRICS_TYPE, TEXT_TYPE, Metrics, prefers_openmetrics
from minicloud.metrics.gauges import NodeGauges
from minicloud.node.status import MemberStatus, NodeStatus
from minicloud.raft.configuration import Configuration, Member

NODE1, NODE2, NODE3 = (Member(f"node{n}", f"127.0.0.1:901{n}", f"127.0.0.1:900{n}") for n in (1, 2, 3))


class Store:
    bytes_used = 4096

    def __len__(self) -> int:
        return 12


class Node:
    """A leader of three that hears of one of its two followers."""

    store = Store()
    state = "Leader"
    last_contact_ms: int | None = 0

    def status(self) -> NodeStatus:
        return NodeStatus(
            node_id="node1",
            state=self.state,
            leader=NODE1 if self.state == "Leader" else None,
            term=3,
            commit_index=10,
            applied_index=9,
            last_log_index=11,
            snapshot_index=5,
            log_entries=6,
            last_contact_ms=self.last_contact_ms,
            pending_proposals=2,
            caught_up=True,
            cluster_id="c",
            instance_id="i",
            configuration=Configuration((NODE1, NODE2, NODE3)),
            configuration_index=1,
            committed_configuration=Configuration((NODE1, NODE2, NODE3)),
        )

    def members(self) -> list[MemberStatus]:
        return [
            MemberStatus(NODE1, True, True, 11, 0, 0, None),
            MemberStatus(NODE2, False, True, 11, 0, 15, 0.002),
            MemberStatus(NODE3, False, False, 4, 7, 2000, None),
        ]


class Storage:
    snapshot_bytes = 2048


def samples(metrics: Metrics) -> dict[str, float]:
    """Return each sample by its name and labels, as text."""
    _, body = metrics.page("")
    found = {}
    for family in parse_text(body.decode()):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


@pytest.fixture
def metrics() -> Metrics:
    metrics = Metrics()
    metrics.register(NodeGauges(Node(), Storage()))
    return metrics


COUNTERS = [
    "kv_put_operations_total",
    "kv_get_operations_total",
    "kv_delete_operations_total",
    "raft_elections_total",
    "raft_leader_changes_total",
    "raft_proposals_committed_total",
    "raft_proposals_applied_total",
    "raft_proposals_failed_total",
]
GAUGES = [
    "raft_is_leader",
    "raft_has_leader",
    "raft_term",
    "raft_commit_index",
    "raft_applied_index",
    "raft_log_entries",
    "raft_proposals_pending",
    "raft_leader_last_contact_seconds",
    "raft_snapshot_count",
    "raft_snapshot_size_bytes",
    "kv_keys",
    "kv_bytes",
]
HISTOGRAMS = [
    "raft_commit_duration_seconds",
    "raft_snapshot_duration_seconds",
    "wal_fsync_duration_seconds",
    "reactor_lag_seconds",
]


@pytest.mark.parametrize("name", [*COUNTERS, *GAUGES, *(f"{name}_count" for name in HISTOGRAMS)])
def test_every_metric_of_the_contract_is_there_from_the_start(metrics: Metrics, name: str) -> None:
    assert name in samples(metrics)


def test_the_process_and_its_garbage_collector_are_measured(metrics: Metrics) -> None:
    found = samples(metrics)
    assert found["process_resident_memory_bytes"] > 0
    assert found["python_gc_collections_total{generation=2}"] == gc.get_stats()[2]["collections"]


def test_the_gauges_are_the_nodes_own_numbers(metrics: Metrics) -> None:
    found = samples(metrics)
    expected = {
        "raft_is_leader": 1,
        "raft_has_leader": 1,
        "raft_term": 3,
        "raft_commit_index": 10,
        "raft_applied_index": 9,
        "raft_log_entries": 6,
        "raft_proposals_pending": 2,
        "raft_leader_last_contact_seconds": 0,
        "raft_snapshot_size_bytes": 2048,
        "kv_keys": 12,
        "kv_bytes": 4096,
    }
    assert {name: found[name] for name in expected} == expected


def test_peers_are_there_by_name_and_only_with_what_is_known(metrics: Metrics) -> None:
    found = {name: value for name, value in samples(metrics).items() if name.startswith("raft_peer_")}
    assert found == {
        "raft_peer_up{peer=node2}": 1,
        "raft_peer_up{peer=node3}": 0,
        "raft_peer_match_index{peer=node2}": 11,
        "raft_peer_match_index{peer=node3}": 4,
        "raft_peer_round_trip_seconds{peer=node2}": 0.002,
    }


def test_a_node_without_a_leader_says_so_and_invents_no_contact() -> None:
    node = Node()
    node.state, node.last_contact_ms = "Candidate", None
    metrics = Metrics()
    metrics.register(NodeGauges(node, Storage()))
    found = samples(metrics)
    assert (found["raft_is_leader"], found["raft_has_leader"]) == (0, 0)
    assert "raft_leader_last_contact_seconds" not in found


def test_what_the_http_side_reports_is_counted(metrics: Metrics) -> None:
    instruments = metrics.web_instruments()
    instruments.request_finished("PUT", "/kv/{key}", 200, 0.003)
    instruments.request_finished("PUT", "/kv/{key}", 200, 0.003)
    instruments.request_finished("PUT", "/kv/{key}", 503, 0.004)
    instruments.put_finished()
    instruments.get_finished()
    instruments.get_finished()
    instruments.delete_finished()
    found = samples(metrics)
    assert found["http_requests_total{code=200,method=PUT,route=/kv/{key}}"] == 2
    assert found["http_requests_total{code=503,method=PUT,route=/kv/{key}}"] == 1
    assert found["http_request_duration_seconds_count{method=PUT,route=/kv/{key}}"] == 3
    assert found["http_request_duration_seconds_bucket{le=0.0025,method=PUT,route=/kv/{key}}"] == 0
    assert found["http_request_duration_seconds_bucket{le=0.005,method=PUT,route=/kv/{key}}"] == 3
    names = ("kv_put_operations_total", "kv_get_operations_total", "kv_delete_operations_total")
    assert [found[name] for name in names] == [1, 2, 1]


def test_the_build_is_named(metrics: Metrics) -> None:
    (build,) = [name for name in samples(metrics) if name.startswith("minicloud_build_info")]
    assert "version=0.1.0" in build
    assert "twisted=" in build


def test_two_nodes_in_one_process_count_apart() -> None:
    one, other = Metrics(), Metrics()
    one.puts.inc()
    assert samples(one)["kv_put_operations_total"] == 1
    assert samples(other)["kv_put_operations_total"] == 0


def test_no_series_tells_when_a_counter_was_made(metrics: Metrics) -> None:
    metrics.request_finished("GET", "/livez", 200, 0.1)
    assert not [name for name in samples(metrics) if "_created" in name]


def test_plain_text_is_the_default_and_openmetrics_what_prometheus_gets(metrics: Metrics) -> None:
    content_type, body = metrics.page("*/*")
    assert content_type == TEXT_TYPE
    assert list(parse_text(body.decode()))
    content_type, body = metrics.page("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2")
    assert content_type == OPENMETRICS_TYPE
    assert body.endswith(b"# EOF\n")
    assert list(parse_openmetrics(body.decode()))


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("text/html, */*", False),
        ("application/openmetrics-text", True),
        ("APPLICATION/OpenMetrics-Text ; version=1.0.0", True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=0.2,text/plain", False),
        ("application/openmetrics-text; version=x ; q=high", False),
        (";;,,;q=1", False),
    ],
)
def test_the_accept_header_decides(accept: str, openmetrics: bool) -> None:
    assert prefers_openmetrics(accept) is openmetrics
