"""One client connection: deadlines, malformed requests, requests that are refused before their body is read."""

from __future__ import annotations

import enum
import math
from typing import TYPE_CHECKING

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from minicloud.web.limits import (
    BODY_DEADLINE_S,
    CLOSE_DEADLINE_S,
    DRAIN_DEADLINE_S,
    DRAIN_LIMIT_BYTES,
    HEADER_DEADLINE_S,
    IDLE_DEADLINE_S,
    MAX_LENGTH_DIGITS,
    STREAM_CLOSE_DEADLINE_S,
)
from minicloud.web.problems import Problem, bad_request
from minicloud.web.request import Request
from minicloud.web.twisted_types import HTTPChannel

if TYPE_CHECKING:
    from minicloud.web.site import MinicloudSite

_PERCENT_ENCODED = {byte: b"%%%02X" % byte for byte in range(0x80, 0x100)}


class Phase(enum.Enum):
    """What a connection is waiting for."""

    IDLE = "idle"
    """The first byte of a request."""
    HEADER = "header"
    """The end of a header."""
    BODY = "body"
    """The end of a body."""
    ANSWERING = "answering"
    """Our own answer: no deadline of the connection's."""
    STREAMING = "streaming"
    """Our own answer, which goes on until the connection ends; what the client sends meanwhile is thrown away."""
    DRAINING = "draining"
    """The answer is out, ahead of a body that nobody wants; it is thrown away."""
    CLOSING = "closing"
    """Until everything is sent."""


class Channel(HTTPChannel):
    """HTTP/1.1 as twisted.web parses it, with absolute deadlines in the place of its idle timer.

    ``deadline`` is looked at by the site's sweep: setting an attribute is all that a request costs.
    """

    site: MinicloudSite
    requests: list[Request]
    deadline: float = math.inf
    phase: Phase = Phase.IDLE
    _at_request_line: bool = True
    _drained_bytes: int = 0
    _peer: IAddress | None = None
    _host: IAddress | None = None

    def connectionMade(self) -> None:
        """Start to count."""
        super().connectionMade()
        self._wait(Phase.IDLE, IDLE_DEADLINE_S)

    def _wait(self, phase: Phase, seconds: float) -> None:
        self.phase = phase
        self.deadline = self.site.now() + seconds

    def getPeer(self) -> IAddress:
        """Return the client's address, asked for once: the stock request asks for both ends of every request."""
        if self._peer is None:
            self._peer = super().getPeer()
        return self._peer

    def getHost(self) -> IAddress:
        """Return our address, asked for once: it is a system call."""
        if self._host is None:
            self._host = super().getHost()
        return self._host

    # Receiving

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the client."""
        if self.phase is Phase.IDLE:
            self._wait(Phase.HEADER, HEADER_DEADLINE_S)
        elif self.phase is Phase.CLOSING:
            return
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a header."""
        if self._at_request_line and line:
            self._at_request_line = False
            if not line.isascii():
                # Some clients (curl) send a key in raw UTF-8; twisted.web refuses most of those bytes.
                line = b"".join(_PERCENT_ENCODED.get(byte) or b"%c" % byte for byte in line)
        super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a header line that has no end."""
        self.reject(self._header_too_large())

    def _header_too_large(self) -> Problem:
        limits = f"{self.totalHeadersSize} bytes and {self.maxHeaders} lines"
        return Problem(431, "header_too_large", "Header too large", f"A header has at most {limits} here.")

    def _maybeChooseTransferDecoder(self, header: bytes, data: bytes) -> bool:
        """Refuse a length that no number of bytes has, before Twisted makes a number of it: Python's int refuses loudly."""
        if header == b"Content-Length" and len(data) > MAX_LENGTH_DIGITS:
            self._respondToBadRequestAndDisconnect()
            return False
        return super()._maybeChooseTransferDecoder(header, data)

    def allHeadersReceived(self) -> None:
        """Decide on a request before its body is read."""
        request = self.requests[-1]
        version: bytes = self._version
        self.persistent = not self.site.stopping and self._client_keeps_alive(request, version)
        request.admit(self._command, self._path, version, self.length)
        if self.length == 0:
            return
        if request.refusal is not None:
            self.refuse(request)
            return
        self._wait(Phase.BODY, BODY_DEADLINE_S)
        if version == b"HTTP/1.1" and self._expects_continue(request):
            self._send100Continue()

    def _client_keeps_alive(self, request: Request, version: bytes) -> bool:
        values = request.requestHeaders.getRawHeaders(b"Connection")
        if version != b"HTTP/1.1":
            return False
        return values is None or not any(
            token.strip().lower() == b"close" for value in values for token in value.split(b",")
        )

    def _expects_continue(self, request: Request) -> bool:
        expectations = request.headers.get(b"Expect")
        return expectations is not None and expectations[0].lower() == b"100-continue"

    def rawDataReceived(self, data: bytes) -> None:
        """Take a piece of a body, or keep what is pipelined behind the request that is being answered."""
        if self.phase in (Phase.DRAINING, Phase.STREAMING):
            self._drained_bytes += len(data)
            if self._drained_bytes > DRAIN_LIMIT_BYTES:
                self._close()
                return
        if self.phase is not Phase.STREAMING:
            super().rawDataReceived(data)

    def allContentReceived(self) -> None:
        """Hand a complete request on, or end the draining of a refused one."""
        if self.phase is Phase.DRAINING:
            self._close()
            return
        self.phase = Phase.ANSWERING
        self.deadline = math.inf
        self._at_request_line = True
        super().allContentReceived()

    # Answering

    def refuse(self, request: Request) -> None:
        """Answer ahead of the body, then throw the body away and close: what follows it is of no use either."""
        assert request.refusal is not None
        body_is_coming = self.phase is Phase.BODY or not self._expects_continue(request)
        self.persistent = False
        self._wait(Phase.DRAINING, DRAIN_DEADLINE_S)
        request.send(request.refusal.answer())
        if not body_is_coming:
            self._close()  # the client waits for leave to send it, and never will

    def go_on(self) -> None:
        """Take note that the answer goes on: its end will be the end of the connection."""
        self.phase = Phase.STREAMING
        self.persistent = False

    def requestDone(self, request: Request) -> None:
        """Go on to the next request; called by the request when its answer is out."""
        if self.phase is Phase.DRAINING:
            self.requests.remove(request)
            return
        if self.persistent and not self.site.stopping:
            self._wait(Phase.IDLE, IDLE_DEADLINE_S)
        else:
            self.persistent = False
            self._wait(Phase.CLOSING, STREAM_CLOSE_DEADLINE_S if self.phase is Phase.STREAMING else CLOSE_DEADLINE_S)
        super().requestDone(request)

    def reject(self, problem: Problem) -> None:
        """Answer bytes that are no request, and close."""
        if self.phase is not Phase.DRAINING:
            self.write(self.site.bare_answer(problem))
        self._close()

    def _respondToBadRequestAndDisconnect(self) -> None:
        if self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount > self.maxHeaders:
            self.reject(self._header_too_large())
        else:
            self.reject(
                bad_request("bad_request", "Bad request", "This is no well-formed HTTP/1.1 request (RFC 9112).")
            )

    def _close(self) -> None:
        self._wait(Phase.CLOSING, CLOSE_DEADLINE_S)
        self.loseConnection()

    # Deadlines and the end

    def expire(self) -> None:
        """Act on a deadline that has passed."""
        if self.phase is Phase.CLOSING:
            self.transport.abortConnection()
        elif self.phase in (Phase.HEADER, Phase.BODY):
            self.reject(
                Problem(
                    408, "request_timeout", "Request timeout", "The request took too long to arrive.", retryable=True
                )
            )
        else:
            self._close()

    def stop(self) -> None:
        """Close after the answer to the request that is here or on its way. One that goes on ends now."""
        if self.phase not in (
            Phase.IDLE,
            Phase.HEADER,
        ):  # those decide when the header is there; twisted.web would drop it
            self.persistent = False
        if self.phase is Phase.STREAMING and (stream := self.requests[0].stream) is not None:
            stream.end()

    def close_if_idle(self) -> None:
        """Close now if nothing is going on."""
        if self.phase is Phase.IDLE:
            self._close()

    def pauseProducing(self) -> None:
        """Stop parsing while the client does not read: each pipelined request could be answered with a whole value."""
        super().pauseProducing()
        if self.phase is Phase.STREAMING:
            return  # nothing behind it is answered; and that the client hangs up is to be noticed
        self.paused = True
        self._networkProducer.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on with what was pipelined."""
        super().resumeProducing()
        if self.paused:
            self.paused = False
            super().dataReceived(b"")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget the connection."""
        super().connectionLost(reason)
        self.site.channel_closed(self)
