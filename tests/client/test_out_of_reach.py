"""Writes where the address of the leader means nothing from here: they get through where a way exists, and once."""

from typing import Any

import pytest

from minicloud.client import OutcomeUnknown, Unavailable
from minicloud.client.exchange import CONNECT_TIMEOUT_S
from minicloud.client.routing import OUT_OF_REACH_S
from tests.client.network import PUT_DONE, Network, Reply, document, member, members, problem, redirect, silence

A, B, LEADER = "a:9001", "b:9002", "inside:9001"
DONE = document(PUT_DONE)
UNREACHABLE = problem(503, "leader_unreachable", "The leader could not be reached; nothing was sent.", retryable=True)


def follower(forwarded: Reply = DONE) -> Reply:
    """Answer as a follower does: 307 to the leader, and what ``forwarded`` says to those that ask it to forward."""

    def reply(request: Any) -> bytes | int:
        if request.uri.startswith(b"/cluster/members"):
            return members(member("node1", A), member("node2", LEADER, is_leader=True))(request)
        return (forwarded if b"forward" in request.uri else redirect(f"http://{LEADER}"))(request)

    return reply


def writes(network: Network) -> list[str]:
    """Return who was asked to write, and whether it was asked to forward."""
    asked = [seen for seen in network.seen if seen.method != "GET"]
    return [seen.server + (" forward" if "forward" in seen.uri else "") for seen in asked]


@pytest.mark.parametrize("leader", ["inside:9001", "inside.invalid:9001"])
def test_the_follower_is_asked_to_forward(network: Network, monkeypatch: pytest.MonkeyPatch, leader: str) -> None:
    monkeypatch.setattr("tests.client.test_out_of_reach.LEADER", leader)
    network.serve(A, always=follower())
    done = network.result(network.client(A, token="secret").put("a/b", b"v", if_revision=3), within_s=0.1)
    assert (done.revision, writes(network)) == (12, [A, f"{A} forward"])
    last = network.seen[-1]
    assert (last.body, last.headers["if-match"], last.headers["authorization"]) == (b"v", '"3"', "Bearer secret")
    assert last.uri.startswith("/kv/a%2Fb?forward&timeout=")


def test_a_leader_that_does_not_accept_connections_costs_one_wait_and_no_more(network: Network) -> None:
    network.serve(A, always=follower())
    network.deaf.add(LEADER)
    client = network.client(A)
    network.result(client.put("k", b"1"), within_s=CONNECT_TIMEOUT_S + 0.1)
    for _ in range(3):
        network.result(client.put("k", b"2"), within_s=0.1)
    assert writes(network) == [A, f"{A} forward"] * 4


def test_a_leader_that_is_back_is_followed_to_again(network: Network) -> None:
    network.serve(A, always=follower())
    client = network.client(A)
    network.result(client.put("k", b"1"))
    network.serve(LEADER, always=DONE)
    network.result(client.put("k", b"2"))
    assert writes(network)[2:] == [A, f"{A} forward"]
    network.advance(OUT_OF_REACH_S)
    network.result(client.put("k", b"3"))
    assert writes(network)[4:] == [A, LEADER]


def test_where_the_follower_cannot_forward_the_next_server_is_asked(network: Network) -> None:
    network.serve(A, always=follower(UNREACHABLE))
    network.serve(B, always=DONE)
    assert network.result(network.client(A, B).put("k", b"v")).revision == 12
    assert writes(network) == [A, f"{A} forward", B]


def test_where_nobody_can_it_is_unavailable_and_says_why(network: Network) -> None:
    network.serve(A, always=follower(UNREACHABLE))
    with pytest.raises(Unavailable, match="nothing was sent"):
        network.result(network.client(A, timeout_s=2.0).put("k", b"v"))


def test_a_proxy_that_loses_the_wish_is_passed_over(network: Network) -> None:
    network.serve(A, always=follower(redirect(f"http://{LEADER}")))
    network.serve(B, always=DONE)
    assert network.result(network.client(A, B).put("k", b"v")).revision == 12
    assert writes(network) == [A, f"{A} forward", B]


@pytest.mark.parametrize("forwarded", [silence, problem(504, "outcome_unknown", "its answer did not arrive")])
def test_a_write_that_was_forwarded_and_not_answered_is_sent_to_nobody_else(network: Network, forwarded: Reply) -> None:
    network.serve(A, always=follower(forwarded))
    network.serve(B)
    with pytest.raises(OutcomeUnknown):
        network.result(network.client(A, B).put("k", b"v"))
    assert writes(network) == [A, f"{A} forward"]


def test_a_write_that_a_leader_may_have_seen_is_not_forwarded(network: Network) -> None:
    network.serve(A, always=follower())
    network.serve(LEADER, silence)
    outcome = network.client(A).put("k", b"v")
    for _ in range(3):
        network.settle()
    network.cut(LEADER)
    with pytest.raises(OutcomeUnknown):
        network.result(outcome)
    assert writes(network) == [A, LEADER]


def test_the_way_there_takes_no_more_than_the_time_limit(network: Network) -> None:
    network.serve(A, always=follower(silence))
    network.deaf.add(LEADER)
    with pytest.raises(OutcomeUnknown, match="no answer within"):
        network.result(network.client(A, timeout_s=CONNECT_TIMEOUT_S + 1.0).put("k", b"v"), within_s=3.1)
