"""The site: all connections of the HTTP port, their deadlines, and what every answer says of this node."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IDelayedCall
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.web.http import datetimeToString

from minicloud.web.answers import STATUS_LINES
from minicloud.web.channel import Channel
from minicloud.web.face import NodeFace
from minicloud.web.gate import Gate
from minicloud.web.limits import MAX_BUFFERED_BODY_BYTES, STOP_LINGER_S, SWEEP_INTERVAL_S
from minicloud.web.problems import Problem, overloaded
from minicloud.web.request import OTHER_METHOD, Request
from minicloud.web.routing import UNMATCHED, RoutesResource
from minicloud.web.settings import WebInstruments, WebSettings
from minicloud.web.twisted_types import Site


class Refusal(Protocol):
    """A connection over the limit: told so, and closed."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def connectionMade(self) -> None:
        """Answer whatever will be asked."""
        assert self.transport is not None
        self.transport.write(self._answer)
        self.transport.loseConnection()


class MinicloudSite(Site):
    """A twisted.web site whose only resource is the Klein app."""

    events = Logger()

    def __init__(
        self,
        root: RoutesResource,
        node: NodeFace,
        settings: WebSettings,
        reactor: Any,
        instruments: WebInstruments,
        request_id_prefix: str,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(root, timeout=None, reactor=reactor, parsePOSTFormSubmission=False)
        self.protocol = Channel  # no HTTP/2, so none of the stock factory's negotiation
        self.requestFactory = Request
        self.root = root
        self.node = node
        self.settings = settings
        self.gate = Gate(settings)
        self.instruments = instruments
        self.now: Callable[[], float] = reactor.seconds
        self.body_bytes = 0
        """Bytes of request bodies in memory."""
        self.max_body_bytes = MAX_BUFFERED_BODY_BYTES
        self.stopping = False
        self.common_lines = b""
        self._wall_clock = wall_clock
        self._request_ids = (f"{request_id_prefix}-{number:x}".encode("ascii") for number in itertools.count(1))
        self._node_line = b"Minicloud-Node: %b\r\n" % node.node_id.encode("ascii")
        self._channels: dict[Channel, None] = {}
        self._sweep_call: IDelayedCall | None = None
        self._stop_waiters: list[Deferred[None]] = []
        self._warned_full = False
        self.on_start: Callable[[], object] = lambda: None
        """Called once the port is open: begins what goes on beside the requests."""
        self.on_stop: Callable[[], object] = lambda: None
        """Called when the site begins to stop: ends it."""
        self.on_shut_down: Callable[[], object] = lambda: None
        """Called once no connection is left: closes what routes hold."""

    def new_request_id(self) -> bytes:
        """Return an id for a request that brought none."""
        return next(self._request_ids)

    def identity_lines(self, revision: int | None) -> bytes:
        """Return the header lines that tell who answers, who leads, and how far this node is."""
        node = self.node
        leader = node.status().leader
        return b"%b%bMinicloud-Revision: %d\r\n" % (
            self._node_line,
            b"" if leader is None else b"Minicloud-Leader: %b\r\n" % leader.node_id.encode("ascii"),
            node.store.applied_index if revision is None else revision,
        )

    def bare_answer(self, problem: Problem) -> bytes:
        """Return a whole response, for bytes that never became a request."""
        answer = problem.answer()
        self.instruments.request_finished(OTHER_METHOD, UNMATCHED, answer.code, 0.0)
        return b"%b%b%bX-Request-ID: %b\r\nContent-Type: %b\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
            STATUS_LINES[answer.code],
            self.identity_lines(None),
            self.common_lines,
            self.new_request_id(),
            answer.content_type,
            len(answer.body),
            answer.body,
        )

    # Connections

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make the protocol of a new connection, one that refuses if there are too many."""
        if self._sweep_call is None:
            self._tick()
        if self.stopping or len(self._channels) >= self.settings.max_connections:
            return self._refuse_connection()
        channel = super().buildProtocol(addr)
        self._channels[channel] = None
        return channel

    def _refuse_connection(self) -> Refusal:
        if not self._warned_full and not self.stopping:
            self._warned_full = True
            self.events.warn("{count} connections are open, more are refused", count=len(self._channels))
        return Refusal(self.bare_answer(overloaded("Too many connections.")))

    def channel_closed(self, channel: Channel) -> None:
        """Forget a connection."""
        self._channels.pop(channel, None)
        self._warned_full = False
        if not self._channels and self._stop_waiters:
            self._finish_stop()

    def _tick(self) -> None:
        """Look at all deadlines and renew the date; goes on as long as there are connections."""
        self._sweep_call = None
        self.common_lines = b"Date: %b\r\nServer: minicloud\r\nX-Content-Type-Options: nosniff\r\n" % datetimeToString(
            self._wall_clock()
        )
        self._sweep_call = self.reactor.callLater(SWEEP_INTERVAL_S, self._tick_or_rest)  # first: no fault is to end it
        now = self.now()
        for channel in [channel for channel in self._channels if channel.deadline <= now]:
            channel.expire()

    def _tick_or_rest(self) -> None:
        self._sweep_call = None
        if self._channels:
            self._tick()

    # Life

    def shut_down(self, grace_s: float) -> Deferred[None]:
        """Let requests in flight finish for ``grace_s`` seconds, then cut them; close idle connections after a moment.
        Streams end at once.

        Returns a Deferred that fires when no connection is left. The port must have stopped listening.
        """
        self.stopping = True
        self.on_stop()
        if not self._channels:
            self._finish_stop()
            return succeed(None)
        stopped: Deferred[None] = Deferred()
        self._stop_waiters.append(stopped)
        for seconds, act in ((STOP_LINGER_S, self._close_idle), (grace_s, self._cut_all)):
            stopped.addBoth(_cancel, self.reactor.callLater(seconds, act))
        for channel in list(self._channels):
            channel.stop()
        return stopped

    def _close_idle(self) -> None:
        for channel in list(self._channels):
            channel.close_if_idle()

    def _cut_all(self) -> None:
        for channel in list(self._channels):
            channel.transport.abortConnection()

    def _finish_stop(self) -> None:
        if self._sweep_call is not None:
            self._sweep_call.cancel()
            self._sweep_call = None
        self.on_shut_down()
        waiters, self._stop_waiters = self._stop_waiters, []
        for stopped in waiters:
            stopped.callback(None)

    def startFactory(self) -> None:
        """Begin what goes on beside the requests. No access log: events are logged, requests are counted."""
        self.on_start()

    def stopFactory(self) -> None:
        """Close nothing."""

    def log(self, request: Request) -> None:
        """Write no line per request."""

    def acceptableProtocols(self) -> list[bytes]:
        """Return what we speak, for TLS."""
        return [b"http/1.1"]


def _cancel(result: None, call: IDelayedCall) -> None:
    if call.active():
        call.cancel()
