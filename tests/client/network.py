"""Scripted twisted.web servers, a real HTTP client, and in-memory links between them, all on one clock."""

import json
from collections.abc import Callable
from typing import Any

from attrs import define, field
from twisted.internet import error
from twisted.internet.defer import Deferred, fail
from twisted.internet.testing import MemoryReactorClock
from twisted.test import iosim
from twisted.web.client import Agent
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from minicloud.client import Client
from minicloud.client.exchange import CONNECT_TIMEOUT_S

STEP_S = 0.01
LONG_S = 60.0


@define
class Seen:
    """A request as it arrived at a server."""

    server: str
    method: str
    uri: str
    headers: dict[str, str]
    body: bytes


Reply = Callable[[Any], bytes | int]


@define
class Network:
    """All servers, by ``host:port``; what is not here is refused, or unknown where its name ends in .invalid."""

    clock: MemoryReactorClock = field(factory=MemoryReactorClock)
    seen: list[Seen] = field(factory=list)
    sites: dict[str, Site] = field(factory=dict)
    links: list[tuple[str, iosim.IOPump]] = field(factory=list)
    deaf: set[str] = field(factory=set)
    """Servers that do not even accept a connection."""

    def serve(self, server: str, *script: Reply, always: Reply | None = None) -> None:
        """Add a server that answers with ``script``, one after the other, and then with ``always``."""
        self.sites[server] = Site(Scripted(self, server, list(script), always), reactor=self.clock)

    def client(self, *servers: str, **options: Any) -> Client:
        """Return a client of these servers (``host:port`` or a URL)."""
        return Client(servers, reactor=self.clock, agent=self.agent(), random=lambda: 1.0, **options)

    def agent(self) -> Agent:
        """Return a real HTTP agent whose connections are links of this network."""
        return Agent.usingEndpointFactory(self.clock, self)

    def endpointForURI(self, uri: Any) -> "Link":
        return Link(self, f"{uri.host.decode()}:{uri.port}")

    def cut(self, server: str) -> None:
        """Close every connection to that server, from the other end."""
        for name, pump in self.links:
            if name == server:
                pump.serverIO.abortConnection()
                pump.flush()

    def settle(self) -> None:
        for _name, pump in list(self.links):
            pump.flush()
        self.links = [
            link for link in self.links if not (link[1].clientIO.disconnected and link[1].serverIO.disconnected)
        ]

    def advance(self, seconds: float) -> None:
        self.settle()
        self.clock.advance(seconds)
        self.settle()

    def result(self, deferred: Deferred[Any], within_s: float = LONG_S) -> Any:
        """Return what the Deferred comes to, letting time pass until it does."""
        outcome: list[Any] = []
        deferred.addBoth(outcome.append)
        passed = 0.0
        while not outcome and passed < within_s:
            self.advance(STEP_S)
            passed += STEP_S
        assert outcome, "there is no result yet"
        if hasattr(outcome[0], "raiseException"):
            outcome[0].raiseException()
        return outcome[0]

    def asked(self) -> list[str]:
        """Return what arrived, as ``METHOD host:port/path`` without queries."""
        return [f"{seen.method} {seen.server}{seen.uri.partition('?')[0]}" for seen in self.seen]


@define
class Link:
    """An endpoint; each connection is a pair of in-memory transports."""

    network: Network
    server: str

    def connect(self, factory: Any) -> Deferred[Any]:
        host = self.server.rpartition(":")[0]
        if self.server in self.network.deaf:
            waiting: Deferred[Any] = Deferred(lambda waiting: waiting.errback(error.ConnectingCancelledError(None)))
            self.network.clock.callLater(
                CONNECT_TIMEOUT_S, lambda: waiting.called or waiting.errback(error.TimeoutError())
            )
            return waiting
        if host.endswith(".invalid"):
            return fail(error.DNSLookupError(host))
        site = self.network.sites.get(self.server)
        if site is None:
            return fail(error.ConnectionRefusedError())
        pairs = (site.buildProtocol(None), True), (factory.buildProtocol(None), False)
        (server, _), (client, _) = pairs
        pump = iosim.connect(
            server, iosim.FakeTransport(server, isServer=True), client, iosim.FakeTransport(client, isServer=False)
        )
        self.network.links.append((self.server, pump))
        connected: Deferred[Any] = Deferred()
        connected.callback(client)
        return connected


class Scripted(Resource):
    def __init__(self, network: Network, server: str, script: list[Reply], always: Reply | None) -> None:
        super().__init__()
        self.isLeaf = True
        self.network, self.server, self.script, self.always = network, server, script, always

    def render(self, request: Any) -> bytes | int:
        headers = {
            name.decode().lower(): values[-1].decode() for name, values in request.requestHeaders.getAllRawHeaders()
        }
        method, uri = request.method.decode(), request.uri.decode()
        self.network.seen.append(Seen(self.server, method, uri, headers, request.content.read()))
        reply = self.script.pop(0) if self.script else self.always
        assert reply is not None, f"{self.server} has no answer left for {method} {uri}"
        return reply(request)


def raw(status: int, body: bytes = b"", **headers: str) -> Reply:
    """Answer with that body; ``content_type="…"`` stands for Content-Type."""

    def reply(request: Any) -> bytes:
        request.setResponseCode(status)
        for name, value in headers.items():
            request.setHeader(name.replace("_", "-"), value)
        return body

    return reply


def found(value: bytes, revision: int) -> Reply:
    return raw(200, value, etag=f'"{revision}"', content_type="application/octet-stream")


def document(content: dict[str, Any], status: int = 200, content_type: str = "application/json") -> Reply:
    return raw(status, json.dumps(content).encode() + b"\n", content_type=content_type)


def problem(status: int, code: str, detail: str = "", *, retryable: bool = False, **extra: Any) -> Reply:
    content = {"type": f"urn:x:{code}", "title": code, "status": status, "detail": detail or f"it is {code}"}
    return document(content | {"code": code, "retryable": retryable} | extra, status, "application/problem+json")


def redirect(location: str) -> Reply:
    """Answer 307 to ``location``, a base URL; path and query are those of the request."""

    def reply(request: Any) -> bytes:
        request.setResponseCode(307)
        request.setHeader("Location", location.encode() + request.uri)
        return b""

    return reply


def silence(request: Any) -> int:
    """Never answer."""
    return NOT_DONE_YET


def member(node_id: str, http_addr: str, **more: Any) -> dict[str, Any]:
    known = {"node_id": node_id, "raft_addr": f"{node_id}:9011", "http_addr": http_addr, "suffrage": "Voter"}
    return known | {"is_leader": False, "healthy": True, "match_index": 7, "lag_entries": 0} | more


def members(*listed: dict[str, Any], leader: str = "node1", node: str = "") -> Reply:
    """Answer ``/cluster/members``; ``node`` is who answers, where it says so."""
    content = {"members": list(listed), "leader": leader, "failure_tolerance": (len(listed) - 1) // 2}

    def reply(request: Any) -> bytes | int:
        if node:
            request.setHeader("Minicloud-Node", node)
        return document(content)(request)

    return reply


PUT_DONE = {"key": "k", "revision": 12, "created": True}
NO_LEADER = problem(503, "no_leader", "No leader is known.", retryable=True)
