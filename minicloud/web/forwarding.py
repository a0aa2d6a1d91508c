"""One hop: a follower passes a request to the leader with treq, and relays the answer. Never twice."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import IConsumer
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from minicloud.connecting.bodies import collect_body
from minicloud.connecting.endpoints import HttpEndpoints
from minicloud.raft.configuration import Member
from minicloud.web.answers import JSON_TYPE, Answer
from minicloud.web.face import NodeFace
from minicloud.web.limits import (
    FORWARD_CONNECT_TIMEOUT_S,
    FORWARD_CONNECTIONS,
    FORWARD_IDLE_S,
    FORWARD_MARGIN_S,
    MAX_FORWARD_ANSWER_BYTES,
    MAX_FORWARDS,
)
from minicloud.web.problems import RETRY_SOON, Problem, outcome_unknown, overloaded
from minicloud.web.request import KEY_TEMPLATE, Request
from minicloud.web.settings import WebSettings

FORWARDED_FROM = b"Minicloud-Forwarded-From"
"""Request header: which follower passed this request on. A request takes one hop."""

_PASSED_ON = (b"Accept", b"Content-Type", b"If-Match", b"If-None-Match")
_RELAYED = (b"ETag", b"Retry-After", b"WWW-Authenticate", b"Allow", b"Cache-Control")
_IDENTITY = (b"Minicloud-Node", b"Minicloud-Leader", b"Minicloud-Revision")

_NOTHING_WAS_SENT = (ConnectError, ConnectingCancelledError, DNSLookupError)
"""Failures that come before a connection is there. Every other one may have carried the request over."""


def make_pool(reactor: Any) -> HTTPConnectionPool:
    """Return a pool of connections to the leader.

    It never retries: Twisted's default would send a DELETE again when a kept connection turns out to be dead.
    """
    pool = HTTPConnectionPool(reactor, persistent=True)
    pool.retryAutomatically = False
    pool.maxPersistentPerHost = FORWARD_CONNECTIONS
    pool.cachedConnectionTimeout = FORWARD_IDLE_S
    return pool


def make_agent(reactor: Any, settings: WebSettings, pool: HTTPConnectionPool) -> IAgent:
    """Return an agent for requests to other members."""
    if settings.tls_ca:
        policy = BrowserLikePolicyForHTTPS(trustRootFromCertificates([Certificate.loadPEM(settings.tls_ca)]))
    else:
        policy = BrowserLikePolicyForHTTPS()
    agent: IAgent = Agent.usingEndpointFactory(reactor, HttpEndpoints(reactor, policy, FORWARD_CONNECT_TIMEOUT_S), pool)
    return agent


@implementer(IBodyProducer)
class _WholeBody:
    """A body that is in memory already, written at once."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write it."""
        consumer.write(self._body)
        return succeed(None)

    def stopProducing(self) -> None:
        """Do nothing: it was written."""

    def pauseProducing(self) -> None:
        """Do nothing: it was written."""

    def resumeProducing(self) -> None:
        """Do nothing: it was written."""


class Forwarder:
    """Passes requests to the leader, each at most once."""

    def __init__(self, node: NodeFace, reactor: Any, agent: IAgent) -> None:
        self._node = node
        self._reactor = reactor
        self._client = HTTPClient(agent, data_to_body_producer=_WholeBody)
        self._in_flight = 0

    def forward(self, request: Request, leader: Member, base: str, timeout_s: float) -> Deferred[Answer]:
        """Send a request to the leader and return its answer, with who passed it on.

        ``base`` is the leader's ``scheme://host:port``; ``timeout_s`` is the leader's time limit in seconds, a little
        is added to it here. Fails with Problem: 503 where nothing was sent, 504 where that is not known.
        """
        if self._in_flight >= MAX_FORWARDS:
            raise overloaded(f"{self._in_flight} requests are on their way to the leader.")
        headers = self._headers(request, leader)
        self._in_flight += 1
        relayed = Deferred.fromCoroutine(self._relay(request, base + _target(request), headers))
        timer = self._reactor.callLater(timeout_s + FORWARD_MARGIN_S, relayed.cancel)

        def settled(result: Answer | Failure) -> Answer | Failure:
            self._in_flight -= 1
            if timer.active():
                timer.cancel()
            return result

        return relayed.addBoth(settled).addErrback(self._explained, leader)

    def _headers(self, request: Request, leader: Member) -> Headers:
        headers = Headers({name: request.headers[name] for name in _PASSED_ON if name in request.headers})
        headers.setRawHeaders(b"X-Request-ID", [request.request_id])
        headers.setRawHeaders(FORWARDED_FROM, [self._node.node_id.encode("ascii")])
        token = request.headers.get(b"Authorization")
        if token is not None:
            self._check_member(leader)
            headers.setRawHeaders(b"Authorization", token)
        return headers

    def _check_member(self, leader: Member) -> None:
        """Refuse to give the token to an address that no committed configuration has named."""
        member = self._node.status().committed_configuration.get(leader.node_id)
        if member is None or member.http_addr != leader.http_addr:
            raise Problem(
                503,
                "leader_unconfirmed",
                "Leader not confirmed",
                "The leader's address is not committed yet, so the token is not sent there.",
                retryable=True,
                header_lines=RETRY_SOON,
            )

    async def _relay(self, request: Request, url: str, headers: Headers) -> Answer:
        response = await self._client.request(
            request.method.decode("ascii"),
            url,
            headers=headers,
            data=request.body,
            allow_redirects=False,
            unbuffered=True,
            reactor=self._reactor,
        )
        return self._relayed(response, await collect_body(response, MAX_FORWARD_ANSWER_BYTES))

    def _relayed(self, response: IResponse, body: bytes) -> Answer:
        content_type = response.headers.getRawHeaders(b"Content-Type", [JSON_TYPE])[0]
        by = b"Minicloud-Forwarded-By: %b\r\n" % self._node.node_id.encode("ascii")
        identity = _lines(response.headers, _IDENTITY)
        return Answer(
            response.code, body, content_type, _lines(response.headers, _RELAYED) + by, identity_lines=identity
        )

    def _explained(self, failure: Failure, leader: Member) -> Answer:
        if failure.check(*_NOTHING_WAS_SENT):
            raise Problem(
                503,
                "leader_unreachable",
                "Leader unreachable",
                "The leader could not be reached; nothing was sent.",
                retryable=True,
                leader=leader,
                header_lines=RETRY_SOON,
            )
        raise outcome_unknown("The request was sent to the leader, and its answer did not arrive.")


def _target(request: Request) -> str:
    """Return path and query for the leader: the same key, in the one spelling that no URL library changes."""
    path = "/kv/" + quote(request.key, safe="") if request.route == KEY_TEMPLATE else request.route
    return path + "?" + request.query.decode("ascii") if request.query else path


def _lines(headers: Headers, names: tuple[bytes, ...]) -> bytes:
    return b"".join(b"%b: %b\r\n" % (name, value) for name in names for value in headers.getRawHeaders(name, ()))
