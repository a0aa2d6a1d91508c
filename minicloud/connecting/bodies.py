"""Bodies: those of requests written at once, those of answers collected whole, up to a bound, or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer


class BodyTooLong(Exception):
    """The body of an answer is longer than whoever asked takes."""


class BodyCutShort(CancelledError):
    """Whoever asked gave up while the answer's body was on its way."""


def collect_body(response: IResponse, max_bytes: int, on_piece: Callable[[], object] = lambda: None) -> Deferred[bytes]:
    """Return the body of an answer, of at most ``max_bytes`` bytes; ``on_piece`` is called whenever a piece has come.

    Fails with BodyTooLong; with BodyCutShort where the Deferred was cancelled; and with what Twisted's HTTP client says of a
    body that ends before its time. A body that is not read to its end takes its connection with it: what is left of it must
    not be mistaken for the next answer.
    """
    collector: _Collector

    def give_up(collected: Deferred[bytes]) -> None:
        collected.errback(BodyCutShort())
        collector.cut()

    collected: Deferred[bytes] = Deferred(give_up)
    collector = _Collector(collected, max_bytes, on_piece)
    cast(Any, response).deliverBody(collector)
    return collected


def refuse_body(response: IResponse) -> None:
    """Close the connection under the body of an answer that nobody is going to read."""
    unread = collect_body(response, 0)
    unread.addErrback(lambda _: None)
    unread.cancel()


@implementer(IBodyProducer)
class WholeBody:
    """A request's body that is in memory: handed to the transport at once, so that no other scheduler is needed than its own."""

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


class _Collector(Protocol):
    """Collects a body."""

    def __init__(self, collected: Deferred[bytes], max_bytes: int, on_piece: Callable[[], object]) -> None:
        self._collected = collected
        self._max_bytes = max_bytes
        self._on_piece = on_piece
        self._chunks: list[bytes] = []
        self._received_bytes = 0

    def dataReceived(self, data: bytes) -> None:
        """Take a piece."""
        self._received_bytes += len(data)
        if self._received_bytes <= self._max_bytes:
            self._chunks.append(data)
            self._on_piece()
            return
        self._chunks.clear()
        if not self._collected.called:
            self._collected.errback(BodyTooLong())
        self.cut()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Take the end of the body, or of the connection."""
        if self._collected.called:
            return
        if isinstance(reason.value, ResponseDone):
            self._collected.callback(b"".join(self._chunks))
        else:
            self._collected.errback(reason)

    def cut(self) -> None:
        """Close the connection, if it is still open."""
        transport: Any = self.transport
        # A body that came with its head had no transport of its own to be cut.
        close = getattr(transport, "abortConnection", None) or getattr(transport, "loseConnection", None)
        if close is not None:
            close()
