"""Where HTTP connections lead to, and how long that may take."""

from typing import Any

import pytest
from attrs import define, field
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectingCancelledError, ConnectionRefusedError, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS
from twisted.web.error import SchemeNotSupported
from zope.interface import implementer

from minicloud.client import Client
from minicloud.connecting.endpoints import NEXT_ADDRESS_AFTER_S, HttpEndpoints
from minicloud.web.forwarding import make_agent, make_pool
from minicloud.web.limits import FORWARD_CONNECT_TIMEOUT_S
from minicloud.web.settings import WebSettings

TIMEOUT_S = 2.0


@implementer(IHostnameResolver)
@define
class Names:
    """A name server that answers when it is told to."""

    asked: list[str] = field(factory=list)
    receivers: list[Any] = field(factory=list)

    def resolveHostName(self, receiver: Any, hostName: str, *_: Any, **__: Any) -> Any:
        self.asked.append(hostName)
        self.receivers.append(receiver)
        receiver.resolutionBegan(None)

    def answer(self, *addresses: Any) -> None:
        receiver = self.receivers.pop()
        for address in addresses:
            receiver.addressResolved(address)
        receiver.resolutionComplete()


@define
class Stage:
    """A clock, a name server, and the connections that are asked for."""

    reactor: MemoryReactorClock = field(factory=MemoryReactorClock)
    names: Names = field(factory=Names)
    policy: Any = None

    def __attrs_post_init__(self) -> None:
        self.reactor.installNameResolver(self.names)

    def connect(self, uri: bytes) -> Deferred[Any]:
        endpoints = HttpEndpoints(self.reactor, self.policy, TIMEOUT_S)
        return endpoints.endpointForURI(URI.fromBytes(uri)).connect(Factory.forProtocol(Protocol))

    def attempts(self) -> list[tuple[str, int, float]]:
        """Return host, port and time limit of each attempt so far."""
        return [(host, port, timeout_s) for host, port, _factory, timeout_s, _bind in self.reactor.tcpClients]

    def refuse(self, attempt: int) -> None:
        factory = self.reactor.tcpClients[attempt][2]
        factory.clientConnectionFailed(self.reactor.connectors[attempt], Failure(ConnectionRefusedError()))


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize(
    ("uri", "host", "port"),
    [
        (b"http://127.0.0.1:9001/kv/k", "127.0.0.1", 9001),
        (b"http://[::1]:9001/kv/k", "::1", 9001),
        (b"http://10.0.0.7/", "10.0.0.7", 80),
    ],
)
def test_an_address_is_connected_to_without_a_lookup_or_a_timer(stage: Stage, uri: bytes, host: str, port: int) -> None:
    connecting = stage.connect(uri)
    assert stage.attempts() == [(host, port, TIMEOUT_S)]
    assert stage.names.asked == []
    assert stage.reactor.getDelayedCalls() == []
    stage.refuse(0)
    assert connecting.result.check(ConnectionRefusedError)
    connecting.addErrback(lambda _: None)


def test_a_name_leads_to_its_addresses_one_soon_after_the_other(stage: Stage) -> None:
    connecting = stage.connect(b"http://node1:9001/")
    assert (stage.names.asked, stage.attempts()) == (["node1"], [])
    stage.names.answer(IPv6Address("TCP", "::1", 9001), IPv4Address("TCP", "127.0.0.1", 9001))
    assert stage.attempts() == [("::1", 9001, TIMEOUT_S)]
    stage.refuse(0)
    stage.reactor.advance(NEXT_ADDRESS_AFTER_S)
    assert stage.attempts()[1:] == [("127.0.0.1", 9001, TIMEOUT_S)]
    stage.refuse(1)
    stage.reactor.advance(NEXT_ADDRESS_AFTER_S)
    assert connecting.result.check(ConnectionRefusedError)
    connecting.addErrback(lambda _: None)
    assert stage.reactor.getDelayedCalls() == []
    assert 4 * NEXT_ADDRESS_AFTER_S < 0.3, "two dead names before a live one leave most of half a second"


def test_a_lookup_without_end_is_given_up_like_a_connection(stage: Stage) -> None:
    connecting = stage.connect(b"http://silent:9001/")
    stage.reactor.advance(TIMEOUT_S - 0.1)
    assert not connecting.called
    stage.reactor.advance(0.1)
    assert connecting.result.check(ConnectTimeout)
    connecting.addErrback(lambda _: None)
    assert stage.attempts() == []


def test_lookup_and_connection_share_the_time_limit(stage: Stage) -> None:
    connecting = stage.connect(b"http://slow:9001/")
    stage.reactor.advance(TIMEOUT_S / 2)
    stage.names.answer(IPv4Address("TCP", "127.0.0.1", 9001))
    stage.reactor.advance(TIMEOUT_S / 2)
    assert connecting.result.check(ConnectTimeout)
    connecting.addErrback(lambda _: None)
    assert [connector.stoppedConnecting for connector in stage.reactor.connectors] == [True]


def test_whoever_gives_up_ends_the_lookup(stage: Stage) -> None:
    connecting = stage.connect(b"http://silent:9001/")
    connecting.cancel()
    assert connecting.result.check(ConnectingCancelledError)
    connecting.addErrback(lambda _: None)
    assert stage.reactor.getDelayedCalls() == []


def test_a_name_without_an_address_is_named_so(stage: Stage) -> None:
    connecting = stage.connect(b"http://nowhere:9001/")
    stage.names.answer()
    assert connecting.result.check(DNSLookupError)
    connecting.addErrback(lambda _: None)
    assert stage.reactor.getDelayedCalls() == []


@pytest.mark.parametrize("host", [b"[fe80::1%lo]", b"[fe80::1%25lo]"])
def test_an_address_with_a_zone_is_connected_to_with_it_since_a_lookup_would_lose_it(stage: Stage, host: bytes) -> None:
    stage.connect(b"http://%b:9001/" % host)
    assert stage.attempts() == [("fe80::1%lo", 9001, TIMEOUT_S)]
    assert stage.names.asked == []


def test_a_name_may_have_letters_that_container_engines_put_into_it(stage: Stage) -> None:
    stage.connect(b"http://project_node-1:9001/")
    assert stage.names.asked == ["project_node-1"]
    stage.names.answer(IPv4Address("TCP", "10.0.0.7", 9001))
    assert stage.attempts() == [("10.0.0.7", 9001, TIMEOUT_S)]


def test_a_name_for_which_there_are_no_certificates_is_told_so(stage: Stage) -> None:
    stage.policy = BrowserLikePolicyForHTTPS()
    with pytest.raises(ValueError, match="no certificate is for a name like 'node_1'; use another name over HTTPS"):
        stage.connect(b"https://node_1:9001/")


@pytest.mark.parametrize(("host", "lookups"), [(b"127.0.0.1", 0), (b"[::1]", 0), (b"[fe80::1%lo]", 0), (b"node1", 1)])
def test_over_https_the_host_is_checked_as_it_was_written(stage: Stage, host: bytes, lookups: int) -> None:
    class Policy(BrowserLikePolicyForHTTPS):
        asked: list[tuple[bytes, int]] = []

        def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
            self.asked.append((hostname, port))
            return super().creatorForNetloc(hostname, port)

    stage.policy = Policy()
    stage.connect(b"https://%b:9001/" % host).addErrback(lambda _: None)
    assert Policy.asked == [(host.strip(b"[]").partition(b"%")[0], 9001)]
    assert (len(stage.names.asked), len(stage.attempts())) == (lookups, 1 - lookups)


def test_a_caller_of_the_client_who_gives_up_during_a_lookup_asks_nobody_else(stage: Stage) -> None:
    agent = Agent.usingEndpointFactory(stage.reactor, HttpEndpoints(stage.reactor, stage.policy, TIMEOUT_S))
    outcome = Client(["silent:9001", "other:9001"], reactor=stage.reactor, agent=agent).put("k", b"v")
    outcome.cancel()
    assert outcome.result.check(CancelledError)
    outcome.addErrback(lambda _: None)
    assert stage.names.asked == ["silent"]


def test_a_node_that_forwards_to_a_name_without_answer_knows_that_nothing_was_sent(stage: Stage) -> None:
    agent = make_agent(stage.reactor, WebSettings("127.0.0.1:1"), make_pool(stage.reactor))
    sent = agent.request(b"PUT", b"http://silent:9001/kv/k")
    stage.reactor.advance(FORWARD_CONNECT_TIMEOUT_S)
    assert sent.result.check(ConnectError)
    sent.addErrback(lambda _: None)


def test_what_is_no_http_is_refused(stage: Stage) -> None:
    with pytest.raises(SchemeNotSupported, match="expected http or https"):
        stage.connect(b"ftp://127.0.0.1:1/")
    with pytest.raises(ValueError, match="ascii"):
        stage.connect(b"http://\xff:1/")
