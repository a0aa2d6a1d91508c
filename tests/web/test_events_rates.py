"""The rates event: what a node does each second."""

import pytest
from twisted.internet.task import Clock

from minicloud.web.history import History
from minicloud.web.limits import KEPT_SAMPLES, SAMPLE_LATENCIES, SHORTEST_SAMPLE_S
from minicloud.web.rates import Latencies, Rates
from tests.web.event_stage import Stage

KEY = "/kv/{key}"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def rates(clock):
    return Rates(clock.seconds, lambda: 1000.5 + clock.seconds())


def sample(rates, clock, seconds=1.0):
    clock.advance(seconds)
    rates.sample()
    return rates.samples.after(rates.samples.count - 1)[0]


def test_an_idle_second_has_zeros_and_no_latencies(rates, clock):
    found = sample(rates, clock)
    assert found.at == 1001.5
    assert (found.writes_applied_per_s, found.puts_per_s, found.gets_per_s) == (0, 0, 0)
    assert (found.deletes_per_s, found.errors_per_s) == (0, 0)
    assert [found.put_p50_ms, found.put_p99_ms, found.get_p50_ms, found.get_p99_ms] == [None] * 4


def test_requests_are_counted_by_method(rates, clock):
    for method, count in (("PUT", 2), ("GET", 3), ("HEAD", 1), ("DELETE", 5), ("POST", 7), ("other", 7)):
        for _ in range(count):
            rates.request_finished(method, KEY, 200, 0.001)
    rates.applied(40)
    rates.applied(2)
    found = sample(rates, clock)
    assert (found.puts_per_s, found.gets_per_s, found.deletes_per_s, found.writes_applied_per_s) == (2, 4, 5, 42)


def test_the_next_second_begins_anew(rates, clock):
    rates.request_finished("PUT", KEY, 500, 0.001)
    rates.applied(1)
    sample(rates, clock)
    found = sample(rates, clock)
    assert (found.puts_per_s, found.errors_per_s, found.writes_applied_per_s, found.put_p50_ms) == (0, 0, 0, None)


def test_a_sample_that_comes_late_is_no_peak(rates, clock):
    for _ in range(100):
        rates.request_finished("GET", KEY, 404, 0.001)
    rates.applied(50)
    found = sample(rates, clock, seconds=4.0)
    assert (found.gets_per_s, found.writes_applied_per_s) == (25, 12.5)


def test_a_sample_that_comes_right_after_a_late_one_is_no_peak_either(rates, clock):
    sample(rates, clock, seconds=1.99)
    rates.request_finished("PUT", KEY, 200, 0.004)
    clock.advance(0.01)
    rates.sample()
    assert rates.samples.count == 1, "a hundred a second, for one request"
    rates.request_finished("PUT", KEY, 200, 0.004)
    rates.applied(2)
    found = sample(rates, clock, seconds=1.0)
    assert (found.puts_per_s, found.writes_applied_per_s, found.put_p50_ms) == (1.98, 1.98, 4)
    assert rates.samples.count == 2


def test_half_an_interval_is_enough_for_a_sample(rates, clock):
    rates.applied(3)
    assert sample(rates, clock, seconds=SHORTEST_SAMPLE_S).writes_applied_per_s == 6


@pytest.mark.parametrize(
    ("route", "code", "errors"),
    [(KEY, 503, 1), ("/kv", 500, 1), (KEY, 404, 0), (KEY, 499, 0), ("/raft/join", 503, 0), ("/readyz", 503, 0)],
)
def test_errors_are_answers_of_5xx_to_requests_for_keys(rates, clock, route, code, errors):
    rates.request_finished("GET", route, code, 0.001)
    assert sample(rates, clock).errors_per_s == errors


@pytest.mark.parametrize("code", [307, 499])
def test_who_is_sent_elsewhere_or_leaves_was_not_answered_here(rates, clock, code):
    rates.request_finished("PUT", KEY, code, 0.001)
    found = sample(rates, clock)
    assert (found.puts_per_s, found.put_p50_ms) == (0, None)


def test_other_routes_are_no_reads(rates, clock):
    for route in ("/kv", "/metrics", "/events", "/raft/status", "unmatched"):
        rates.request_finished("GET", route, 200, 0.001)
    assert sample(rates, clock).gets_per_s == 0


def test_percentiles_are_in_milliseconds(rates, clock):
    for number in range(1, 101):
        rates.request_finished("PUT", KEY, 200, number / 1000)
        rates.request_finished("GET", KEY, 200, number / 10_000)
    found = sample(rates, clock)
    assert (found.put_p50_ms, found.put_p99_ms) == (50, 99)
    assert (found.get_p50_ms, found.get_p99_ms) == (5, 9.9)


def test_one_request_is_every_percentile(rates, clock):
    rates.request_finished("PUT", KEY, 200, 0.0123456)
    found = sample(rates, clock)
    assert (found.put_p50_ms, found.put_p99_ms) == (12.346, 12.346)


def test_latencies_are_kept_in_bounded_memory_and_spread_evenly():
    latencies, count = Latencies(), 100_000
    for number in range(count):
        latencies.add(number / count)
    assert latencies.count == count
    assert SAMPLE_LATENCIES // 2 <= len(latencies._kept) <= SAMPLE_LATENCIES
    median, high = latencies.percentiles_ms(0.5, 0.99)
    assert abs(median - 500) < 5
    assert abs(high - 990) < 5


def test_a_history_forgets_the_oldest_and_goes_on_counting():
    history = History(3)
    assert (history.count, history.after(0)) == (0, [])
    for thing in "abcde":
        history.add(thing)
    assert history.count == 5
    assert history.after(0) == history.after(2) == ["c", "d", "e"]
    assert history.after(4) == ["e"]
    assert history.after(5) == []


# On the stream


def test_a_page_that_is_opened_late_gets_all_that_is_kept():
    stage = Stage()
    stage.pass_time(5.3)
    (first,) = stage.watch().events("rates")
    assert len(first["samples"]) == 5
    assert [sample["number"] for sample in first["samples"]] == [1, 2, 3, 4, 5]
    assert list(first["samples"][0]) == [
        "number",
        "at",
        "writes_applied_per_s",
        "puts_per_s",
        "gets_per_s",
        "deletes_per_s",
        "errors_per_s",
        "put_p50_ms",
        "put_p99_ms",
        "get_p50_ms",
        "get_p99_ms",
    ]


def test_then_it_gets_one_each_second():
    stage = Stage()
    page = stage.watch()
    page.fresh()
    stage.pass_time(4.3)
    fresh = page.fresh("rates")
    assert [len(event["samples"]) for event in fresh] == [1, 1, 1, 1]
    times = [event["samples"][0]["at"] for event in fresh]
    assert [round(at - times[0]) for at in times] == [0, 1, 2, 3]


def test_only_the_newest_are_kept():
    stage = Stage()
    for _ in range(KEPT_SAMPLES + 20):
        stage.clock.advance(1.0)
    (first,) = stage.watch().events("rates")
    assert len(first["samples"]) == KEPT_SAMPLES
    assert first["samples"][-1]["at"] == stage.now()


def test_requests_to_this_node_are_in_its_rates():
    stage = Stage()
    for number in range(5):
        assert stage.ask(f"/kv/{number}", method="PUT", body=b"x").code == 200
    assert stage.ask("/kv/1").code == 200
    assert stage.ask("/kv/9", method="DELETE").code == 200
    stage.cluster.leader = None
    assert stage.ask("/kv/1").code == 503
    stage.rates["node1"].applied(6)
    stage.pass_time(1.3)
    (sample,) = stage.watch().events("rates")[0]["samples"]
    counts = [sample[f"{name}_per_s"] for name in ("puts", "gets", "deletes", "errors", "writes_applied")]
    assert [round(count) for count in counts] == [5, 2, 1, 1, 6]
    assert sample["put_p50_ms"] is not None
    (other,) = stage.watch("node2").events("rates")[0]["samples"]
    assert other["puts_per_s"] == 0
