"""``--timeout``: when a verb gives up, by the fake clock, and what the node is told of it."""

import re
from typing import Any

import pytest

from minicloud.cli.options import DEFAULT_TIMEOUT_S
from minicloud.client.routing import ANSWER_MARGIN_S
from tests.cli.conftest import Cloudctl
from tests.cli.test_list import page
from tests.client.network import NO_LEADER, Network, Reply, document, found, member, members, raw, silence

HERE = "127.0.0.1:9001"
LIMIT_S = 3.0
STEPS_S = 0.1
"""What the steps of the fake clock may add."""

PLACES = {
    "before the verb": lambda verb: ("--timeout", f"{LIMIT_S:g}", *verb),
    "after the verb": lambda verb: (*verb, "--timeout", f"{LIMIT_S:g}"),
    "with =": lambda verb: (verb[0], f"--timeout={LIMIT_S:g}", *verb[1:]),
    "the last one counts": lambda verb: ("--timeout", "9", *verb, "--timeout", f"{LIMIT_S:g}"),
}

READS = [("get", "k"), ("get", "k", "--stale"), ("list",), ("list", "a", "--values"), ("members",), ("status",)]
WRITES = [
    ("put", "k", "v"),
    ("delete", "k"),
    ("join", "node4", "127.0.0.1:9014"),
    ("remove", "node4"),
    ("transfer",),
    ("transfer", "node2"),
]


def timed(network: Network, cloudctl: Cloudctl, *arguments: str) -> tuple[int, float]:
    """Return the exit status of a verb, and how many seconds it has taken by the fake clock."""
    began_s = network.clock.seconds()
    ended = cloudctl(*arguments)
    return ended.status, network.clock.seconds() - began_s


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", READS, ids=" ".join)
def test_a_read_of_a_silent_server_ends_at_the_time_limit(
    network: Network, cloudctl: Cloudctl, verb: tuple[str, ...], place: str
) -> None:
    network.serve(HERE, always=silence)
    status, took_s = timed(network, cloudctl, *PLACES[place](verb))
    assert (status, took_s) == (5, pytest.approx(LIMIT_S, abs=STEPS_S))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", WRITES, ids=" ".join)
def test_a_write_to_a_silent_server_ends_at_the_time_limit_and_is_unknown(
    network: Network, cloudctl: Cloudctl, verb: tuple[str, ...], place: str
) -> None:
    network.serve(HERE, always=silence)
    status, took_s = timed(network, cloudctl, *PLACES[place](verb))
    assert (status, took_s) == (6, pytest.approx(LIMIT_S, abs=STEPS_S))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", [*READS[:4], *WRITES], ids=" ".join)
def test_without_a_leader_it_tries_until_the_time_limit(
    network: Network, cloudctl: Cloudctl, verb: tuple[str, ...], place: str
) -> None:
    network.serve(HERE, always=NO_LEADER)
    status, took_s = timed(network, cloudctl, *PLACES[place](verb))
    assert status == 5
    # The last pause would end after the limit, so it is not begun: at most one pause of a second is left over.
    assert LIMIT_S - 1.0 - STEPS_S <= took_s <= LIMIT_S + STEPS_S


def test_without_the_option_it_is_the_default(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, always=silence)
    assert timed(network, cloudctl, "get", "k")[1] == pytest.approx(DEFAULT_TIMEOUT_S, abs=STEPS_S)


ANSWERED: dict[tuple[str, ...], Reply] = {
    ("get", "k"): found(b"v", 3),
    ("list",): page(),
    ("put", "k", "v"): document({"revision": 3, "created": True}),
    ("delete", "k"): document({"revision": 3, "deleted": True}),
    ("join", "node4", "127.0.0.1:9014"): raw(204),
    ("remove", "node4"): raw(204),
    ("transfer",): raw(204),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", ANSWERED, ids=" ".join)
def test_a_node_that_may_have_to_wait_is_told_to_give_up_a_little_earlier(
    network: Network, cloudctl: Cloudctl, verb: tuple[str, ...], place: str
) -> None:
    network.serve(HERE, ANSWERED[verb])
    assert cloudctl(*PLACES[place](verb)).status == 0
    assert told_ms(network) == [round((LIMIT_S - ANSWER_MARGIN_S) * 1000)]


def test_each_page_of_a_listing_has_the_whole_time(network: Network, cloudctl: Cloudctl) -> None:
    def late(reply: Reply) -> Reply:
        def wait(request: Any) -> int:
            network.clock.callLater(LIMIT_S * 0.9, lambda: (request.write(reply(request)), request.finish()))
            return silence(request)

        return wait

    network.serve(HERE, late(page(then="1")), late(page()))
    status, took_s = timed(network, cloudctl, "list", "--timeout", f"{LIMIT_S:g}")
    assert (status, took_s) == (0, pytest.approx(2 * 0.9 * LIMIT_S, abs=STEPS_S))
    assert told_ms(network) == [round((LIMIT_S - ANSWER_MARGIN_S) * 1000)] * 2


def test_a_member_that_is_silent_takes_no_more_of_status_than_the_limit(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(
        HERE, members(member("node1", HERE), member("node2", "127.0.0.1:9002")), document({"node_id": "node1"})
    )
    network.serve("127.0.0.1:9002", always=silence)
    status, took_s = timed(network, cloudctl, "status", "--timeout", "1")
    assert (status, took_s) == (0, pytest.approx(1.0, abs=STEPS_S))


def told_ms(network: Network) -> list[int]:
    """Return the time limits, in milliseconds, that nodes have been told."""
    return [int(told) for seen in network.seen for told in re.findall(r"[?&]timeout=(\d+)ms", seen.uri)]
