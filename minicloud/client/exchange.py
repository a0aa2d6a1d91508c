"""One request to one server and its answer, with treq; no retries, no redirects, everything bounded."""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve, frozen
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionRefusedError,
    DNSLookupError,
    UnsupportedAddressFamily,
    UserError,
)
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.python.failure import Failure
from twisted.web import client as web_client
from twisted.web._newclient import RequestNotSent
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from minicloud import __version__
from minicloud.client.errors import BadAnswer
from minicloud.connecting.bodies import BodyTooLong, collect_body
from minicloud.connecting.endpoints import HttpEndpoints

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

_NOT_SENT = (ConnectError, DNSLookupError, ConnectingCancelledError, UnsupportedAddressFamily, RequestNotSent)
"""Errors after which it is certain that the server has seen nothing of the request."""


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
        self._http = HTTPClient(agent)

    async def send(self, server: str, request: Request, token: str, limit_s: float) -> Answer:
        """Send ``request`` to ``server`` (a base URL) and return the answer, whatever its status.

        ``limit_s``: seconds until the answer must be there in full. Raises NotSent, NoAnswer; CancelledError where the
        caller gave up; BadAnswer where there is no end of the answer.
        """
        work = Deferred.fromCoroutine(self._converse(server, request, token))
        timer = self._reactor.callLater(limit_s, work.cancel)
        try:
            return await work
        except Exception as error:
            timed_out = not timer.active()
            if _is_cancellation(error) and not timed_out:
                raise CancelledError from error
            if isinstance(error, BadAnswer):
                raise
            never_sent = _never_sent(error)
            late = f"no {'connection' if never_sent else 'answer'} within {limit_s:.3g} s"
            raise (NotSent if never_sent else NoAnswer)(late if timed_out else _reason(error)) from error
        finally:
            if timer.active():
                timer.cancel()

    async def _converse(self, server: str, request: Request, token: str) -> Answer:
        headers = Headers({"User-Agent": [f"minicloud-client/{__version__}"]})
        for name, value in request.headers:
            headers.addRawHeader(name, value)
        if token:
            headers.addRawHeader("Authorization", f"Bearer {token}")
        response = await self._http.request(
            request.method,
            server + request.target,
            headers=headers,
            data=None if request.body is None else _Body(request.body),
            allow_redirects=False,
            unbuffered=True,
            reactor=cast(Any, self._reactor),
        )
        body = b"" if response.length == 0 else await _read(response, server)
        return Answer(server, response.code, response.headers, body)

    def close(self) -> Deferred[None]:
        """Close the idle connections. Returns a Deferred that fires when they are closed."""
        if self._pool is None:
            return succeed(None)
        closed: Deferred[None] = self._pool.closeCachedConnections()
        return closed


def _make_pool(reactor: IReactorTime) -> Any:
    pool = _twisted_web.HTTPConnectionPool(reactor, persistent=True)
    pool.maxPersistentPerHost = CONNECTIONS_PER_SERVER
    pool.cachedConnectionTimeout = IDLE_CONNECTION_S
    # Its own retries would repeat a DELETE whose answer was lost, and hide from us which server failed.
    pool.retryAutomatically = False
    return pool


@implementer(IBodyProducer)
class _Body:
    """A body that is in memory: handed to the transport at once, so that no other scheduler is needed than its own."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.length = len(data)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Write everything."""
        consumer.write(self._data)
        return succeed(None)

    def stopProducing(self) -> None:
        """Do nothing: everything is written already."""

    def pauseProducing(self) -> None:
        """Do nothing: everything is written already."""

    def resumeProducing(self) -> None:
        """Do nothing: everything is written already."""


async def _read(response: IResponse, server: str) -> bytes:
    try:
        return await collect_body(response, MAX_ANSWER_BYTES)
    except BodyTooLong as error:
        raise BadAnswer(server, f"the answer is longer than {MAX_ANSWER_BYTES} bytes") from error


def _causes(error: BaseException) -> list[BaseException]:
    """Return the error and, one level down, what Twisted's HTTP client wrapped in it."""
    reasons: list[Any] = list(getattr(error, "reasons", None) or ())
    return [error, *(reason.value for reason in reasons if isinstance(reason, Failure) and reason.value is not None)]


def _is_cancellation(error: BaseException) -> bool:
    return any(isinstance(cause, CancelledError | ConnectingCancelledError) for cause in _causes(error))


def _never_sent(error: BaseException) -> bool:
    # A bare CancelledError comes from the wait for a name or a connection; once sent, the HTTP client wraps it.
    unsent = isinstance(error, _NOT_SENT) or type(error) is CancelledError
    return unsent or any(_is_bad_certificate(cause) for cause in _causes(error))


def _is_bad_certificate(error: BaseException) -> bool:
    """Return whether TLS failed because we do not accept the server: then nothing of the request has left."""
    return type(error).__name__ == "VerificationError" or "certificate verify failed" in str(error)


def _reason(error: BaseException) -> str:
    """Return in a few words what went wrong on the way to a server."""
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, DNSLookupError):
        return "no such host"
    if isinstance(error, UserError):
        return f"no connection within {CONNECT_TIMEOUT_S:g} s"
    cause = _causes(error)[-1]
    if _is_bad_certificate(cause):
        return "its TLS certificate is not to be trusted (SSL_CERT_FILE names the file of your own authority)"
    if isinstance(error, ConnectError):
        return f"no connection: {_words(error)}"
    return f"the connection ended before the answer: {_words(cause)}"


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
