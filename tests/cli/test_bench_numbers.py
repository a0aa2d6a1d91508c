"""``bench``: as many requests at a time as it is told, and numbers that are those of the delays it has met."""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

import pytest
from attrs import define, field
from twisted.web.server import NOT_DONE_YET

from tests.cli.conftest import Cloudctl
from tests.client.network import STEP_S, Network, document, found

HERE = "127.0.0.1:9001"
KEYS = 20
SECONDS = 4.0

DELAYS_MS = {"PUT": [30] * 2 + [60] * 12 + [150] * 5 + [400], "GET": [10] * 3 + [20] * 14 + [50] * 2 + [90]}
"""How long the store takes, in turn. Percentiles 5, 50, 90 and 99 of each are different ones."""


@define
class SlowStore:
    """Holds every answer back for a known time, and counts how many requests are in flight."""

    network: Network
    delays_ms: dict[str, Iterator[int]] = field(factory=lambda: {name: cycle(all_) for name, all_ in DELAYS_MS.items()})
    taken_ms: dict[str, list[int]] = field(factory=lambda: defaultdict(list))
    """The delays of each verb, in the order of the requests."""
    in_flight: int = 0
    most: dict[str, int] = field(factory=lambda: defaultdict(int))
    """The greatest number of requests in flight, by the verb that came last."""

    def __call__(self, request: Any) -> bytes | int:
        verb = request.method.decode()
        self.in_flight += 1
        self.most[verb] = max(self.most[verb], self.in_flight)
        delay_ms = next(self.delays_ms[verb]) if verb in self.delays_ms else 10
        self.taken_ms[verb].append(delay_ms)
        # The clock goes in steps: so the answer comes with the step that makes the delay complete.
        self.network.clock.callLater(delay_ms / 1000 - STEP_S / 2, self._answer, verb, request)
        return NOT_DONE_YET

    def _answer(self, verb: str, request: Any) -> None:
        self.in_flight -= 1
        reply = found(b"v", 1) if verb == "GET" else document({"revision": 1, "created": True, "deleted": True})
        request.write(reply(request))
        request.finish()


@pytest.fixture
def store(network: Network) -> SlowStore:
    store = SlowStore(network)
    network.serve(HERE, always=store)
    return store


def told_by(cloudctl: Cloudctl, workload: str, connections: int, *more: str) -> dict[str, Any]:
    options = ("--duration", f"{SECONDS:g}", "--keys", str(KEYS), "--connections", str(connections), "-o", "json")
    ended = cloudctl("bench", workload, *options, "--timeout", "60", *more)
    assert ended.status == 0, ended.err
    return json.loads(ended.out)


def exact(delays_ms: Sequence[int], percent: float) -> int:
    """Return the smallest delay that so many per cent do not exceed."""
    return sorted(delays_ms)[max(1, math.ceil(len(delays_ms) * percent / 100)) - 1]


def assert_is_exact(told: dict[str, Any], delays_ms: Sequence[int]) -> None:
    assert told["requests"] == len(delays_ms)
    for name, percent in (("p50_ms", 50), ("p90_ms", 90), ("p99_ms", 99), ("max_ms", 100)):
        assert told[name] == pytest.approx(exact(delays_ms, percent), rel=0.01), name


@pytest.mark.parametrize("connections", [1, 2, 7])
@pytest.mark.parametrize(("workload", "verb"), [("put", "PUT"), ("get", "GET")])
def test_so_many_requests_are_in_flight_as_connections_are_wished(
    store: SlowStore, cloudctl: Cloudctl, workload: str, verb: str, connections: int
) -> None:
    told = told_by(cloudctl, workload, connections)
    assert store.most[verb] == connections == told["connections"]
    assert store.in_flight == 0
    # None of them is idle: all of the time of all connections is spent in requests, but for the last one of each.
    busy_s = sum(store.taken_ms[verb][-told["requests"] :]) / 1000
    assert busy_s == pytest.approx(connections * SECONDS, abs=connections * max(DELAYS_MS[verb]) / 1000)


@pytest.mark.parametrize(
    ("percent", "put_ms", "get_ms"), [(5, 30, 10), (50, 60, 20), (90, 150, 50), (99, 400, 90), (100, 400, 90)]
)
def test_the_delays_have_these_percentiles(percent: float, put_ms: int, get_ms: int) -> None:
    assert (exact(DELAYS_MS["PUT"], percent), exact(DELAYS_MS["GET"], percent)) == (put_ms, get_ms)


@pytest.mark.parametrize("connections", [1, 4])
def test_the_times_of_reads_are_exact(store: SlowStore, cloudctl: Cloudctl, connections: int) -> None:
    told = told_by(cloudctl, "get", connections)
    assert told["requests"] > 100
    assert_is_exact(told, store.taken_ms["GET"])
    assert (told["p50_ms"], told["p90_ms"]) == (pytest.approx(20, rel=0.01), pytest.approx(50, rel=0.01))
    assert (told["p99_ms"], told["max_ms"]) == (pytest.approx(90, rel=0.01), pytest.approx(90, rel=0.01))
    assert told["per_second"] == pytest.approx(told["requests"] / told["seconds"], abs=0.1)
    assert told["seconds"] == pytest.approx(SECONDS, abs=0.1)


def test_the_times_of_writes_leave_out_the_one_that_tries_whether_it_may(store: SlowStore, cloudctl: Cloudctl) -> None:
    assert_is_exact(told_by(cloudctl, "put", 4), store.taken_ms["PUT"][1:])


def test_the_times_of_a_mixed_load_are_those_of_each_verb_and_of_both(store: SlowStore, cloudctl: Cloudctl) -> None:
    told = told_by(cloudctl, "mixed", 4, "--reads", "50")
    puts, gets = store.taken_ms["PUT"][KEYS:], store.taken_ms["GET"]
    assert_is_exact(told["verbs"]["put"], puts)
    assert_is_exact(told["verbs"]["get"], gets)
    assert_is_exact(told, puts + gets)


def test_a_table_has_the_same_times_in_the_columns_that_name_them(store: SlowStore, cloudctl: Cloudctl) -> None:
    few = ("--duration", f"{SECONDS:g}", "--keys", "5", "--connections", "2", "-o", "plain")
    heading, row = (line.split("\t") for line in cloudctl("bench", "get", *few).out.decode().splitlines())
    shown = dict(zip(heading, row, strict=True))
    assert (shown["load"], shown["requests"], shown["errors"]) == ("get", str(len(store.taken_ms["GET"])), "0")
    for column, percent in (("p50 ms", 50), ("p90 ms", 90), ("p99 ms", 99), ("max ms", 100)):
        assert float(shown[column]) == pytest.approx(exact(store.taken_ms["GET"], percent), rel=0.01), column
