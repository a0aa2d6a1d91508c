"""``bench``: what it asks, what it says, and what it leaves behind."""

import json
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest
from attrs import define, field

from minicloud.cli.bench import MAX_CONNECTIONS
from minicloud.cli.latencies import Latencies
from minicloud.web import limits
from tests.cli.conftest import Cloudctl
from tests.client.network import Network, document, found, problem

HERE = "127.0.0.1:9001"


@define
class Store:
    """Keys in memory, at the other end of the network; ``refuse`` names what is answered with an error."""

    keys: dict[str, bytes] = field(factory=dict)
    asked: dict[str, int] = field(factory=lambda: defaultdict(int))
    refuse: Callable[[str], bool] = lambda _method: False

    def __call__(self, request: Any) -> bytes | int:
        method, key = request.method.decode(), request.uri.decode().removeprefix("/kv/").partition("?")[0]
        self.asked[method] += 1
        if self.refuse(method):
            return problem(400, "bad", "not today")(request)
        if method == "GET":
            return found(self.keys[key], 1)(request)
        if method == "DELETE":
            return document({"revision": 1, "deleted": self.keys.pop(key, None) is not None})(request)
        request.content.seek(0)
        self.keys[key] = request.content.read()
        return document({"revision": 1, "created": True})(request)


@pytest.fixture
def store(network: Network) -> Store:
    store = Store()
    network.serve(HERE, always=store)
    return store


def bench(cloudctl: Cloudctl, *arguments: str, **more: Any) -> Any:
    return cloudctl("bench", *arguments, "--duration", "0.5", "--keys", "5", "--connections", "2", **more)


@pytest.mark.parametrize("workload", ["put", "get", "mixed"])
def test_it_says_what_it_did_and_deletes_what_it_wrote(store: Store, cloudctl: Cloudctl, workload: str) -> None:
    ended = bench(cloudctl, workload, "-o", "json")
    assert ended.status == 0
    told = json.loads(ended.out)
    assert (told["workload"], told["connections"], told["keys"], told["value_bytes"]) == (workload, 2, 5, 100)
    assert told["requests"] > 10
    assert told["seconds"] == pytest.approx(0.5, abs=0.1)
    assert told["per_second"] == pytest.approx(told["requests"] / told["seconds"], abs=1)
    assert told["p50_ms"] <= told["p90_ms"] <= told["p99_ms"] <= told["max_ms"]
    assert sum(verb["requests"] for verb in told["verbs"].values()) == told["requests"]
    assert set(told["verbs"]) == ({"put", "get"} if workload == "mixed" else {workload})
    assert (told["errors"], told["keys_left"], store.keys) == (0, 0, {})
    assert f"Writing below {told['prefix']} only; the keys are deleted at the end." in ended.err


def test_a_mixed_load_reads_as_often_as_it_is_told(store: Store, cloudctl: Cloudctl) -> None:
    assert set(json.loads(bench(cloudctl, "mixed", "--reads", "100", "-o", "json").out)["verbs"]) == {"put", "get"}
    assert store.asked["PUT"] == 5, "those that were written before"


def test_all_keys_are_below_bench_and_have_the_size_that_was_wished(store: Store, cloudctl: Cloudctl) -> None:
    ended = bench(cloudctl, "put", "--keep", "--value-size", "7", "-o", "json")
    prefix = json.loads(ended.out)["prefix"]
    assert prefix.startswith("bench/")
    assert ended.err == f"Writing below {prefix} only; the keys stay there.\n"
    assert json.loads(ended.out)["keys_left"] == 5
    assert sorted(store.keys) == [f"{prefix}{number:07}".replace("/", "%2F") for number in range(5)]
    assert {len(value) for value in store.keys.values()} == {7}


def test_two_runs_never_share_a_key(store: Store, cloudctl: Cloudctl) -> None:
    first, second = (json.loads(bench(cloudctl, "put", "--keep", "-o", "json").out)["prefix"] for _ in range(2))
    assert first != second


def test_a_table_has_a_row_for_each_kind_and_one_for_both(store: Store, cloudctl: Cloudctl) -> None:
    heading, *rows = bench(cloudctl, "mixed", "-o", "table").out.decode().splitlines()
    assert heading.split("  ")[0] == "load"
    assert [row.split()[0] for row in rows] == ["put", "get", "both"]


def test_errors_are_counted_apart_and_the_first_one_is_told(store: Store, cloudctl: Cloudctl) -> None:
    store.refuse = lambda method: method == "GET" and store.asked["GET"] > 3
    ended = bench(cloudctl, "get", "-o", "json")
    told = json.loads(ended.out)
    assert (ended.status, told["requests"]) == (0, 3)
    assert told["errors"] > 3
    assert "requests failed, the first one so: not today" in ended.err
    assert store.keys == {}


def test_where_nothing_succeeds_the_error_is_the_result(store: Store, cloudctl: Cloudctl) -> None:
    store.refuse = lambda method: method == "GET"
    ended = bench(cloudctl, "get")
    assert (ended.status, ended.out) == (1, b"")
    assert "cloudctl: not today" in ended.err
    assert store.keys == {}


def test_it_ends_at_once_where_it_may_not_write(network: Network, cloudctl: Cloudctl) -> None:
    network.serve(HERE, always=problem(401, "unauthorized", "needs the token"))
    ended = bench(cloudctl, "put")
    assert (ended.status, ended.out) == (1, b"")
    assert "AUTH_TOKEN" in ended.err
    assert bench(cloudctl, "put", "-s", "127.0.0.1:1").status == 5


def test_keys_that_could_not_be_deleted_are_named(store: Store, cloudctl: Cloudctl) -> None:
    store.refuse = lambda method: method == "DELETE"
    ended = bench(cloudctl, "put")
    assert ended.status == 0
    assert "5 keys may be left below bench/" in ended.err


@pytest.mark.parametrize(
    "wrong",
    [("--connections", "0"), ("--connections", "501"), ("--duration", "0"), ("--keys", "x"), ("--reads", "101")],
)
def test_a_load_that_makes_no_sense_is_a_usage_error(cloudctl: Cloudctl, wrong: tuple[str, ...]) -> None:
    assert cloudctl("bench", "mixed", *wrong).status == 2
    assert cloudctl("bench", "scan").status == 2


def test_a_node_takes_as_many_connections_as_can_be_wished() -> None:
    assert MAX_CONNECTIONS < limits.MAX_CONNECTIONS


def test_percentiles_are_at_most_one_per_cent_too_long() -> None:
    latencies = Latencies()
    for milliseconds in range(1, 1001):
        latencies.add(milliseconds / 1000)
    for percent, exact in ((50, 0.5), (90, 0.9), (99, 0.99), (100, 1.0)):
        found = latencies.percentile_s(percent)
        assert found is not None
        assert exact * 0.9999 <= found <= exact * 1.0101
    both = latencies + Latencies()
    assert (both.count, both.longest_s, both.percentile_s(50)) == (1000, 1.0, latencies.percentile_s(50))
    assert Latencies().percentile_s(50) is None
