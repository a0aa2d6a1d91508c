import pytest
from twisted.internet.defer import Deferred

from minicloud.kv.commands import PutDone
from minicloud.web.limits import (
    BODY_DEADLINE_S,
    CLOSE_DEADLINE_S,
    DRAIN_DEADLINE_S,
    DRAIN_LIMIT_BYTES,
    HEADER_DEADLINE_S,
    IDLE_DEADLINE_S,
    MAX_JSON_BODY_BYTES,
    SWEEP_INTERVAL_S,
)
from tests.web.memory_http import encode_request

LIMIT = 1000
CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.fixture
def small(make_scripted):
    return make_scripted(max_value_bytes=LIMIT)


def chunk(data):
    return b"%x\r\n%b\r\n" % (len(data), data)


def pass_time(scripted, seconds):
    """Let time pass in steps small enough for each sweep to run."""
    for _ in range(int(seconds / SWEEP_INTERVAL_S)):
        scripted.clock.advance(SWEEP_INTERVAL_S)
    scripted.clock.advance(seconds % SWEEP_INTERVAL_S)


# Bodies


@pytest.mark.parametrize("size", [0, 1, LIMIT - 1, LIMIT])
def test_a_value_up_to_the_limit_is_stored(small, size):
    assert small.ask("PUT", "/kv/a", body=b"x" * size).code == 200
    connection = small.connect()
    connection.methods.append("PUT")
    connection.send(encode_request("PUT", "/kv/b", CHUNKED) + (chunk(b"x" * size) if size else b"") + b"0\r\n\r\n")
    assert connection.answer().code == 200
    assert len(small.cluster.store.get("b").value) == size


def assert_too_large(response):
    assert (response.code, response.problem) == (413, "value_too_large")
    assert response.json["max_value_bytes"] == LIMIT
    assert "max_value_bytes" in response.json["detail"]
    assert response["Connection"] == "close"


def test_a_larger_value_is_refused_before_its_body_comes(small, node):
    connection = small.connect(node)
    connection.methods.append("PUT")
    connection.send(encode_request("PUT", "/kv/a", {"Content-Length": str(LIMIT + 1)}))
    assert_too_large(connection.answer())
    assert small.leader.calls == small.follower.calls == []


def test_a_chunked_value_is_refused_as_soon_as_it_is_too_large(small):
    connection = small.connect()
    connection.methods.append("PUT")
    connection.send(encode_request("PUT", "/kv/a", CHUNKED) + chunk(b"x" * LIMIT))
    assert connection.responses == []
    connection.send(chunk(b"x"))
    assert_too_large(connection.answer())
    connection.send(chunk(b"x" * 100) + b"0\r\n\r\n" + encode_request("PUT", "/kv/a", body=b"smuggled"))
    assert connection.closing
    assert small.leader.calls == []
    assert len(connection.responses) == 1


def test_bodies_of_other_requests_are_bounded(scripted):
    too_much = b"{" + b" " * MAX_JSON_BODY_BYTES
    response = scripted.ask("POST", "/raft/join", {"Content-Type": "application/json"}, too_much)
    assert (response.code, response.problem) == (413, "body_too_large")
    assert scripted.ask("DELETE", "/kv/a", body=too_much).code == 413
    assert scripted.ask("GET", "/kv/a", body=too_much).code == 413


def test_a_body_that_means_nothing_is_read_and_forgotten(scripted):
    assert scripted.ask("DELETE", "/kv/a", body=b"x" * 100).code == 200
    assert scripted.ask("GET", "/health", body=b"x" * 100).body == b"OK"


def test_all_bodies_together_are_bounded(small):
    site = small.sites["node1"]
    site.max_body_bytes = 2 * LIMIT
    half = encode_request("PUT", "/kv/a", {"Content-Length": str(LIMIT)}) + b"x" * (LIMIT - 1)
    waiting = [small.connect(), small.connect()]
    for connection in waiting:
        connection.methods.append("PUT")
        connection.send(half)
    response = small.ask("PUT", "/kv/b", body=b"x" * 10)
    assert (response.code, response.problem) == (503, "overloaded")
    connection = small.connect()
    connection.methods.append("PUT")
    connection.send(encode_request("PUT", "/kv/b", CHUNKED) + chunk(b"x" * 10))
    assert connection.answer().problem == "overloaded"
    waiting[0].send(b"x")
    assert waiting[0].answer().code == 200
    waiting[1].hang_up()
    assert small.ask("PUT", "/kv/b", body=b"x" * 10).code == 200
    assert site.body_bytes == 0


def test_a_body_counts_until_its_request_is_answered(small):
    done = Deferred()
    small.leader.script.append(done)
    connection = small.connect()
    connection.request("PUT", "/kv/a", body=b"x" * 500)
    assert small.sites["node1"].body_bytes == 500
    done.callback(PutDone(9, True))
    assert connection.answer().code == 200
    assert small.sites["node1"].body_bytes == 0


# Expect: 100-continue


def test_a_client_that_waits_for_leave_gets_it(scripted):
    connection = scripted.connect()
    connection.methods.append("PUT")
    connection.send(encode_request("PUT", "/kv/a", {"Content-Length": "5", "Expect": "100-Continue"}))
    assert [response.code for response in connection.responses] == [100]
    connection.send(b"12345")
    assert connection.answer().code == 200


def test_a_client_that_waits_for_leave_gets_the_refusal_instead(small):
    connection = small.connect()
    connection.methods.append("PUT")
    connection.send(encode_request("PUT", "/kv/a", {"Content-Length": str(LIMIT + 1), "Expect": "100-continue"}))
    assert [response.code for response in connection.responses] == [413]
    assert connection.closing


def test_a_client_that_got_leave_and_sends_too_much_still_reads_the_refusal(small):
    connection = small.connect()
    connection.methods.append("PUT")
    connection.send(encode_request("PUT", "/kv/a", {**CHUNKED, "Expect": "100-continue"}))
    connection.send(chunk(b"x" * (LIMIT + 1)))
    assert [response.code for response in connection.responses] == [100, 413]
    assert not connection.closing
    connection.send(b"0\r\n\r\n")
    assert connection.closing


def test_no_leave_is_given_where_there_is_no_body(scripted):
    response = scripted.ask("PUT", "/kv/a", {"Expect": "100-continue"})
    assert response.code == 200


# Refused bodies are drained


def refused(scripted):
    connection = scripted.connect()
    connection.methods.append("PUT")
    connection.send(encode_request("PUT", "/kv/a", {"Content-Length": str(DRAIN_LIMIT_BYTES * 4)}))
    assert connection.answer().code == 413
    return connection


def test_draining_ends_after_a_while(scripted):
    connection = refused(scripted)
    pass_time(scripted, DRAIN_DEADLINE_S - SWEEP_INTERVAL_S)
    connection.send(b"x" * 1000)
    assert not connection.closing
    pass_time(scripted, 2 * SWEEP_INTERVAL_S)
    assert connection.closing


def test_draining_ends_after_many_bytes(scripted):
    connection = refused(scripted)
    for _ in range(DRAIN_LIMIT_BYTES // 1_000_000):
        connection.send(b"x" * 1_000_000)
    assert not connection.closing
    connection.send(b"x" * 1_000_000)
    assert connection.closing


# Deadlines


def test_a_header_that_drips_in_is_cut_off(scripted):
    connection = scripted.connect()
    connection.send(b"GET /kv/a HTTP/1.1\r\n")
    for second in range(int(HEADER_DEADLINE_S) - 1):
        scripted.clock.advance(1)
        connection.send(b"X-Drip-%d: 1\r\n" % second)
    assert not connection.closing
    pass_time(scripted, 1 + SWEEP_INTERVAL_S)
    assert connection.closing
    response = connection.responses[0]
    assert (response.code, response.problem, response["Connection"]) == (408, "request_timeout", "close")


def test_a_body_that_drips_in_is_cut_off(scripted):
    connection = scripted.connect()
    connection.send(encode_request("PUT", "/kv/a", {"Content-Length": "1000"}))
    for _ in range(int(BODY_DEADLINE_S) - 1):
        scripted.clock.advance(1)
        connection.send(b"x")
    assert not connection.closing
    pass_time(scripted, 1 + SWEEP_INTERVAL_S)
    assert connection.closing
    assert connection.responses[0].problem == "request_timeout"
    connection.hang_up()
    assert scripted.sites["node1"].body_bytes == 0


def test_an_idle_connection_is_closed_without_a_word(scripted):
    silent, used = scripted.connect(), scripted.connect()
    used.request("GET", "/health")
    pass_time(scripted, IDLE_DEADLINE_S - SWEEP_INTERVAL_S)
    assert not silent.closing
    pass_time(scripted, 2 * SWEEP_INTERVAL_S)
    assert silent.closing
    assert used.closing
    assert silent.transport.value() == b""
    assert len(used.responses) == 1


def test_each_request_begins_a_new_idle_time(scripted):
    connection = scripted.connect()
    for _ in range(3):
        pass_time(scripted, IDLE_DEADLINE_S - 2 * SWEEP_INTERVAL_S)
        connection.request("GET", "/health")
        assert connection.answer().code == 200


def test_a_request_that_is_being_answered_has_no_deadline_of_the_connections(scripted):
    done = Deferred()
    scripted.leader.script.append(done)
    connection = scripted.connect()
    connection.request("PUT", "/kv/a?timeout=300s", body=b"x")
    pass_time(scripted, 290)
    assert not connection.closing
    done.callback(PutDone(9, True))
    assert connection.answer().code == 200


def test_a_connection_that_cannot_be_closed_is_cut(scripted):
    connection = scripted.connect()
    pass_time(scripted, IDLE_DEADLINE_S + SWEEP_INTERVAL_S)
    assert connection.closing
    assert not connection.transport.aborted
    pass_time(scripted, CLOSE_DEADLINE_S + SWEEP_INTERVAL_S)
    assert connection.transport.aborted


def test_a_fault_with_one_connection_does_not_end_the_deadlines(scripted, monkeypatch):
    connection = scripted.connect()

    def broken(channel):
        raise RuntimeError("a fault")

    with monkeypatch.context() as patch:
        patch.setattr("minicloud.web.channel.Channel.expire", broken)
        with pytest.raises(RuntimeError):  # a reactor logs it, and goes on
            pass_time(scripted, IDLE_DEADLINE_S + SWEEP_INTERVAL_S)
    assert not connection.closing
    pass_time(scripted, SWEEP_INTERVAL_S)
    assert connection.closing


def test_without_connections_no_timer_runs(scripted):
    connection = scripted.connect()
    connection.hang_up()
    pass_time(scripted, 2 * SWEEP_INTERVAL_S)
    assert scripted.clock.getDelayedCalls() == []


# Malformed requests


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET /kv/a\r\n\r\n",
        b"GET /kv/a HTTP/2.0\r\n\r\n",
        b"G\x00T /kv/a HTTP/1.1\r\n\r\n",
        b"GET /kv/a b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET /kv/a HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n",
        b"GET /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: x\r\n\r\n",
        b"PUT /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
        b"PUT /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"PUT /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + b"0" * 5000 + b"1\r\n\r\nx",
        b"PUT /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"PUT /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"PUT /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"PUT /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Nul: a\x00b\r\n\r\n",
    ],
)
def test_what_is_no_http_gets_a_problem_and_the_door(scripted, data):
    connection = scripted.connect()
    connection.send(data)
    response = connection.responses[0]
    assert (response.code, response.problem, response["Connection"]) == (400, "bad_request", "close")
    assert response["Minicloud-Node"] == "node1"
    assert connection.closing
    connection.send(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert len(connection.responses) == 1
    assert scripted.leader.calls == []


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"a" * 20_000,
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * 20_000,
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"".join(b"X-%d: %b\r\n" % (n, b"a" * 1000) for n in range(20)),
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"".join(b"X%d: 1\r\n" % n for n in range(600)) + b"\r\n",
    ],
)
def test_an_endless_header_is_refused(scripted, data):
    connection = scripted.connect()
    connection.send(data)
    response = connection.responses[0]
    assert (response.code, response.problem) == (431, "header_too_large")
    assert connection.closing
    assert len(connection.responses) == 1


def test_malformed_requests_are_counted(scripted):
    scripted.connect().send(b"nonsense\r\n\r\n")
    assert scripted.counts.requests == [("other", "unmatched", 400, 0.0)]


# Keep-alive and pipelining


def test_a_connection_serves_many_requests(scripted):
    connection = scripted.connect()
    for n in range(20):
        connection.request("PUT", f"/kv/{n}", body=b"%d" % n)
        assert connection.answer().code == 200
    assert not connection.closing


def test_pipelined_requests_are_answered_in_order(scripted):
    connection = scripted.connect()
    connection.methods = ["PUT", "GET", "HEAD", "DELETE", "GET", "GET"]
    connection.send(
        encode_request("PUT", "/kv/a", body=b"1")
        + encode_request("GET", "/kv/a")
        + encode_request("HEAD", "/kv/a")
        + encode_request("DELETE", "/kv/a")
        + encode_request("GET", "/kv/a")
        + encode_request("GET", "/health")
    )
    assert [response.code for response in connection.responses] == [200, 200, 200, 200, 404, 200]


def test_a_pipelined_request_waits_for_the_one_before(scripted):
    done = Deferred()
    scripted.leader.script.append(done)
    connection = scripted.connect()
    connection.request("PUT", "/kv/a", body=b"1")
    connection.request("GET", "/health")
    assert connection.responses == []
    done.callback(PutDone(9, True))
    assert [response.code for response in connection.responses] == [200, 200]


def test_thousands_of_pipelined_requests_need_no_deep_stack(scripted):
    connection = scripted.connect()
    connection.methods = ["GET"] * 3000
    connection.send(encode_request("GET", "/health") * 3000)
    assert len(connection.responses) == 3000


@pytest.mark.parametrize("value", ["close", "Close", "keep-alive, close", "close,x"])
def test_a_client_can_ask_to_close(scripted, value):
    connection = scripted.connect()
    connection.request("GET", "/health", {"Connection": value})
    assert connection.answer()["Connection"] == "close"
    assert connection.closing


def test_pipelined_reads_wait_while_the_client_does_not_read(scripted):
    """Each of them would put a whole value into the send buffer."""
    scripted.put("a", b"x" * 100_000)
    connection = scripted.connect()
    transport = connection.transport
    channel = connection.protocol
    write_sequence = transport.writeSequence

    def full(data):
        write_sequence(data)
        channel.pauseProducing()

    transport.writeSequence = full
    connection.methods = ["GET"] * 50
    connection.send(encode_request("GET", "/kv/a") * 50)
    assert len(connection.responses) == 1
    assert transport.producerState == "paused"
    channel.resumeProducing()
    assert len(connection.responses) == 2
    transport.writeSequence = write_sequence
    channel.resumeProducing()
    assert len(connection.responses) == 50
    assert transport.producerState == "producing"


# Connections


def test_connections_are_bounded(make_scripted):
    scripted = make_scripted(max_connections=3)
    first = [scripted.connect() for _ in range(3)]
    refused = scripted.connect()
    assert refused.closing
    assert (refused.responses[0].code, refused.responses[0].problem) == (503, "overloaded")
    first[0].hang_up()
    assert scripted.ask("GET", "/health").code == 200


def test_bytes_after_the_end_are_ignored(scripted):
    connection = scripted.connect()
    connection.request("GET", "/health", {"Connection": "close"})
    connection.send(encode_request("GET", "/health"))
    assert len(connection.responses) == 1
