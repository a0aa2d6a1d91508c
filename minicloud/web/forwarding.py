"""One hop: a follower passes a request to the leader with treq, and relays the answer. Never twice."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from twisted.internet.defer import Deferred
from twisted.internet.ssl import Certificate, trustRootFromCertificates
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from minicloud.connecting.bodies import collect_body
from minicloud.connecting.endpoints import HttpEndpoints
from minicloud.connecting.failures import never_sent, reason_of, was_given_up
from minicloud.connecting.sending import Sender
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


class Forwarder:
    """Passes requests to the leader, each at most once."""

    _log = Logger()

    def __init__(self, node: NodeFace, reactor: Any, agent: IAgent) -> None:
        self._node = node
        self._reactor = reactor
        self._sender = Sender(agent, reactor)
        self._in_flight = 0
        self._told: tuple[Member, str] | None = None
        """The leader that a request last failed to get through to, and why: what the newest line in the log says."""

    def forward(self, request: Request, leader: Member, base: str, timeout_s: float) -> Deferred[Answer]:
        """Send a request to the leader and return its answer, with who passed it on.

        ``base`` is the leader's ``scheme://host:port``; ``timeout_s`` is the leader's time limit in seconds, a little
        is added to it here. Fails with Problem: 503 where nothing was sent, 504 where that is not known.
        """
        if self._in_flight >= MAX_FORWARDS:
            raise overloaded(f"{self._in_flight} requests are on their way to the leader.")
        url, headers = base + _target(request), self._headers(request, leader)
        self._in_flight += 1
        relayed = Deferred.fromCoroutine(self._relay(request, url, headers))
        timer = self._reactor.callLater(timeout_s + FORWARD_MARGIN_S, relayed.cancel)

        def settled(result: Answer | Failure) -> Answer | Failure:
            self._in_flight -= 1
            if timer.active():
                timer.cancel()
            return result

        return relayed.addBoth(settled).addErrback(self._explained, leader, timeout_s + FORWARD_MARGIN_S)

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
        method = request.method.decode("ascii")
        response = await self._sender.send(method, url, headers, request.body or None)
        return self._relayed(response, await collect_body(response, MAX_FORWARD_ANSWER_BYTES))

    def _relayed(self, response: IResponse, body: bytes) -> Answer:
        content_type = response.headers.getRawHeaders(b"Content-Type", [JSON_TYPE])[0]
        by = b"Minicloud-Forwarded-By: %b\r\n" % self._node.node_id.encode("ascii")
        identity = _lines(response.headers, _IDENTITY)
        return Answer(
            response.code, body, content_type, _lines(response.headers, _RELAYED) + by, identity_lines=identity
        )

    def _explained(self, failure: Failure, leader: Member, limit_s: float) -> Answer:
        error: Any = failure.value
        unsent = never_sent(error)
        if was_given_up(error):  # By our own timer: a client that hangs up stops nothing.
            reason = f"no {'connection' if unsent else 'answer'} within {limit_s:g} s"
        else:
            reason = reason_of(error, FORWARD_CONNECT_TIMEOUT_S)
        self._tell(leader, reason)
        if unsent:
            raise Problem(
                503,
                "leader_unreachable",
                "Leader unreachable",
                f"The leader could not be reached; nothing was sent ({reason}).",
                retryable=True,
                leader=leader,
                header_lines=RETRY_SOON,
            )
        raise outcome_unknown("The request was sent to the leader, and its answer did not arrive.")

    def _tell(self, leader: Member, reason: str) -> None:
        """Log why a request did not get through, the same words once in a row: many clients meet the same leader."""
        if self._told != (leader, reason):
            self._told = (leader, reason)
            self._log.warn(
                "no answer from the leader {leader} at {http_addr} to a request that was passed on: {reason}",
                leader=leader.node_id,
                http_addr=leader.http_addr,
                reason=reason,
            )


def _target(request: Request) -> str:
    """Return path and query for the leader: the same key, in the one spelling that no URL library changes."""
    path = "/kv/" + quote(request.key, safe="") if request.route == KEY_TEMPLATE else request.route
    return path + "?" + request.query.decode("ascii") if request.query else path


def _lines(headers: Headers, names: tuple[bytes, ...]) -> bytes:
    return b"".join(b"%b: %b\r\n" % (name, value) for name in names for value in headers.getRawHeaders(name, ()))
