"""Lines over a byte stream: bounded both ways, and linear in the number of bytes however they arrive."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

MAX_UNSENT_BYTES = 16 * 1024 * 1024
"""Lines that wait for a slow peer, in bytes: above what consensus keeps in flight to one follower (8 MiB), so that a
link in order never refuses one. Past it, messages are lost rather than kept; one line more may be on top of it."""

NEWLINE = b"\n"


@implementer(IPushProducer)
class LineProtocol(Protocol):
    """Cuts what arrives into lines, and sends lines as fast as the other side takes them, but keeps few of them.

    A transport that has enough bytes to send pauses this protocol (IPushProducer); from then on lines wait here, where
    they are counted.
    """

    def __init__(self, limit_bytes: int, on_line: Callable[[bytes], None], on_oversize: Callable[[int], None]) -> None:
        """Prepare for a connection.

        Args:
            limit_bytes: longest line accepted, without its newline. May be changed at any time through the attribute.
            on_line: called with each line, without its newline. May be changed too.
            on_oversize: called instead, once, with a number of bytes that exceeds the limit; nothing is read after it.
        """
        self.limit_bytes = limit_bytes
        self.on_line = on_line
        self.on_oversize = on_oversize
        self.has_received = False
        """Whether any byte arrived since somebody last set this to False."""
        self._partial = bytearray()
        """The beginning of a line whose newline has not arrived."""
        self._is_deaf = False
        self._is_producer = False
        self._is_paused = False
        self._unsent: deque[bytes] = deque()
        self._unsent_bytes = 0

    def connectionMade(self) -> None:
        """Begin."""
        # Which interfaces a transport has depends on what it is; that it can do what is asked of it here, all have.
        self._connection: Any = self.transport

    # Receiving

    def dataReceived(self, data: bytes) -> None:
        """Take bytes from the transport."""
        self.has_received = True
        *lines, rest = data.split(NEWLINE)
        if lines and self._partial:
            self._partial += lines[0]
            lines[0] = bytes(self._partial)
            self._partial = bytearray()
        for line in lines:
            if self._is_deaf:
                return
            if len(line) > self.limit_bytes:
                self._refuse(len(line))
                return
            self.on_line(line)
        if rest and not self._is_deaf:
            self._keep(rest)

    def stop_reading(self) -> None:
        """Ignore whatever arrives from now on."""
        self._is_deaf = True
        self._partial = bytearray()

    def _keep(self, rest: bytes) -> None:
        self._partial += rest
        if len(self._partial) > self.limit_bytes:
            self._refuse(len(self._partial))

    def _refuse(self, size_bytes: int) -> None:
        self.stop_reading()
        self.on_oversize(size_bytes)

    # Sending

    def send_lines_with_care(self) -> None:
        """Have the transport tell from now on when it has enough to send."""
        self._connection.registerProducer(self, True)
        self._is_producer = True

    def stop_sending(self) -> None:
        """Drop what waits here; what the transport has already is still sent. Needed before the transport may close."""
        self._drop_unsent()
        if self._is_producer:
            self._is_producer = self._is_paused = False
            self._connection.unregisterProducer()

    @property
    def has_room(self) -> bool:
        """Whether another line may be sent."""
        return self._unsent_bytes <= MAX_UNSENT_BYTES

    @property
    def is_paused(self) -> bool:
        """Whether the transport has enough to send."""
        return self._is_paused

    def send_line(self, line: bytes) -> None:
        """Send a line, given without its newline. The caller has seen that it ``has_room``."""
        if self._is_paused:
            self._unsent.append(line)
            self._unsent_bytes += len(line)
        else:
            self._connection.write(line + NEWLINE)

    def pauseProducing(self) -> None:
        """Keep lines back (IPushProducer)."""
        self._is_paused = True

    def resumeProducing(self) -> None:
        """Send what was kept back, until it is enough again (IPushProducer)."""
        self._is_paused = False
        while self._unsent and not self._is_paused:
            line = self._unsent.popleft()
            self._unsent_bytes -= len(line)
            self._connection.write(line + NEWLINE)

    def stopProducing(self) -> None:
        """Drop what was kept back: the connection is gone (IPushProducer)."""
        self._drop_unsent()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Forget everything."""
        self.stop_reading()
        self._drop_unsent()

    def _drop_unsent(self) -> None:
        self._unsent.clear()
        self._unsent_bytes = 0
