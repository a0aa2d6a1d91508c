"""The client against the real HTTP side of three nodes (the nodes themselves stand in), in memory."""

import pytest

from minicloud.client import (
    Conflict,
    ErrorAnswer,
    NotFound,
    NotModified,
    OutcomeUnknown,
    PreconditionFailed,
    Unauthorized,
    Unavailable,
)
from minicloud.node import errors

FIRST, SECOND, THIRD = (f"127.0.0.1:900{number}" for number in (1, 2, 3))


@pytest.mark.parametrize("server", [FIRST, SECOND])
@pytest.mark.parametrize("key", ["foo", "a//b", "a/../b", "/x", "%2Fx", "ключ", ".", "..", "a b?c#d&e", "é" * 512])
def test_every_key_can_be_written_and_read_through_any_node(network, cluster, server, key) -> None:
    client = network.client(server)
    written = network.result(client.put(key, b"\x00\xff"))
    assert written.created
    found = network.result(client.get(key, min_revision=written.revision))
    assert (found.value, found.revision) == (b"\x00\xff", written.revision)
    assert network.result(client.head(key)) == written.revision
    assert network.result(client.get(key, stale=True)).value == b"\x00\xff"
    assert network.result(client.delete(key)).deleted
    with pytest.raises(NotFound, match="no such key"):
        network.result(client.get(key))
    assert not network.result(client.delete(key)).deleted


def test_conditions_hold_or_fail(network, cluster) -> None:
    client = network.client(SECOND)
    first = network.result(client.put("k", b"1", if_absent=True))
    with pytest.raises(PreconditionFailed) as caught:
        network.result(client.put("k", b"2", if_absent=True))
    assert caught.value.current_revision == first.revision
    second = network.result(client.put("k", b"2", if_revision=first.revision))
    with pytest.raises(PreconditionFailed):
        network.result(client.delete("k", if_revision=first.revision))
    with pytest.raises(NotModified):
        network.result(client.get("k", unless_revision=second.revision))
    assert network.result(client.get("k", unless_revision=first.revision)).value == b"2"


def test_the_token_follows_to_the_leader(network, make_cluster) -> None:
    make_cluster(auth_token="secret")
    assert network.result(network.client(SECOND, token="secret").put("k", b"v")).created
    with pytest.raises(Unauthorized, match="token"):
        network.result(network.client(SECOND).put("k", b"v"))


def test_members_and_status_of_all(network, cluster) -> None:
    del network.sites[THIRD]
    client = network.client(SECOND)
    members = network.result(client.members())
    assert [member.lag_entries for member in members.members] == [0, 0, 0]
    assert members.failure_tolerance == 1
    reports = network.result(client.status())
    assert [report.status and report.status["state"] for report in reports] == ["Leader", "Follower", None]
    assert reports[2].reason == "connection refused"


def test_changes_of_the_cluster_reach_the_node(network, cluster) -> None:
    client = network.client(FIRST)
    network.result(client.join("node4", "127.0.0.1:9014"))
    network.result(client.remove("node4", force=True))
    network.result(client.transfer("node2"))
    calls = cluster.nodes["node1"].calls
    assert [call[0] for call in calls] == ["join", "remove", "transfer"]
    assert calls[0][1].http_addr == "127.0.0.1:9004"


def test_a_former_leader_passes_a_change_on_to_the_new_one(network, cluster) -> None:
    client = network.client(FIRST)
    network.result(client.transfer("node2"))
    network.result(client.transfer())
    assert [call[0] for call in cluster.nodes["node2"].calls] == ["transfer"]
    assert cluster.leader.node_id != "node2"


@pytest.mark.parametrize(
    ("error", "seen_as"),
    [
        (errors.OutcomeUnknown(), OutcomeUnknown),
        (errors.ChangeInProgress(), Conflict),
        (errors.QuorumAtRisk("two of three are down."), Conflict),
        (errors.UnknownMember("x"), NotFound),
        (errors.TransferFailed("too slow", True), Unavailable),
        (errors.TransferFailed("no such voter", False), Conflict),
        (RuntimeError("a bug"), OutcomeUnknown),
    ],
)
def test_what_the_node_says_has_its_type(network, cluster, error, seen_as) -> None:
    cluster.nodes["node1"].script.append(error)
    with pytest.raises(seen_as):
        network.result(network.client(FIRST).remove("x"))
    assert len(cluster.nodes["node1"].calls) == 1


@pytest.mark.parametrize(
    "error", [errors.ProposalLost(None), errors.Overloaded(9), errors.NotLeader(None), errors.NodeStopping()]
)
def test_what_surely_did_not_happen_is_tried_again(network, cluster, error) -> None:
    cluster.nodes["node1"].script.append(error)
    assert network.result(network.client(FIRST).put("k", b"v")).created


def test_a_value_that_is_too_large_is_an_error_that_names_the_limit(network, make_cluster) -> None:
    make_cluster(max_value_bytes=10)
    with pytest.raises(ErrorAnswer, match="max_value_bytes") as caught:
        network.result(network.client(FIRST).put("k", b"x" * 11))
    assert caught.value.problem.status == 413


def test_without_a_leader_nothing_is_written(network, cluster) -> None:
    cluster.leader = None
    with pytest.raises(Unavailable, match="No leader is known"):
        network.result(network.client(FIRST, SECOND, timeout_s=2.0).put("k", b"v"))
    assert cluster.store.records == {}
