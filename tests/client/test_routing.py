"""Where requests go: fail-over, redirects, the token, and what is never sent twice."""

from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from minicloud.client import BadAnswer, ErrorAnswer, ForeignRedirect, OutcomeUnknown, Unavailable, exchange
from tests.client.network import (
    NO_LEADER,
    PUT_DONE,
    STEP_S,
    Network,
    Reply,
    document,
    found,
    member,
    members,
    problem,
    raw,
    redirect,
    silence,
)

A, B, C = "a:9001", "b:9002", "c:9003"
DONE = document(PUT_DONE)


# Fail-over


def test_a_server_that_refuses_the_connection_is_passed_over(network: Network) -> None:
    network.serve(B, always=DONE)
    assert network.result(network.client(A, B).put("k", b"v")).revision == 12


def test_the_server_that_answered_is_asked_first_next_time(network: Network) -> None:
    network.serve(A, NO_LEADER)
    network.serve(B, always=found(b"v", 1))
    client = network.client(A, B)
    network.result(client.get("k"))
    network.result(client.get("k"))
    assert network.asked() == ["GET a:9001/kv/k", "GET b:9002/kv/k", "GET b:9002/kv/k"]


def test_no_server_at_all_is_said_at_once_with_every_reason(network: Network) -> None:
    with pytest.raises(Unavailable) as caught:
        network.result(network.client(A, "nowhere.invalid:1").get("k"), within_s=0.1)
    assert str(caught.value) == "http://a:9001: connection refused; http://nowhere.invalid:1: no such host"
    assert not caught.value.timed_out


@pytest.mark.parametrize(
    ("verb", "answer"),
    [
        ("get", found(b"v", 1)),
        ("head", found(b"v", 1)),
        ("delete", document({"revision": 2, "deleted": True})),
    ],
)
def test_without_a_leader_it_tries_again_until_there_is_one(network: Network, verb: str, answer: Reply) -> None:
    network.serve(A, NO_LEADER, NO_LEADER, answer)
    network.result(getattr(network.client(A), verb)("k"))
    assert len(network.seen) == 3


def test_without_a_leader_it_gives_up_within_the_time_limit(network: Network) -> None:
    network.serve(A, always=NO_LEADER)
    with pytest.raises(Unavailable, match="No leader is known") as caught:
        network.result(network.client(A, timeout_s=5.0).put("k", b"v"), within_s=5.1)
    assert caught.value.timed_out
    assert 5 < len(network.seen) < 20


def test_what_a_node_calls_final_is_not_tried_again(network: Network) -> None:
    network.serve(A, problem(503, "disk_full", "no room"))
    with pytest.raises(Unavailable, match="no room") as caught:
        network.result(network.client(A).put("k", b"v"))
    assert caught.value.setbacks[0].problem.code == "disk_full"
    assert len(network.seen) == 1


def test_a_read_leaves_a_silent_server_for_the_next(network: Network) -> None:
    network.serve(A, silence)
    network.serve(B, always=found(b"v", 1))
    assert network.result(network.client(A, B).get("k"), within_s=2.1).value == b"v"


def test_a_read_of_a_single_server_waits_to_the_end(network: Network) -> None:
    network.serve(A, silence)
    with pytest.raises(Unavailable, match="no answer within 4 s"):
        network.result(network.client(A, timeout_s=4.0).get("k"))


@pytest.mark.parametrize("timeout_s", [1.0, 4.0])
def test_a_read_leaves_a_server_that_falls_silent_in_the_middle_of_its_answer(
    network: Network, timeout_s: float
) -> None:
    def half(request: Any) -> int:
        network.clock.callLater(0.5, request.write, b"xxxxx")
        request.setHeader("Content-Length", "10")
        request.write(b"x")
        return silence(request)

    network.serve(A, always=half)
    network.serve(B, always=silence)
    outcome = network.client(A, B, timeout_s=timeout_s).get("k")
    with pytest.raises(Unavailable) as caught:
        network.result(outcome, within_s=timeout_s + STEP_S)
    reason = "no complete answer within 1 s" if timeout_s == 1.0 else "nothing more of the answer came for 2 s"
    assert caught.value.setbacks[0].reason == reason


@pytest.mark.parametrize("servers", [(A,), (A, B)])
def test_a_long_answer_may_take_its_time_as_long_as_it_goes_on(network: Network, servers: tuple[str, ...]) -> None:
    """The head after one and a half seconds, then ten pieces in three: longer than a server may be silent, in all."""

    def in_pieces(request: Any) -> int:
        request.setHeader("ETag", '"1"')
        request.setHeader("Content-Length", "1000")
        network.clock.callLater(1.5, request.write, b"")
        for number in range(10):
            network.clock.callLater(3.0 + 0.3 * number, request.write, b"x" * 100)
        network.clock.callLater(6.0, request.finish)
        return silence(request)

    for server in servers:
        network.serve(server, always=in_pieces)
    assert network.result(network.client(*servers).get("k")).value == b"x" * 1000
    assert len(network.seen) == 1


def test_a_long_answer_has_no_longer_than_the_time_limit(network: Network) -> None:
    def without_end(request: Any) -> int:
        if not network.clock.seconds() > 20:
            request.write(b"x")
            network.clock.callLater(0.3, without_end, request)
        return silence(request)

    network.serve(A, always=without_end)
    network.serve(B)
    with pytest.raises(Unavailable, match="no complete answer within 5 s"):
        network.result(network.client(A, B, timeout_s=5.0).get("k"), within_s=5.0 + STEP_S)


@pytest.mark.parametrize("verb", ["get", "head"])
@pytest.mark.parametrize("answer", [raw(502, b"bad gateway"), NO_LEADER, problem(504, "read_timeout", retryable=True)])
def test_a_read_moves_on_from_a_server_that_cannot(network: Network, answer: Reply, verb: str) -> None:
    network.serve(A, answer)
    network.serve(B, found(b"v", 1))
    network.result(getattr(network.client(A, B), verb)("k"))
    assert len(network.seen) == 2


@pytest.mark.parametrize("verb", ["get", "head"])
def test_a_read_that_made_a_node_fail_is_not_tried_elsewhere(network: Network, verb: str) -> None:
    network.serve(A, problem(500, "internal_error"))
    network.serve(B)
    with pytest.raises(ErrorAnswer):
        network.result(getattr(network.client(A, B), verb)("k"))
    assert len(network.seen) == 1


def test_a_server_that_does_not_accept_connections_has_seen_nothing(network: Network) -> None:
    network.serve(B, DONE)
    network.deaf.add(A)
    assert network.result(network.client(A, B).put("k", b"v"), within_s=2.1).revision == 12


@pytest.mark.parametrize("timeout_s", [1.0, 3.0])
def test_a_write_that_never_got_a_connection_did_not_happen(network: Network, timeout_s: float) -> None:
    network.deaf.add(A)
    with pytest.raises(Unavailable, match=f"no connection within {min(timeout_s, 2.0):g} s"):
        network.result(network.client(A, timeout_s=timeout_s).put("k", b"v"))


# What is never sent twice


@pytest.mark.parametrize(
    "answer",
    [
        problem(504, "outcome_unknown", "may or may not happen"),
        problem(500, "internal_error"),
        raw(502, b"bad gateway"),
        raw(503, b"busy"),
    ],
)
def test_a_write_that_may_have_happened_is_reported_so(network: Network, answer: object) -> None:
    network.serve(A, answer)
    network.serve(B)
    with pytest.raises(OutcomeUnknown) as caught:
        network.result(network.client(A, B).put("k", b"v"))
    assert caught.value.problem is not None
    assert len(network.seen) == 1


def test_a_write_whose_answer_is_lost_is_not_sent_again(network: Network) -> None:
    network.serve(A, silence)
    network.serve(B)
    outcome = network.client(A, B).put("k", b"v")
    network.settle()
    network.cut(A)
    with pytest.raises(OutcomeUnknown, match="the connection ended before the answer"):
        network.result(outcome)
    assert len(network.seen) == 1


def test_a_write_that_stays_unanswered_is_not_sent_again(network: Network) -> None:
    network.serve(A, silence)
    network.serve(B)
    with pytest.raises(OutcomeUnknown, match="no answer within 10 s"):
        network.result(network.client(A, B).delete("k"))
    assert len(network.seen) == 1


def test_a_write_after_a_silent_one_goes_elsewhere(network: Network) -> None:
    network.serve(A, silence)
    network.serve(B, DONE)
    client = network.client(A, B)
    with pytest.raises(OutcomeUnknown):
        network.result(client.put("k", b"v"))
    assert network.result(client.put("k", b"v")).revision == 12


def test_half_an_answer_to_a_write_is_no_answer(network: Network) -> None:
    def half(request: object) -> int:
        request.setHeader("Content-Length", "100")
        request.write(b"{")
        return silence(request)

    network.serve(A, half)
    outcome = network.client(A).put("k", b"v")
    network.settle()
    network.cut(A)
    with pytest.raises(OutcomeUnknown):
        network.result(outcome)


def test_half_an_answer_that_never_ends_is_given_up(network: Network) -> None:
    def half(request: object) -> int:
        request.setHeader("Content-Length", "100")
        request.write(b"{")
        return silence(request)

    network.serve(A, half)
    with pytest.raises(OutcomeUnknown, match="no complete answer within 10 s"):
        network.result(network.client(A).put("k", b"v"))


def test_giving_up_is_not_taken_for_a_failure_of_the_server(network: Network) -> None:
    network.serve(A, silence)
    network.serve(B)
    outcome = network.client(A, B).get("k")
    network.settle()
    outcome.cancel()
    with pytest.raises(CancelledError):
        network.result(outcome)
    assert network.asked() == ["GET a:9001/kv/k"]


def test_giving_up_during_a_pause_ends_it(network: Network) -> None:
    network.serve(A, NO_LEADER)
    outcome = network.client(A).get("k")
    network.settle()
    outcome.cancel()
    with pytest.raises(CancelledError):
        network.result(outcome)
    network.advance(5)
    assert len(network.seen) == 1


# Following the leader


def test_a_redirect_to_another_given_server_is_followed_with_body_and_token(network: Network) -> None:
    network.serve(A, redirect("http://b:9002"))
    network.serve(B, DONE)
    network.result(network.client(A, B, token="secret").put("a/b", b"v", if_absent=True))
    first, second = network.seen
    assert (second.method, second.body, second.headers["if-none-match"]) == ("PUT", b"v", "*")
    assert second.uri.startswith("/kv/a%2Fb?timeout=")
    assert second.uri.count("timeout=") == 1
    assert first.headers["authorization"] == second.headers["authorization"] == "Bearer secret"


def test_a_redirect_to_a_member_is_followed_once_the_server_names_it(network: Network) -> None:
    network.serve(A, redirect("http://c:9003"), members(member("node1", A), member("node3", C)))
    network.serve(C, DONE)
    network.result(network.client(A, token="secret").put("k", b"v"))
    assert network.asked() == ["PUT a:9001/kv/k", "GET a:9001/cluster/members", "PUT c:9003/kv/k"]
    assert network.seen[2].headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize("location", ["http://evil:80", "https://c:9003", "http://c:9004", "nonsense"])
def test_a_redirect_to_a_stranger_is_not_followed(network: Network, location: str) -> None:
    network.serve(A, redirect(location), members(member("node1", A), member("node3", C)))
    network.serve("evil:80")
    network.serve(C)
    network.serve("c:9004")
    with pytest.raises(ForeignRedirect):
        network.result(network.client(A, token="secret").put("k", b"v"))
    assert {seen.server for seen in network.seen} == {A}


def test_a_member_cannot_name_others(network: Network) -> None:
    network.serve(
        A, redirect("http://b:9002"), members(member("node1", A), member("node2", B)), members(member("n", B))
    )
    network.serve(B, redirect("http://evil:80"))
    network.serve("evil:80")
    with pytest.raises(ForeignRedirect):
        network.result(network.client(A, token="secret").put("k", b"v"))
    assert "evil:80" not in {seen.server for seen in network.seen}


def test_the_next_write_goes_to_the_leader_at_once(network: Network) -> None:
    network.serve(A, redirect("http://b:9002"), found(b"v", 1))
    network.serve(B, always=DONE)
    client = network.client(A, B)
    network.result(client.put("k", b"v"))
    network.result(client.put("k", b"v"))
    assert network.asked() == ["PUT a:9001/kv/k", "PUT b:9002/kv/k", "PUT b:9002/kv/k"]


def test_a_leader_that_is_gone_is_forgotten(network: Network) -> None:
    network.serve(A, redirect("http://c:9003"), members(member("node3", C)), DONE)
    network.serve(C, DONE)
    client = network.client(A)
    network.result(client.put("k", b"v"))
    del network.sites[C]
    network.result(client.put("k", b"v"))
    assert network.asked()[-1] == "PUT a:9001/kv/k"


def test_a_member_that_no_longer_leads_does_not_send_us_on(network: Network) -> None:
    network.serve(A, redirect("http://c:9003"), members(member("node3", C)), DONE)
    network.serve(C, DONE, redirect("http://a:9001"))
    client = network.client(A)
    network.result(client.put("k", b"v"))
    network.result(client.put("k", b"v"))
    assert network.asked()[-2:] == ["PUT c:9003/kv/k", "PUT a:9001/kv/k"]


def test_nodes_that_point_at_each_other_are_asked_again_later(network: Network) -> None:
    network.serve(A, redirect("http://b:9002"), redirect("http://b:9002"), always=DONE)
    network.serve(B, redirect("http://a:9001"), redirect("http://a:9001"), always=redirect("http://a:9001"))
    assert network.result(network.client(A, B).put("k", b"v")).revision == 12


def test_a_server_that_cannot_name_members_just_now_is_asked_again(network: Network) -> None:
    network.serve(A, redirect("http://c:9003"), NO_LEADER, redirect("http://c:9003"), members(member("node3", C)))
    network.serve(C, DONE)
    assert network.result(network.client(A).put("k", b"v")).revision == 12


def test_no_token_means_no_header(network: Network) -> None:
    network.serve(A, DONE)
    network.result(network.client(A).put("k", b"v"))
    assert "authorization" not in network.seen[0].headers


def test_status_gives_members_the_token_and_asks_each_once(network: Network) -> None:
    network.serve(A, members(member("node1", A), member("node2", B)), document({"node_id": "node1"}))
    network.serve(B, document({"node_id": "node2"}))
    network.result(network.client(A, token="secret").status())
    assert network.asked() == ["GET a:9001/cluster/members", "GET a:9001/raft/status", "GET b:9002/raft/status"]
    assert {seen.headers["authorization"] for seen in network.seen} == {"Bearer secret"}


# Answers without end


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "MAX_ANSWER_BYTES", 1000)


ENDLESS = raw(200, b"x" * 1001)


@pytest.mark.usefixtures("short")
def test_a_read_moves_on_from_an_answer_that_is_too_long(network: Network) -> None:
    network.serve(A, ENDLESS)
    network.serve(B, found(b"v", 1))
    assert network.result(network.client(A, B).get("k")).value == b"v"


@pytest.mark.usefixtures("short")
def test_where_no_answer_is_shorter_nobody_is_asked_again(network: Network) -> None:
    network.serve(A, ENDLESS)
    network.serve(B, NO_LEADER)
    with pytest.raises(BadAnswer, match="http://a:9001: the answer is longer than 1000 bytes"):
        network.result(network.client(A, B).get("k"))
    assert len(network.seen) == 2


@pytest.mark.usefixtures("short")
def test_a_write_with_an_answer_that_is_too_long_may_have_happened(network: Network) -> None:
    network.serve(A, ENDLESS)
    network.serve(B)
    with pytest.raises(OutcomeUnknown, match="longer than"):
        network.result(network.client(A, B).put("k", b"v"))
