"""What each method of the client sends, and what it makes of the answer."""

import json
from typing import Any

import pytest

from minicloud.client import (
    BadAnswer,
    Conflict,
    ErrorAnswer,
    NotFound,
    NotModified,
    PreconditionFailed,
    Unauthorized,
    Unavailable,
    exchange,
)
from tests.client.network import PUT_DONE, Network, document, found, member, members, problem, raw

A, B = "a:9001", "b:9002"


def test_put_sends_the_bytes_and_returns_the_revision(network: Network) -> None:
    network.serve(A, document(PUT_DONE))
    done = network.result(network.client(A).put("k", b"\x00\xff"))
    assert (done.key, done.revision, done.created) == ("k", 12, True)
    (seen,) = network.seen
    assert (seen.method, seen.body) == ("PUT", b"\x00\xff")
    assert seen.headers["content-type"] == "application/octet-stream"


def test_an_empty_value_is_sent_as_such(network: Network) -> None:
    network.serve(A, document(PUT_DONE))
    network.result(network.client(A).put("k", b""))
    assert (network.seen[0].body, network.seen[0].headers["content-length"]) == (b"", "0")


@pytest.mark.parametrize("value", ["v", None, 7, [b"v"], bytearray(b"v"), memoryview(b"v")])
def test_a_value_that_is_no_bytes_is_refused_before_anything_is_sent(network: Network, value: Any) -> None:
    network.serve(A)
    with pytest.raises(TypeError, match=f"a value is bytes, not {type(value).__name__}"):
        network.client(A).put("k", value)
    network.advance(1.0)
    assert network.seen == []


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("a//b", "/kv/a%2F%2Fb"),
        ("a/../b", "/kv/a%2F..%2Fb"),
        ("/x", "/kv/%2Fx"),
        ("%2Fx", "/kv/%252Fx"),
        ("ключ", "/kv/%D0%BA%D0%BB%D1%8E%D1%87"),
        ("a b?c#d&e=f", "/kv/a%20b%3Fc%23d%26e%3Df"),
        (".", "/kv/."),
        ("..", "/kv/.."),
    ],
)
def test_every_key_arrives_as_it_was(network: Network, key: str, path: str) -> None:
    network.serve(A, found(b"v", 3))
    network.result(network.client(A).get(key))
    assert network.seen[0].uri.partition("?")[0] == path


@pytest.mark.parametrize("key", ["", "\ud800"])
def test_what_is_no_key_is_not_asked_for(network: Network, key: str) -> None:
    network.serve(A)
    for verb in (network.client(A).get, network.client(A).delete):
        with pytest.raises(ValueError, match=r"a key|surrogates"):
            verb(key)
    assert network.seen == []


def test_get_returns_value_and_revision(network: Network) -> None:
    network.serve(A, found(b"one\ntwo", 31))
    value = network.result(network.client(A).get("k"))
    assert (value.value, value.revision) == (b"one\ntwo", 31)


def test_head_returns_the_revision(network: Network) -> None:
    network.serve(A, found(b"long value", 31))
    assert network.result(network.client(A).head("k")) == 31
    assert network.seen[0].method == "HEAD"


def test_delete_says_whether_there_was_something(network: Network) -> None:
    network.serve(A, document({"key": "k", "revision": 9, "deleted": False}))
    done = network.result(network.client(A).delete("k"))
    assert (done.revision, done.deleted) == (9, False)


def test_conditions_travel_as_headers(network: Network) -> None:
    network.serve(A, always=document(PUT_DONE | {"deleted": True}))
    client = network.client(A)
    network.result(client.put("k", b"v", if_revision=5))
    network.result(client.put("k", b"v", if_absent=True))
    network.result(client.delete("k", if_revision=6))
    first, second, third = network.seen
    assert (first.headers["if-match"], third.headers["if-match"]) == ('"5"', '"6"')
    assert second.headers["if-none-match"] == "*"


def test_a_failed_condition_carries_the_current_revision(network: Network) -> None:
    network.serve(A, problem(412, "precondition_failed", "the key is at revision 8", current_revision=8))
    with pytest.raises(PreconditionFailed) as caught:
        network.result(network.client(A).put("k", b"v", if_revision=5))
    assert caught.value.current_revision == 8


def test_an_unchanged_key_is_not_sent_again(network: Network) -> None:
    network.serve(A, raw(304, etag='"5"'))
    with pytest.raises(NotModified):
        network.result(network.client(A).get("k", unless_revision=5))
    assert network.seen[0].headers["if-none-match"] == '"5"'


def test_reads_can_be_stale_or_wait_for_a_revision(network: Network) -> None:
    network.serve(A, always=found(b"v", 3))
    client = network.client(A)
    network.result(client.get("k", stale=True))
    network.result(client.get("k", min_revision=17))
    assert network.seen[0].uri.startswith("/kv/k?stale&timeout=")
    assert network.seen[1].uri.startswith("/kv/k?min_revision=17&timeout=")


def test_the_node_is_told_to_give_up_a_little_before_we_do(network: Network) -> None:
    network.serve(A, found(b"v", 3))
    network.result(network.client(A, timeout_s=2.0).get("k"))
    assert network.seen[0].uri == "/kv/k?timeout=1750ms"


def test_where_there_are_others_to_ask_a_node_gives_up_before_the_next_one_is_asked(network: Network) -> None:
    network.serve(A, found(b"v", 1))
    network.result(network.client(A, B, timeout_s=10.0).get("k"))
    assert network.seen[0].uri == "/kv/k?timeout=1750ms"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (404, NotFound),
        (409, Conflict),
        (401, Unauthorized),
        (403, Unauthorized),
        (413, ErrorAnswer),
        (400, ErrorAnswer),
    ],
)
def test_each_problem_has_its_type_and_its_fields(network: Network, status: int, error: type[ErrorAnswer]) -> None:
    network.serve(A, problem(status, "some_code", "in so many words", leader="node2"))
    with pytest.raises(error, match="in so many words") as caught:
        network.result(network.client(A).put("k", b"v"))
    found_problem = caught.value.problem
    assert (found_problem.status, found_problem.code, found_problem.leader) == (status, "some_code", "node2")
    assert caught.value.server == "http://a:9001"


@pytest.mark.parametrize(
    "answer",
    [
        raw(200, b"<html>"),
        document({"key": "k"}),
        document({"revision": True}),
        raw(200, b"[1]"),
        raw(200, b"[" * 10**5),
    ],
)
def test_an_answer_that_is_none_of_ours_is_named_so(network: Network, answer: object) -> None:
    network.serve(A, answer)
    with pytest.raises(BadAnswer, match="is that a minicloud node"):
        network.result(network.client(A).put("k", b"v"))


def test_a_value_without_a_revision_is_none_of_ours(network: Network) -> None:
    network.serve(A, raw(200, b"hello", etag='"abc"'))
    with pytest.raises(BadAnswer, match="no ETag"):
        network.result(network.client(A).get("k"))


def test_an_error_of_some_other_server_still_has_its_status(network: Network) -> None:
    network.serve(A, raw(404, b"<html>no</html>", content_type="text/html"))
    with pytest.raises(NotFound, match="HTTP status 404"):
        network.result(network.client(A).get("k"))


def test_members_keeps_what_is_unknown_apart_from_zero(network: Network) -> None:
    network.serve(A, members(member("node1", A, is_leader=True), member("node2", B, lag_entries=None, healthy=None)))
    cluster = network.result(network.client(A).members())
    first, second = cluster.members
    assert (first.is_leader, first.lag_entries, second.lag_entries, second.healthy) == (True, 0, None, None)
    assert (cluster.leader, cluster.failure_tolerance) == ("node1", 0)


def test_members_come_from_the_leader_who_knows_the_lag(network: Network) -> None:
    listed = [member("node1", A, lag_entries=None), member("node2", B, is_leader=True)]
    network.serve(A, members(*listed, node="node1"))
    network.serve(B, members(member("node1", A, lag_entries=4), member("node2", B, is_leader=True), node="node2"))
    cluster = network.result(network.client(A).members())
    assert (cluster.members[0].lag_entries, cluster.server) == (4, "http://b:9002")


@pytest.mark.parametrize(
    "leader_says", [None, problem(401, "unauthorized"), raw(200, b"{}", minicloud_node="node2"), members(node="node9")]
)
def test_members_come_from_the_first_server_where_the_leader_does_not_tell(
    network: Network, leader_says: object
) -> None:
    listed = [member("node1", A, lag_entries=None), member("node2", B, is_leader=True)]
    network.serve(A, members(*listed, node="node1"))
    if leader_says is not None:
        network.serve(B, leader_says)
    cluster = network.result(network.client(A).members())
    assert (cluster.members[0].lag_entries, cluster.server) == (None, "http://a:9001")


@pytest.mark.parametrize("content", [{}, {"members": {}}, {"members": [1]}])
def test_members_of_something_else_are_refused(network: Network, content: dict[str, object]) -> None:
    network.serve(A, document(content))
    with pytest.raises(BadAnswer, match="names no members"):
        network.result(network.client(A).members())


def test_status_has_a_report_of_every_member_whether_it_answers_or_not(network: Network) -> None:
    listed = members(
        member("node1", A),
        member("node2", B),
        member("node3", "c:9003"),
        member("node4", ""),
        member("node5", "e:9005"),
    )
    network.serve(A, listed, document({"node_id": "node1", "state": "Leader"}))
    network.serve(B, problem(401, "unauthorized", "needs the token"))
    network.serve("e:9005", raw(200, b"<html>"))
    reports = network.result(network.client(A).status())
    assert [report.node_id for report in reports] == ["node1", "node2", "node3", "node4", "node5"]
    assert reports[0].status == {"node_id": "node1", "state": "Leader"}
    assert [report.status for report in reports[1:]] == [None] * 4
    assert [report.reason for report in reports[1:]] == [
        "needs the token",
        "connection refused",
        "it has no HTTP address",
        "http://e:9005: the answer is not a JSON object; is that a minicloud node?",
    ]


def test_status_does_not_wait_long_for_a_member_that_is_silent(network: Network) -> None:
    network.serve(A, members(member("node1", A), member("node2", B)), document({"node_id": "node1"}))
    network.serve(B, always=lambda request: 1)
    reports = network.result(network.client(A).status(), within_s=3.0)
    assert reports[1].reason == "no answer within 2 s"


def test_changes_of_the_cluster_are_json(network: Network) -> None:
    network.serve(A, always=raw(204))
    client = network.client(A)
    for change in (
        client.join("node4", "d:9014"),
        client.join("node4", "d:9014", http_addr="d:80", voter=False),
        client.remove("node4", force=True),
        client.transfer(),
        client.transfer("node2"),
    ):
        assert network.result(change) is None
    assert [(seen.uri.partition("?")[0], json.loads(seen.body)) for seen in network.seen] == [
        ("/raft/join", {"node_id": "node4", "raft_addr": "d:9014", "voter": True}),
        ("/raft/join", {"node_id": "node4", "raft_addr": "d:9014", "voter": False, "http_addr": "d:80"}),
        ("/raft/remove", {"node_id": "node4", "force": True}),
        ("/raft/transfer", {}),
        ("/raft/transfer", {"node_id": "node2"}),
    ]
    assert all(seen.headers["content-type"] == "application/json" for seen in network.seen)


def test_a_transfer_that_took_too_long_is_not_tried_again(network: Network) -> None:
    network.serve(A, problem(504, "transfer_failed", "node2 did not take over", retryable=True))
    with pytest.raises(Unavailable, match="did not take over"):
        network.result(network.client(A).transfer("node2"))
    assert len(network.seen) == 1


def test_an_answer_that_is_too_long_is_not_kept(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_ANSWER_BYTES", 100_000)
    network.serve(A, found(b"x" * 100_001, 3))
    with pytest.raises(BadAnswer, match="longer than"):
        network.result(network.client(A).get("k"))
    assert len(network.seen) == 1


def test_cookies_of_servers_are_not_sent_around(network: Network) -> None:
    def reply(request: Any) -> bytes | int:
        request.addCookie(b"c%d" % len(network.seen), b"v" * 100, path=b"/")
        return found(b"v", 3)(request)

    network.serve(A, always=reply)
    client = network.client(A)
    for _ in range(3):
        network.result(client.get("k"))
    assert [seen.headers.get("cookie") for seen in network.seen] == [None] * 3


@pytest.mark.parametrize("server", ["[::1]:9001", "project_node-1:9001", "[fe80::1%eth0]:9001"])
def test_a_server_may_have_any_address_that_a_node_may(network: Network, server: str) -> None:
    network.serve(server.replace("[", "").replace("]", ""), document(PUT_DONE))
    assert network.result(network.client(server).put("a/../b", b"v")).revision == 12
    assert network.seen[0].uri.startswith("/kv/a%2F..%2Fb?")


@pytest.mark.parametrize("token", ["\udcff", "secret\udcff"])
def test_a_token_that_is_no_text_is_sent_to_nobody(network: Network, token: str) -> None:
    network.serve(A)
    with pytest.raises(Unavailable, match="the request cannot be made") as caught:
        network.result(network.client(A, token=token).put("k", b"v"))
    assert "secret" not in str(caught.value)
    assert network.seen == []
