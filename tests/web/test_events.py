"""GET /events: the stream itself, from its head to its end. What is in the events has tests of its own."""

from itertools import pairwise

import pytest
from attrs import evolve

from minicloud.web.limits import (
    DRAIN_LIMIT_BYTES,
    MAX_STREAMS,
    STOP_LINGER_S,
    STREAM_CLOSE_DEADLINE_S,
    STREAM_STALL_S,
)
from tests.web.event_stage import Page, Stage, split_events
from tests.web.memory_http import encode_request


@pytest.fixture
def stage():
    return Stage()


# The head


def test_the_head_says_what_kind_of_answer_this_is(stage):
    lines = stage.watch().head.split("\r\n")
    assert lines[0] == "HTTP/1.1 200 OK"
    assert {
        "Content-Type: text/event-stream; charset=utf-8",
        "Cache-Control: no-store",
        "X-Accel-Buffering: no",
        "Transfer-Encoding: chunked",
        "Minicloud-Node: node1",
        "Minicloud-Leader: node1",
        "Minicloud-Revision: 3",
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    } <= set(lines)
    assert not [line for line in lines if line.startswith("Content-Length")]


def test_an_old_client_gets_the_events_bare(stage):
    connection = stage.connect()
    connection.send(b"GET /events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    page = Page(connection, stage.clock)
    assert "Transfer-Encoding" not in page.head
    assert "Connection: close" in page.head
    assert page.names() == ["cluster", "rates", "news"]
    stage.sites["node1"].shut_down(1.0)
    assert connection.closing
    assert len(split_events(page.body)) == 3


def test_head_gets_the_head_alone_and_keeps_its_connection(stage):
    connection = stage.connect()
    connection.request("HEAD", "/events")
    connection.request("GET", "/health")
    head, rest = connection.transport.value().split(b"\r\n\r\n", 1)
    assert b"Content-Type: text/event-stream; charset=utf-8" in head
    assert not {b"Content-Length", b"Transfer-Encoding", b"Connection"} & {
        line.partition(b":")[0] for line in head.split(b"\r\n")
    }
    assert rest.startswith(b"HTTP/1.1 200 OK\r\n")
    assert rest.endswith(b"\r\n\r\nOK")


def test_no_token_is_asked_for():
    stage = Stage(settings={"auth_token": "secret", "auth_reads": True})
    assert "200 OK" in stage.watch().head
    assert stage.ask("/events?format=json").code == 200


def test_a_foreign_host_is_refused(stage):
    assert stage.ask("/events", host="evil.example").code == 421


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_sent_there(stage, method):
    response = stage.ask("/events", method=method)
    assert (response.code, response["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "query",
    [
        "format=xml",
        "format=",
        "samples_after=5",
        "news_after=5",
        "format=json&samples_after=",
        "format=json&samples_after=-1",
        "format=json&samples_after=nan",
        "format=json&samples_after=1e9",
        "format=json&samples_after=1.5",
        "format=json&samples_after=1234567890123",
        "format=json&news_after=%D9%A3",
        "format=json&news_after=1&news_after=1",
        "format=json&since=5",
        "format=json&format=json",
        "prefix=a",
    ],
)
def test_what_the_route_does_not_know_is_refused(stage, query):
    response = stage.ask(f"/events?{query}")
    assert (response.code, response.problem) == (400, "bad_parameter")


# What comes when


def test_each_kind_of_event_comes_at_once(stage):
    assert stage.watch().names() == ["cluster", "rates", "news"]


def test_the_cluster_comes_again_at_least_every_second(stage):
    page = stage.watch()
    stage.pass_time(2.0)  # until the answers of the other members have changed nothing for a while
    page.fresh()
    arrived = []
    for _ in range(500):
        stage.pass_time(0.01)
        arrived += [stage.clock.seconds() for _ in page.fresh("cluster")]
    gaps = [after - before for before, after in pairwise(arrived)]
    assert 4 <= len(arrived) <= 6
    assert max(gaps) <= 1.0 + 0.02


def _lose_leader(stage):
    stage.cluster.leader = None


def _change_state(stage):
    stage.cluster.nodes["node1"].state = "Candidate"


def _change_term(stage):
    node = stage.cluster.nodes["node1"]
    status = node.status
    node.status = lambda: evolve(status(), term=2)


def _remove_member(stage):
    stage.cluster.configuration = stage.cluster.configuration.without("node3")


def _silence_member(stage):
    node = stage.cluster.nodes["node1"]
    members = node.members
    node.members = lambda: [evolve(each, healthy=each.member.node_id != "node3") for each in members()]


@pytest.mark.parametrize("change", [_lose_leader, _change_state, _change_term, _remove_member, _silence_member])
def test_a_change_is_seen_within_a_quarter_of_a_second(stage, change):
    page = stage.watch()
    stage.pass_time(2.07)
    page.fresh()
    before = stage.clock.seconds()
    change(stage)
    while not page.fresh("cluster"):
        stage.pass_time(0.01)
    assert stage.clock.seconds() - before <= 0.25


def test_all_pages_get_the_same(stage):
    pages = [stage.watch() for _ in range(3)]
    stage.pass_time(3.3)
    assert pages[0].body == pages[1].body == pages[2].body
    assert len(pages[0].events("rates")) == 4


def test_a_stream_has_no_deadline(stage):
    page = stage.watch()
    for _ in range(400):
        stage.clock.advance(1.0)
    assert not page.connection.closing
    assert len(page.events("cluster")) > 300


# Once


def test_a_page_behind_a_proxy_gets_the_same_once(stage):
    stage.pass_time(3.0)
    page = stage.watch()
    response = stage.ask("/events?format=json")
    assert response["Content-Type"] == "application/json"
    assert response["Cache-Control"] == "no-store"
    document = response.json
    assert list(document) == ["cluster", "rates", "news"]
    assert list(document["cluster"]) == list(page.events("cluster")[0])
    assert document["rates"] == page.events("rates")[0]
    assert document["news"] == page.events("news")[0]


def test_only_what_is_newer_is_told(stage):
    stage.pass_time(5.0)
    before = stage.ask("/events?format=json").json
    newest, item = before["rates"]["samples"][-1], before["news"]["items"][-1]
    stage.pass_time(3.0)
    after = stage.ask(f"/events?format=json&samples_after={newest['number']}&news_after={item['number']}").json
    assert [round(sample["at"] - newest["at"], 1) for sample in after["rates"]["samples"]] == [1.0, 2.0, 3.0]
    assert [sample["number"] - newest["number"] for sample in after["rates"]["samples"]] == [1, 2, 3]
    assert after["news"]["items"] == []
    without_news = stage.ask(f"/events?format=json&news_after={item['number']}").json
    assert without_news["rates"]["samples"][0]["number"] == 1
    assert without_news["news"]["items"] == []


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0])
def test_a_step_of_the_time_of_day_hides_and_repeats_nothing(stage, step_s):
    stage.pass_time(5.3)
    stage.time_of_day_step_s = step_s
    stage.cluster.leader = None
    stage.pass_time(2.0)
    after = stage.ask("/events?format=json&samples_after=5&news_after=2").json
    assert [sample["number"] for sample in after["rates"]["samples"]] == [6, 7]
    assert [item["kind"] for item in after["news"]["items"]] == ["no_leader"]


def test_numbers_from_before_a_restart_hide_nothing(stage):
    stage.pass_time(5.3)
    everything = stage.ask("/events?format=json").json
    asked = stage.ask("/events?format=json&samples_after=6&news_after=400").json
    assert len(asked["rates"]["samples"]) == 5
    assert asked["news"] == everything["news"]


def test_head_works_on_the_json_too(stage):
    get, head = stage.ask("/events?format=json"), stage.ask("/events?format=json", method="HEAD")
    assert (head.code, head.body) == (200, b"")
    assert abs(int(head["Content-Length"]) - len(get.body)) < 20


# How it is counted


def test_a_stream_counts_as_answered_when_it_begins(stage):
    page = stage.watch()
    assert stage.counted == [("GET", "/events", 200, 0.0)]
    stage.pass_time(5.0)
    page.connection.hang_up()
    assert [labels for labels in stage.counted if labels[1] == "/events"] == [("GET", "/events", 200, 0.0)]


# Clients that leave, do not read, or go on talking


def test_who_hangs_up_makes_no_more_work(stage):
    page = stage.watch()
    stage.pass_time(1.0)
    page.connection.hang_up()
    received = page.body
    stage.pass_time(2.0)
    assert page.body == received


def test_what_is_pipelined_behind_a_stream_is_thrown_away(stage):
    connection = stage.connect()
    connection.send(encode_request("GET", "/events") + encode_request("GET", "/health"))
    connection.request("PUT", "/kv/a", body=b"x" * 100_000)
    stage.pass_time(2.0)
    assert connection.transport.producerState == "producing"  # it was not kept, so there is no need to hold it up
    assert connection.transport.value().count(b"HTTP/1.1 ") == 1
    stage.sites["node1"].shut_down(1.0)
    assert connection.transport.value().endswith(b"\r\n0\r\n\r\n")
    assert {labels[1] for labels in stage.counted} == {"/events", "/raft/status"}


def test_who_sends_without_end_is_cut_off(stage):
    page = stage.watch()
    megabyte = b"x" * 1024 * 1024
    for _ in range(DRAIN_LIMIT_BYTES // len(megabyte)):
        page.connection.send(megabyte)
    assert not page.connection.closing
    page.connection.send(b"x")
    assert page.connection.closing


def test_a_client_that_does_not_read_is_sent_nothing(stage):
    page = stage.watch()
    page.stop_reading()
    received = page.body
    stage.pass_time(10.0)
    _lose_leader(stage)
    stage.pass_time(5.0)
    assert page.body == received


def test_once_it_reads_again_it_gets_the_newest_cluster_and_all_samples_and_news(stage):
    page = stage.watch()
    page.stop_reading()
    page.fresh()
    stage.pass_time(10.0)
    _lose_leader(stage)
    stage.pass_time(5.3)
    page.read_again()
    (cluster,) = page.fresh("cluster")
    assert cluster["leader"] is None
    samples = [sample for event in page.events("rates") for sample in event["samples"]]
    assert len(samples) == 15
    items = [item for event in page.events("news") for item in event["items"]]
    assert [item["number"] for item in items] == list(range(1, len(items) + 1))
    assert items[-1]["kind"] == "no_leader"
    stage.pass_time(1.0)
    assert page.fresh("rates") != []


def test_who_does_not_read_for_long_is_dropped(stage):
    page = stage.watch()
    page.stop_reading()
    stage.pass_time(STREAM_STALL_S - 1)
    assert not page.connection.transport.aborted
    stage.pass_time(1.3)
    assert page.connection.transport.aborted


def test_who_reads_now_and_then_is_not_dropped(stage):
    page = stage.watch()
    for _ in range(3):
        page.stop_reading()
        stage.pass_time(STREAM_STALL_S - 1)
        page.read_again()
    assert not page.connection.transport.aborted


def test_a_hang_up_is_noticed_while_nothing_is_read(stage):
    page = stage.watch()
    page.stop_reading()
    assert page.connection.transport.producerState == "producing"


# Faults of our own


def _break(stage, once):
    """Have the node raise when it is asked for its members, as a fault in it would."""
    node = stage.cluster.nodes["node1"]
    members = node.members

    def broken():
        if once:
            node.members = members
        raise RuntimeError("a fault")

    node.members = broken


def test_a_fault_once_does_not_end_what_is_told(stage):
    page = stage.watch()
    stage.pass_time(2.0)
    page.fresh()
    _break(stage, once=True)
    stage.pass_time(3.0)
    stage.cluster.leader = None
    stage.pass_time(0.3)
    names = [name for name, _ in split_events(page.body)[-20:]]
    assert {"cluster", "rates", "news"} <= set(names)
    assert page.events("news")[-1]["items"][-1]["kind"] == "no_leader"
    assert page.events("cluster")[-1]["leader"] is None


def test_a_fault_that_stays_keeps_no_stalled_stream_and_no_samples_back(stage):
    page = stage.watch()
    page.stop_reading()
    _break(stage, once=False)
    stage.pass_time(STREAM_STALL_S + 0.3)
    assert page.connection.transport.aborted
    assert stage.rates["node1"].samples.count >= STREAM_STALL_S


def test_a_fault_in_the_news_keeps_no_pictures_back(stage, monkeypatch):
    page = stage.watch()
    stage.pass_time(2.0)
    page.fresh()

    def broken(news):
        raise RuntimeError("a fault")

    monkeypatch.setattr("minicloud.web.news.News.look", broken)
    stage.pass_time(3.3)
    assert len(page.fresh("cluster")) >= 3


def test_a_fault_in_a_sample_is_not_the_last_one(stage, monkeypatch):
    page = stage.watch()
    page.fresh()

    def broken(latencies, *ranks):
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr("minicloud.web.rates.Latencies.percentiles_ms", broken)
        stage.pass_time(2.3)
        assert page.fresh("rates") == []
    stage.pass_time(2.0)
    assert len(page.fresh("rates")) == 2


# How many


def test_only_so_many_streams_are_open_at_once(stage):
    pages = [stage.watch() for _ in range(MAX_STREAMS)]
    response = stage.ask("/events")
    assert (response.code, response.problem, response["Retry-After"]) == (503, "overloaded", "1")
    assert stage.ask("/events?format=json").code == 200
    pages[0].connection.hang_up()
    assert "200 OK" in stage.watch().head


def test_a_dropped_stream_makes_room_at_once(stage):
    pages = [stage.watch() for _ in range(MAX_STREAMS)]
    for page in pages:
        page.stop_reading()
    stage.pass_time(STREAM_STALL_S + 0.3)
    assert "200 OK" in stage.watch().head


# The end of the node


def test_a_stream_ends_when_the_node_stops(stage):
    page = stage.watch()
    stopped = []
    stage.sites["node1"].shut_down(10.0).addCallback(stopped.append)
    assert page.has_ended
    assert page.connection.closing
    page.connection.hang_up()
    assert stopped == [None]


def test_a_client_that_does_not_read_does_not_hold_up_the_end(stage):
    page = stage.watch()
    page.stop_reading()
    stage.sites["node1"].shut_down(10.0)
    assert page.connection.transport.aborted


def test_a_client_that_does_not_take_the_end_is_cut_soon(stage):
    page = stage.watch()
    stage.sites["node1"].shut_down(10.0)
    assert not page.connection.transport.aborted
    stage.pass_time(STREAM_CLOSE_DEADLINE_S + 1.01)
    assert page.connection.transport.aborted


@pytest.mark.parametrize("target", ["/events", "/events?format=json"])
def test_no_stream_begins_when_the_end_has_begun(stage, target):
    connection = stage.connect()
    stage.sites["node1"].shut_down(10.0)
    stage.pass_time(STOP_LINGER_S / 2)
    connection.request("GET", target)
    response = connection.answer()
    assert (response.code, response.problem, response["Connection"]) == (503, "stopping", "close")


def test_nothing_is_left_to_do_after_the_end():
    stage = Stage()
    pages = [stage.watch(node_id) for node_id in stage.sites]
    stage.pass_time(1.05)
    for site, page in zip(stage.sites.values(), pages, strict=True):
        site.shut_down(0.0)
        page.connection.hang_up()
    stage.pass_time(STOP_LINGER_S + 3.0)
    left = [call for call in stage.clock.getDelayedCalls() if "HTTPConnectionPool" not in str(call)]
    assert left == []
