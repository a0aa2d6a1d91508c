import pytest
from twisted.internet.defer import Deferred

from minicloud.kv.commands import PutDone
from minicloud.web.limits import STOP_LINGER_S

GRACE_S = 10.0


def shut_down(scripted):
    fired = []
    scripted.sites["node1"].shut_down(GRACE_S).addCallback(fired.append)
    return fired


def test_without_connections_it_is_over_at_once(scripted):
    assert shut_down(scripted) == [None]
    assert scripted.clock.getDelayedCalls() == []


def test_idle_connections_are_closed_after_a_moment(scripted):
    connection = scripted.connect()
    connection.request("GET", "/health")
    stopped = shut_down(scripted)
    scripted.clock.advance(STOP_LINGER_S - 0.01)
    assert not connection.closing
    scripted.clock.advance(0.02)
    assert connection.closing
    assert stopped == []
    connection.hang_up()
    assert stopped == [None]
    assert scripted.clock.getDelayedCalls() == []


def test_a_request_that_was_on_its_way_on_an_idle_connection_is_answered(scripted):
    connection = scripted.connect()
    stopped = shut_down(scripted)
    connection.request("GET", "/health")
    response = connection.answer()
    assert (response.code, response["Connection"]) == (200, "close")
    assert connection.closing
    connection.hang_up()
    assert stopped == [None]
    assert scripted.clock.getDelayedCalls() == []


def test_requests_in_flight_are_answered_first(scripted):
    done = Deferred()
    scripted.leader.script.append(done)
    connection = scripted.connect()
    connection.request("PUT", "/kv/a", body=b"x")
    stopped = shut_down(scripted)
    assert not connection.closing
    done.callback(PutDone(9, True))
    response = connection.answer()
    assert (response.code, response["Connection"]) == (200, "close")
    assert connection.closing
    connection.hang_up()
    assert stopped == [None]


def test_a_header_on_its_way_is_awaited(scripted):
    connection = scripted.connect()
    connection.methods.append("GET")
    connection.send(b"GET /health HTTP/1.1\r\nHo")
    shut_down(scripted)
    scripted.clock.advance(STOP_LINGER_S + 1)
    connection.send(b"st: 127.0.0.1\r\n\r\n")
    response = connection.answer()
    assert (response.code, response["Connection"]) == (200, "close")
    assert connection.closing


def test_a_body_on_its_way_is_awaited(scripted):
    connection = scripted.connect()
    connection.methods.append("PUT")
    connection.send(b"PUT /kv/a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nab")
    shut_down(scripted)
    assert not connection.closing
    connection.send(b"c")
    assert connection.answer().code == 200
    assert connection.closing


def test_what_takes_longer_is_cut(scripted):
    scripted.leader.script.append(Deferred())
    connection = scripted.connect()
    connection.request("PUT", "/kv/a", body=b"x")
    stopped = shut_down(scripted)
    scripted.clock.advance(GRACE_S - 0.1)
    assert not connection.transport.aborted
    scripted.clock.advance(0.2)
    assert connection.transport.aborted
    connection.hang_up()
    assert stopped == [None]


def test_new_connections_are_refused(scripted):
    scripted.connect().request("PUT", "/kv/a", body=b"x")
    shut_down(scripted)
    late = scripted.connect()
    assert late.closing
    assert late.responses[0].code == 503


def test_kept_connections_to_the_leader_are_closed(scripted):
    closed = []
    scripted.sites["node1"].on_shut_down = lambda: closed.append(True)
    shut_down(scripted)
    assert closed == [True]


@pytest.mark.parametrize("node_id", ["node1", "node2"])
def test_asking_twice_is_harmless(scripted, node_id):
    site = scripted.sites[node_id]
    site.shut_down(GRACE_S)
    site.shut_down(GRACE_S)


def test_whoever_asked_is_told(scripted):
    connection = scripted.connect()
    first, second = shut_down(scripted), shut_down(scripted)
    connection.hang_up()
    assert first == second == [None]
