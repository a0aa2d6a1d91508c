"""A TLS connection is there once the handshake is done; whatever ends it before that, nothing of a request has left."""

from pathlib import Path
from typing import Any

import pytest
from attrs import define, field
from OpenSSL import SSL
from twisted.internet import ssl
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError, ConnectionDone, ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test import iosim
from twisted.web.client import URI, BrowserLikePolicyForHTTPS

from minicloud.connecting.endpoints import HttpEndpoints
from minicloud.connecting.failures import HandshakeFailed, never_sent, reason_of, was_given_up
from minicloud.connecting.handshakes import HANDSHAKE_TIMEOUT_S, why_it_failed
from tests.service.certificates import Authority

CONNECT_TIMEOUT_S = 2.0

pytestmark = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")


class Noted(Protocol):
    """Keeps what happens to it."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def connectionMade(self) -> None:
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.events.append(data.decode("latin-1"))

    def connectionLost(self, reason: Any = None) -> None:
        self.events.append("lost")


@define
class Stage:
    """A client that wants to speak TLS, on a clock, and the server at the other end of its connection."""

    authority: Authority
    reactor: MemoryReactorClock = field(factory=MemoryReactorClock)
    protocol: Noted = field(factory=Noted)
    server: Noted = field(factory=Noted)
    connected: list[Any] = field(factory=list)
    failures: list[Failure] = field(factory=list)
    pump: Any = None

    def connect(self) -> Deferred[Any]:
        endpoints = HttpEndpoints(self.reactor, BrowserLikePolicyForHTTPS(), CONNECT_TIMEOUT_S)
        endpoint = endpoints.endpointForURI(URI.fromBytes(b"https://127.0.0.1:9001/"))
        return endpoint.connect(_Only(self.protocol)).addCallbacks(self.connected.append, self.failures.append)

    def accept(self, context: Any = None) -> None:
        """Let the connection be there: to a server that speaks TLS where there is a context, else to a mute one."""
        client = self.reactor.tcpClients[0][2].buildProtocol(None)
        behind: Any = self.server
        if context is not None:
            behind = TLSMemoryBIOFactory(context, False, _Only(self.server), clock=self.reactor).buildProtocol(None)
        self.pump = iosim.connect(
            behind, iosim.FakeTransport(behind, True), client, iosim.FakeTransport(client, False), greet=False
        )

    def context(self) -> Any:
        pem = b"".join(file.read_bytes() for file in self.authority.issue("server"))
        return ssl.PrivateCertificate.loadPEM(pem).options()

    def is_closed(self) -> bool:
        self.pump.flush()
        closed: bool = self.pump.clientIO.disconnected
        return closed

    def failure(self) -> Any:
        (failure,) = self.failures
        return failure.value


class _Only(Factory):
    """Has one protocol."""

    def __init__(self, protocol: Protocol) -> None:
        self.only = protocol

    def buildProtocol(self, addr: Any) -> Protocol:
        return self.only


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return Stage(authority)


def test_the_connection_is_there_when_the_handshake_is_done_and_not_before(stage: Stage) -> None:
    stage.connect()
    stage.accept(stage.context())
    assert (stage.connected, stage.protocol.events) == ([], [])
    stage.pump.flush()
    assert (stage.connected, stage.protocol.events) == ([stage.protocol], ["made"])
    assert stage.reactor.getDelayedCalls() == []
    stage.protocol.transport.write(b"a request")
    stage.server.transport.write(b"an answer")
    stage.reactor.advance(0)  # Small writes are put together.
    stage.pump.flush()
    assert (stage.server.events[-1], stage.protocol.events[-1]) == ("a request", "an answer")
    stage.server.transport.loseConnection()
    stage.pump.flush()
    assert stage.protocol.events[-1] == "lost"


def test_a_server_that_is_silent_is_given_up(stage: Stage) -> None:
    stage.connect()
    stage.accept()
    stage.pump.flush()
    assert stage.server.events[1:], "it was greeted"
    stage.reactor.advance(HANDSHAKE_TIMEOUT_S - 0.1)
    assert not stage.failures
    stage.reactor.advance(0.1)
    assert never_sent(stage.failure())
    assert reason_of(stage.failure(), CONNECT_TIMEOUT_S) == (
        "no TLS there (nothing within 5 s); check https:// and the port of the address"
    )
    assert stage.is_closed()
    assert stage.protocol.events == []


@pytest.mark.parametrize("speaks_tls", [True, False])
def test_whoever_gives_up_closes_the_connection(stage: Stage, speaks_tls: bool) -> None:
    connecting = stage.connect()
    stage.accept(stage.context() if speaks_tls else None)
    stage.pump.pump()
    connecting.cancel()
    assert stage.failures[0].check(ConnectingCancelledError)
    assert was_given_up(stage.failure())
    assert never_sent(stage.failure())
    assert stage.is_closed()
    assert stage.reactor.getDelayedCalls() == []
    assert stage.protocol.events == []


def test_a_port_that_refuses_is_told_as_without_tls(stage: Stage) -> None:
    stage.connect()
    factory = stage.reactor.tcpClients[0][2]
    factory.clientConnectionFailed(stage.reactor.connectors[0], Failure(ConnectionRefusedError()))
    assert reason_of(stage.failure(), CONNECT_TIMEOUT_S) == "connection refused"
    assert stage.reactor.getDelayedCalls() == []


ALERT = b"\x15\x03\x03\x00\x02\x02\x28"
"""Fatal, handshake_failure (RFC 8446, section 6)."""


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "no TLS there (wrong version number); check https:// and the port of the address",
        ),
        (b"", "no TLS there (Connection to the other side was lost"),
        (ALERT, "it refused the TLS handshake ("),
    ],
)
def test_what_ends_a_handshake_comes_before_any_request(stage: Stage, answer: bytes, reason: str) -> None:
    stage.connect()
    stage.accept()
    stage.pump.flush()
    stage.server.transport.write(answer)
    stage.server.transport.loseConnection()
    stage.pump.flush()
    assert isinstance(stage.failure(), HandshakeFailed)
    assert never_sent(stage.failure())
    assert reason_of(stage.failure(), CONNECT_TIMEOUT_S).startswith(reason)
    assert stage.is_closed()
    assert stage.reactor.getDelayedCalls() == []
    assert stage.protocol.events == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            SSL.Error([("a", "", "b"), ("SSL routines", "", "certificate verify failed")]),
            "its TLS certificate is not to",
        ),
        (SSL.Error([]), "no TLS there ([])"),
        (SSL.Error(), "no TLS there (Error)"),
        (SSL.SysCallError(104, "ECONNRESET"), "no TLS there ((104, 'ECONNRESET'))"),
        (ConnectionDone(), "no TLS there (Connection was closed cleanly)"),
    ],
)
def test_why_a_handshake_failed_is_told_in_words(error: Exception, reason: str) -> None:
    assert why_it_failed(error).startswith(reason)
