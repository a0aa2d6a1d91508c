"""One request to one server and its answer, with treq; no retries, no redirects, everything bounded."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.web import client as web_client
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent

from minicloud import __version__
from minicloud.connecting.bodies import BodyTooLong, collect_body
from minicloud.connecting.endpoints import HttpEndpoints
from minicloud.connecting.failures import never_sent, reason_of, was_given_up
from minicloud.connecting.sending import Sender

CONNECT_TIMEOUT_S = 2.0
"""How long a server may take to accept a connection, the lookup of its name included: a machine that is off does not even
refuse one."""

MAX_ANSWER_BYTES = 50 * 1024 * 1024
"""Longest answer that is read: a value of the 8 MiB that a node can be set to allow, in a listing, if it is text of control
characters only, each of which JSON writes in six bytes."""

CONNECTIONS_PER_SERVER = 64
"""Idle connections kept to each server: as many requests as a busy program has in flight at once reuse theirs."""

IDLE_CONNECTION_S = 15.0
"""How long an idle connection is kept: well below the server's own limit, so that writes rarely meet a closing one."""

_twisted_web: Any = web_client
"""Twisted's HTTP client, most of which has no types."""


@frozen
class Request:
    """What is asked, without saying of whom."""

    method: str
    target: str
    """Path and query, percent-encoded."""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    writes: bool = False
    """Whether it changes anything: then it is not sent again unless that is safe."""
    waits: bool = False
    """Whether the node may have to wait for others, and takes ``?timeout=``."""

    def with_query(self, parameter: str) -> Request:
        """Return the request with one more parameter (percent-encoded) in its query."""
        return evolve(self, target=f"{self.target}{'&' if '?' in self.target else '?'}{parameter}")


@frozen
class Answer:
    """What a server answered."""

    server: str
    """Base URL of the server."""
    status: int
    headers: Headers
    body: bytes

    def header(self, name: str) -> str:
        """Return the value of a header, empty where it is missing."""
        values = self.headers.getRawHeaders(name)
        return values[-1] if values else ""


class NotSent(Exception):
    """The server could not be reached: it has seen nothing of the request."""


class NoAnswer(Exception):
    """The request was sent, at least in part, and no complete answer came."""


class EndlessAnswer(NoAnswer):
    """The answer is longer than anything that a node says: asking again would come to the same."""


class Exchange:
    """Sends requests over connections of its own, which it keeps open for the next ones.

    ``agent`` takes the place of the real connections; ``reactor`` must then only tell the time.
    """

    def __init__(self, reactor: IReactorTime, agent: IAgent | None = None) -> None:
        self._reactor = reactor
        self._pool: Any = None
        if agent is None:
            self._pool = _make_pool(reactor)
            endpoints = HttpEndpoints(reactor, _twisted_web.BrowserLikePolicyForHTTPS(), CONNECT_TIMEOUT_S)
            agent = _twisted_web.Agent.usingEndpointFactory(reactor, endpoints, self._pool)
        self._sender = Sender(agent, reactor)

    async def send(self, server: str, request: Request, token: str, limit_s: float, silence_s: float = inf) -> Answer:
        """Send ``request`` to ``server`` (a base URL) and return the answer, whatever its status.

        ``limit_s``: seconds until the answer must be there in full. ``silence_s``: seconds that may pass before its
        head is there, and from then on before each next piece of it. Raises NotSent, NoAnswer; CancelledError where the
        caller gave up.
        """
        headers = _headers(request, token)
        patience = _Patience(self._reactor, limit_s, silence_s)
        work = Deferred.fromCoroutine(self._converse(server, request, headers, patience.hear))
        patience.begin(work.cancel)
        try:
            return await work
        except NoAnswer:
            raise
        except Exception as error:
            if was_given_up(error) and not patience.is_over:
                raise CancelledError from error
            unsent = never_sent(error)
            reason = patience.reason(unsent) if patience.is_over else reason_of(error, CONNECT_TIMEOUT_S)
            raise (NotSent if unsent else NoAnswer)(reason) from error
        finally:
            patience.end()

    async def _converse(
        self, server: str, request: Request, headers: Headers, on_piece: Callable[[], object]
    ) -> Answer:
        response = await self._sender.send(request.method, server + request.target, headers, request.body)
        on_piece()
        try:
            body = b"" if response.length == 0 else await collect_body(response, MAX_ANSWER_BYTES, on_piece)
        except BodyTooLong as error:
            raise EndlessAnswer(f"the answer is longer than {MAX_ANSWER_BYTES} bytes") from error
        return Answer(server, response.code, response.headers, body)

    def close(self) -> Deferred[None]:
        """Close the idle connections. Returns a Deferred that fires when they are closed."""
        if self._pool is None:
            return succeed(None)
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed


class _Patience:
    """How long one request is waited for: not beyond its time limit, and not while nothing of the answer comes."""

    def __init__(self, reactor: IReactorTime, limit_s: float, silence_s: float) -> None:
        self._reactor = reactor
        self._limit_s = limit_s
        self._silence_s = silence_s
        self._until = reactor.seconds() + limit_s
        self._timer: IDelayedCall | None = None
        self._has_heard = False
        self._heard_at = reactor.seconds()

    @property
    def is_over(self) -> bool:
        """Whether it is this that has ended the request."""
        return self._timer is not None and not self._timer.active()

    def begin(self, give_up: Callable[[], object]) -> None:
        """Call ``give_up`` when the time is over."""
        self._timer = self._reactor.callLater(self._remaining_s(), give_up)

    def hear(self) -> None:
        """Take note that a piece of the answer has come."""
        self._has_heard, self._heard_at = True, self._reactor.seconds()
        if self._timer is not None and self._timer.active():
            self._timer.reset(self._remaining_s())

    def end(self) -> None:
        """Wait no longer."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def reason(self, unsent: bool) -> str:
        """Return what there was too little time for. ``unsent``: whether there was no connection yet."""
        if not self._has_heard:
            return f"no {'connection' if unsent else 'answer'} within {min(self._limit_s, self._silence_s):.3g} s"
        if self._heard_at + self._silence_s < self._until:
            return f"nothing more of the answer came for {self._silence_s:.3g} s"
        return f"no complete answer within {self._limit_s:.3g} s"

    def _remaining_s(self) -> float:
        return max(0.0, min(self._heard_at + self._silence_s, self._until) - self._reactor.seconds())


def _make_pool(reactor: IReactorTime) -> Any:
    pool = _twisted_web.HTTPConnectionPool(reactor, persistent=True)
    pool.maxPersistentPerHost = CONNECTIONS_PER_SERVER
    pool.cachedConnectionTimeout = IDLE_CONNECTION_S
    # Its own retries would repeat a DELETE whose answer was lost, and hide from us which server failed.
    pool.retryAutomatically = False
    return pool


def _headers(request: Request, token: str) -> Headers:
    headers = Headers({"User-Agent": [f"minicloud-client/{__version__}"]})
    try:
        for name, value in request.headers:
            headers.addRawHeader(name, value)
        if token:
            headers.addRawHeader("Authorization", f"Bearer {token}")
    except UnicodeError as error:
        raise NotSent(f"the request cannot be made, a header or the token is no text: {error}") from error
    return headers
