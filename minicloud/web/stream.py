"""An answer that goes on as long as its client stays, at the client's pace."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define, field
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from minicloud.web.answers import Answer

if TYPE_CHECKING:
    from minicloud.web.request import Request


@define
class StreamedAnswer(Answer):
    """An answer whose body is written bit by bit, after its head was sent."""

    begin: Callable[[Stream], None] = field(kw_only=True)
    """Called once with the way to the client; not for a HEAD, which gets the head alone."""


def send_on(request: Request, answer: StreamedAnswer) -> None:
    """Send the head of an answer that goes on, and let it begin.

    The request counts as answered now: how long somebody watches says nothing of how fast this node answers.
    """
    channel, lines = request.channel, b"Content-Type: %b\r\n" % answer.content_type
    has_body = request.method != b"HEAD"
    if has_body:
        channel.go_on()
        request.chunked = request.clientproto == b"HTTP/1.1"  # older clients know the end by the end of the connection
        lines += b"Transfer-Encoding: chunked\r\n" if request.chunked else b""
    channel.write(request.head(answer, lines))
    request.code, request.startedWriting = answer.code, 1
    request.record(answer.code)
    if not has_body:
        request.finish()
        return
    request.stream = Stream(request, request.site.now)
    request.registerProducer(request.stream, True)
    answer.begin(request.stream)


def _nothing() -> None:
    """Do nothing."""


@implementer(IPushProducer)
class Stream:
    """The way to one client.

    Whoever writes looks at ``paused_s`` first: what is written while the client does not read piles up in memory.
    """

    def __init__(self, request: Request, now: Callable[[], float]) -> None:
        self._request = request
        self._now = now
        self._paused_at: float | None = None
        self._is_over = False
        self.on_room: Callable[[], object] = _nothing
        """Called when the client reads again."""
        self.on_end: Callable[[], object] = _nothing
        """Called once when nothing more can be written, whoever ended it."""

    @property
    def paused_s(self) -> float | None:
        """For how many seconds the client has read nothing while its buffers are full; None while there is room."""
        return None if self._paused_at is None else self._now() - self._paused_at

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        assert not self._is_over, "who writes is told of the end"
        self._request.write(data)

    def end(self) -> None:
        """End the answer in good order; or at once, where the client would have to read for that and does not."""
        if self._paused_at is not None:
            self.cut()
        elif not self._is_over:
            self.lost()
            self._request.unregisterProducer()
            self._request.finish()

    def cut(self) -> None:
        """Cut the connection, and throw away what is still on its way."""
        if not self._is_over:
            self.lost()
            self._request.channel.transport.abortConnection()

    def lost(self) -> None:
        """Take note that nobody is there any more."""
        if not self._is_over:
            self._is_over = True
            self.on_end()

    # From the transport

    def pauseProducing(self) -> None:
        """Take note that the client does not read."""
        if self._paused_at is None:
            self._paused_at = self._now()

    def resumeProducing(self) -> None:
        """Go on: there is room again."""
        self._paused_at = None
        if not self._is_over:
            self.on_room()

    def stopProducing(self) -> None:
        """Stop for good: the connection is gone."""
        self.lost()
