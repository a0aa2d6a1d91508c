"""Bodies of answers: whole, too long, broken off, given up and refused; on real responses of Twisted's HTTP client."""

from typing import Any

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web._newclient import HTTP11ClientProtocol, Request
from twisted.web.client import ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from minicloud.connecting.bodies import BodyCutShort, BodyTooLong, collect_body, refuse_body

MAX_BYTES = 8


class Wire(StringTransport):
    """A connection that takes note of being cut."""

    was_cut = False

    def loseConnection(self) -> None:
        self.was_cut = True

    def abortConnection(self) -> None:
        self.was_cut = True


class Exchanged:
    """A request that was sent, and the head of its answer."""

    def __init__(self, head: bytes) -> None:
        self.wire = Wire(peerAddress=IPv4Address("TCP", "127.0.0.1", 9001))
        self.was_kept = False
        self.http: Any = HTTP11ClientProtocol(self._kept)
        self.http.makeConnection(self.wire)
        request = Request(b"GET", b"/", Headers({"Host": ["node"]}), None, persistent=True)
        answered: Deferred[IResponse] = self.http.request(request)
        self.http.dataReceived(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
        self.response: IResponse = answered.result  # type: ignore[assignment]

    def _kept(self, _protocol: Any) -> Deferred[None]:
        self.was_kept = True
        return succeed(None)

    def comes(self, data: bytes) -> None:
        self.http.dataReceived(data)

    def ends(self, error: Exception) -> None:
        self.http.connectionLost(Failure(error))


def outcome(collected: Deferred[bytes]) -> Any:
    """Return what a body came to: itself, or why not; None as long as that is open."""
    came: list[Any] = []
    collected.addBoth(came.append)
    if came and isinstance(came[0], Failure):
        return came[0].value
    return came[0] if came else None


@pytest.mark.parametrize("size", [0, 1, MAX_BYTES])
def test_a_body_within_the_bound_is_returned_whole_and_its_connection_stays(size: int) -> None:
    asked = Exchanged(b"Content-Length: %d" % size)
    collected = collect_body(asked.response, MAX_BYTES)
    for _ in range(size):
        asked.comes(b"x")
    assert outcome(collected) == b"x" * size
    assert asked.was_kept
    assert not asked.wire.was_cut


def test_a_body_is_not_there_before_its_end() -> None:
    asked = Exchanged(b"Content-Length: 2")
    collected = collect_body(asked.response, MAX_BYTES)
    asked.comes(b"x")
    assert not collected.called
    asked.comes(b"y")
    assert outcome(collected) == b"xy"


@pytest.mark.parametrize("head", [b"Content-Length: 100", b"Transfer-Encoding: chunked"], ids=["told", "untold"])
def test_a_body_beyond_the_bound_is_cut_where_it_passes_it(head: bytes) -> None:
    asked = Exchanged(head)
    collected = collect_body(asked.response, MAX_BYTES)
    piece = b"12345" if b"Length" in head else b"5\r\n12345\r\n"
    asked.comes(piece)
    assert not collected.called
    asked.comes(piece)
    assert isinstance(outcome(collected), BodyTooLong)
    assert asked.wire.was_cut
    asked.comes(piece)  # What was on its way already.
    assert not asked.was_kept


def test_a_body_that_breaks_off_is_an_error() -> None:
    asked = Exchanged(b"Content-Length: 5")
    collected = collect_body(asked.response, MAX_BYTES)
    asked.comes(b"1234")
    asked.ends(ConnectionLost())
    assert isinstance(outcome(collected), ResponseFailed)


def test_whoever_gives_up_cuts_the_connection() -> None:
    asked = Exchanged(b"Content-Length: 5")
    collected = collect_body(asked.response, MAX_BYTES)
    asked.comes(b"1234")
    collected.cancel()
    assert isinstance(outcome(collected), BodyCutShort)
    assert asked.wire.was_cut
    asked.ends(ConnectionLost())


def test_a_body_that_is_refused_is_not_waited_for() -> None:
    asked = Exchanged(b"Content-Length: 5")
    refuse_body(asked.response)
    assert asked.wire.was_cut
    assert not asked.was_kept


def test_a_body_that_was_there_already_is_refused_without_harm() -> None:
    asked = Exchanged(b"Content-Length: 5")
    asked.comes(b"12345")
    refuse_body(asked.response)
