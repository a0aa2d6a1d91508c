"""Members and their status where the addresses that members advertise mean nothing from here (containers, say)."""

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError
from twisted.logger import LogEvent, globalLogPublisher

from minicloud.client import exchange
from tests.client.network import NO_LEADER, Network, Reply, document, member, members, raw, silence

FIRST, SECOND, THIRD = (f"127.0.0.1:900{number}" for number in (1, 2, 3))
INSIDE = {f"node{number}": f"node{number}.invalid:9001" for number in (1, 2, 3)}
"""What the members advertise: no such host from here."""


def listed(**more: Any) -> list[dict[str, Any]]:
    return [member(node_id, http_addr, is_leader=node_id == "node2", **more) for node_id, http_addr in INSIDE.items()]


def node(node_id: str, *, lag_entries: int | None = None, state: str = "Follower") -> Reply:
    """Answer as one node of the cluster."""

    def reply(request: Any) -> bytes | int:
        if request.uri.startswith(b"/cluster/members"):
            return members(*listed(lag_entries=lag_entries), node=node_id)(request)
        return document({"node_id": node_id, "state": state})(request)

    return reply


@pytest.fixture
def inside(network: Network) -> Network:
    """Three nodes in a network of their own, with ports of this machine that lead to them; node2 leads."""
    network.serve(FIRST, always=node("node1"))
    network.serve(SECOND, always=node("node2", lag_entries=4, state="Leader"))
    network.serve(THIRD, always=node("node3"))
    return network


def test_members_are_asked_where_the_user_has_named_them(inside: Network) -> None:
    reports = inside.result(inside.client(FIRST, SECOND, THIRD).status(), within_s=0.1)
    assert [(report.node_id, report.server) for report in reports] == [
        ("node1", f"http://{FIRST}"),
        ("node2", f"http://{SECOND}"),
        ("node3", f"http://{THIRD}"),
    ]
    assert [report.status and report.status["state"] for report in reports] == ["Follower", "Leader", "Follower"]
    assert [report.member and report.member.http_addr for report in reports] == list(INSIDE.values())
    assert sorted(asked for asked in inside.asked() if "/raft/status" in asked) == [
        f"GET {server}/raft/status" for server in (FIRST, SECOND, THIRD)
    ]


def test_the_order_in_which_they_are_named_says_nothing(inside: Network) -> None:
    reports = inside.result(inside.client(THIRD, FIRST, SECOND).status())
    assert [report.server for report in reports] == [f"http://{server}" for server in (FIRST, SECOND, THIRD)]


def test_the_one_that_was_asked_is_shown_and_what_cannot_be_reached_says_why(inside: Network) -> None:
    reports = inside.result(inside.client(FIRST).status())
    assert [report.status is not None for report in reports] == [True, False, False]
    assert [(report.server, report.reason) for report in reports[1:]] == [
        ("http://node2.invalid:9001", "no such host"),
        ("http://node3.invalid:9001", "no such host"),
    ]


def test_a_named_server_that_is_down_leaves_its_member_unreachable(inside: Network) -> None:
    del inside.sites[THIRD]
    reports = inside.result(inside.client(THIRD, FIRST, SECOND).status(), within_s=0.5)
    assert [report.reason for report in reports] == ["", "", "no such host"]


def test_a_member_that_is_named_nowhere_is_asked_at_its_own_address(inside: Network) -> None:
    inside.serve("node3:9001", always=node("node3"))
    inside.serve(FIRST, members(member("node1", INSIDE["node1"]), member("node3", "node3:9001")), always=node("node1"))
    reports = inside.result(inside.client(FIRST).status())
    assert [report.server for report in reports] == [f"http://{FIRST}", "http://node3:9001"]
    assert reports[1].status == {"node_id": "node3", "state": "Follower"}


def test_a_named_server_that_is_no_member_is_not_listed_as_one(inside: Network) -> None:
    inside.serve("10.0.0.9:9001", always=node("stranger"))
    reports = inside.result(inside.client(FIRST, "10.0.0.9:9001", SECOND, THIRD).status())
    assert [report.node_id for report in reports] == list(INSIDE)


@pytest.mark.parametrize("answer", [document({"state": "Leader"}), document({"node_id": ["node3"]}), NO_LEADER])
def test_a_named_server_that_does_not_say_who_it_is_stands_for_nobody(inside: Network, answer: Reply) -> None:
    inside.serve(THIRD, always=answer)
    reports = inside.result(inside.client(FIRST, SECOND, THIRD).status())
    assert [report.reason for report in reports] == ["", "", "no such host"]


def test_the_token_goes_to_named_servers_and_to_members(inside: Network) -> None:
    inside.serve("evil:80")
    inside.result(inside.client(FIRST, SECOND, token="secret").status())
    assert {seen.server for seen in inside.seen} == {FIRST, SECOND}
    assert {seen.headers.get("authorization") for seen in inside.seen} == {"Bearer secret"}


def test_a_member_that_only_another_member_names_does_not_get_the_token(network: Network) -> None:
    """The first was given, the second is the leader that it names, and the third is known from that one alone."""
    known = [member("node1", FIRST), member("node2", SECOND, is_leader=True)]
    network.serve(FIRST, members(*known, node="node1"), document({"node_id": "node1"}))
    network.serve(SECOND, members(*known, member("x", "evil:80"), node="node2"), document({"node_id": "node2"}))
    network.serve("evil:80", document({"node_id": "x"}))
    network.result(network.client(FIRST, token="secret").status())
    given = {seen.server: seen.headers.get("authorization") for seen in network.seen}
    assert given == {FIRST: "Bearer secret", SECOND: "Bearer secret", "evil:80": None}


def test_members_come_from_the_leader_where_the_user_has_named_it(inside: Network) -> None:
    found = inside.result(inside.client(FIRST, THIRD, SECOND).members())
    assert (found.server, found.members[0].lag_entries) == (f"http://{SECOND}", 4)
    assert inside.asked()[0] == f"GET {FIRST}/cluster/members"


def test_members_come_from_whoever_answers_where_the_leader_is_not_named(inside: Network) -> None:
    found = inside.result(inside.client(FIRST, THIRD).members())
    assert (found.server, found.members[0].lag_entries) == (f"http://{FIRST}", None)


def test_a_leader_whose_own_address_is_named_is_asked_there_and_no_one_else(inside: Network) -> None:
    own = [member("node1", FIRST), member("node2", SECOND, is_leader=True), member("node3", THIRD)]
    inside.serve(FIRST, always=members(*own, node="node1"))
    inside.result(inside.client(FIRST, THIRD, SECOND).members())
    assert inside.asked() == [f"GET {FIRST}/cluster/members", f"GET {SECOND}/cluster/members"]


@pytest.mark.parametrize("call", ["members", "status"])
def test_silent_servers_take_no_more_than_the_time_limit(inside: Network, call: str) -> None:
    others = [f"10.0.0.{number}:9001" for number in range(1, 6)]
    for server in others:
        inside.serve(server, always=silence)
    client = inside.client(FIRST, *others, timeout_s=3.0)
    inside.result(getattr(client, call)(), within_s=3.1)


@pytest.mark.parametrize("server", ["localhost:9001", "localhost:9002"])
def test_a_real_site_is_known_by_what_it_says_of_itself(network: Network, cluster: Any, server: str) -> None:
    sites = {address.replace("127.0.0.1", "localhost"): site for address, site in network.sites.items()}
    network.sites.clear()
    network.sites.update(sites)
    reports = network.result(network.client(server, *sites).status())
    assert [report.server for report in reports] == [f"http://localhost:900{number}" for number in (1, 2, 3)]
    assert [report.status and report.status["state"] for report in reports] == ["Leader", "Follower", "Follower"]
    assert network.result(network.client(server, *sites).members()).members[2].lag_entries == 0


def test_a_member_whose_answer_is_too_long_is_listed_with_the_reason(
    inside: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MAX_ANSWER_BYTES", 2000)
    inside.serve(THIRD, always=raw(200, b"x" * 2001))
    inside.serve("node3:9001", always=raw(200, b"x" * 2001))
    own = [member("node1", FIRST), member("node2", SECOND), member("node3", "node3:9001")]
    inside.serve(FIRST, members(*own, node="node1"), always=node("node1"))
    reports = inside.result(inside.client(FIRST, SECOND, THIRD).status())
    assert [report.reason for report in reports] == ["", "", "the answer is longer than 2000 bytes"]


@pytest.mark.parametrize("silent_from", [1, 3])
def test_whoever_gives_up_gives_up_all_of_it(inside: Network, captured_failures: list[Any], silent_from: int) -> None:
    """While the servers that were given are asked, or later on the members."""
    own = [member(f"node{number}", f"10.0.0.{number}:9001") for number in range(1, 4)]
    for number, (address, server) in enumerate([(FIRST, "10.0.0.1"), (SECOND, "10.0.0.2"), (THIRD, "10.0.0.3")], 1):
        given = silence if silent_from == 1 else document({"node_id": f"stranger{number}"})
        inside.serve(address, always=given)
        inside.serve(f"{server}:9001", always=silence)
    inside.serve(FIRST, members(*own, node="node1"), always=given)
    outcome = inside.client(FIRST, SECOND, THIRD).status()
    for _ in range(10):
        inside.advance(0.01)
    assert inside.asked()[-1].endswith("/raft/status")
    outcome.cancel()
    inside.settle()
    assert outcome.result.check(CancelledError)
    outcome.addErrback(lambda _: None)
    assert inside.clock.getDelayedCalls() == []
    assert inside.links == []
    del outcome
    gc.collect()
    assert captured_failures == []


@pytest.fixture
def captured_failures() -> Iterator[list[Any]]:
    """What goes wrong and is heard of by nobody but the log."""
    failures: list[Any] = []

    def observe(event: LogEvent) -> None:
        if "log_failure" in event:
            failures.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    yield failures
    globalLogPublisher.removeObserver(observe)
