"""One connection between two nodes: the handshake, then messages, then the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IProtocol, IReactorTime, ISSLTransport, ITCPTransport
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from minicloud.peer.handshake import (
    AcceptorHandshake,
    Cause,
    CertificateNames,
    Complete,
    DiallerHandshake,
    Failed,
    Step,
)
from minicloud.peer.identity import RemotePeer
from minicloud.peer.lines import LineProtocol
from minicloud.peer.tls import certificate_names
from minicloud.raft.messages import Message
from minicloud.wire.errors import WireError
from minicloud.wire.handshake import HandshakeMessage, decode_handshake, encode_handshake
from minicloud.wire.limits import MAX_HANDSHAKE_LINE_BYTES, MAX_LINE_BYTES
from minicloud.wire.messages import decode_message

HANDSHAKE_DEADLINE_S = 5.0
"""From the connection to the last line of the handshake, however busily the other side sends. Four lines: even over a
slow link and from a busy machine they take well below a second."""

CLOSE_DEADLINE_S = 1.0
"""How long the last lines may take to leave before the connection is cut: the other side may have stopped reading."""

KEEP_ALIVE_INTERVAL_S = 1.0
"""Both sides of a link send an empty line this often, so that a connection whose other end is gone without a word
(power, cable, a firewall that forgot) is told from one that has nothing to say."""

MAX_SILENT_INTERVALS = 5
"""Intervals without a byte after which the other end is taken for gone. They are counted, not measured: a node that was
stopped for a minute itself counts one. TCP alone would need many minutes."""

_KEEP_ALIVE = b""

Handshake = DiallerHandshake | AcceptorHandshake
Deliver = Callable[[str, Message], None]


class LinkOwner(Protocol):
    """Who has the links. Called by them; each link is opened first, and closed last."""

    def opened(self, link: Link) -> None:
        """Take note of a connection whose handshake begins."""

    def established(self, link: Link) -> None:
        """Take note of a link whose ``remote`` has proved who it is; set its ``is_member`` and ``deliver``."""

    def failed(self, link: Link, failed: Failed) -> None:
        """Take note that the link closes because of the other side."""

    def closed(self, link: Link) -> None:
        """Take note that the connection is gone."""


class LinkClosed(Exception):
    """The connection closed before the handshake was complete."""

    def __init__(self, reason: str, is_explained: bool) -> None:
        """Give the reason, and whether it was us who closed it, after having told the owner why."""
        super().__init__(reason)
        self.is_explained = is_explained


class Link(LineProtocol):
    """Made by one side for each connection."""

    def __init__(
        self,
        owner: LinkOwner,
        clock: IReactorTime,
        begin: Callable[[CertificateNames], Handshake],
        dialled_id: str = "",
    ) -> None:
        """Prepare for a connection.

        Args:
            owner: see there.
            clock: for deadlines.
            begin: makes the handshake when the connection is there.
            dialled_id: node id of the peer that this side dials; empty where the other side dialled.
        """
        super().__init__(MAX_HANDSHAKE_LINE_BYTES, self._take_handshake_line, self._take_oversize)
        self.dialled_id = dialled_id
        self.remote: RemotePeer | None = None
        """The other side, once the handshake is complete."""
        self.is_member = False
        """Whether the other side is a member of our configuration. Set by the owner."""
        self.deliver: Deliver = _ignore
        """Called with the sender's id and each message."""
        self.session: IProtocol | None = None
        """Told of the end of the connection, after the owner."""
        self._owner = owner
        self._clock = clock
        self._begin = begin
        self._handshake: Handshake | None = None
        self._cut_off: IDelayedCall | None = None
        """Cuts the connection when the handshake, or closing, takes too long."""
        self._waiting: Deferred[None] | None = None
        self._sender = ""
        self._silent_intervals = 0
        self._is_closing = False

    @property
    def is_up(self) -> bool:
        """Whether messages can be sent."""
        return self.remote is not None and not self._is_closing

    @property
    def claimed_id(self) -> str:
        """Who an accepted peer says it is, true or not; empty until it has said so."""
        if isinstance(self._handshake, AcceptorHandshake):
            return self._handshake.claimed_id
        return self._sender

    @property
    def who(self) -> str:
        """The other side, for the log."""
        peer = self._connection.getPeer()
        address = f"{getattr(peer, 'host', peer)}:{getattr(peer, 'port', '')}"
        if self.dialled_id:
            return f"node {self.dialled_id} at {address}"
        return f"a node that calls itself {self.claimed_id}, at {address}" if self.claimed_id else address

    @property
    def how(self) -> str:
        """Which way the connection was opened, for the log."""
        return "dialled by us" if self.dialled_id else "dialled by it"

    def when_established(self) -> Deferred[None]:
        """Return a Deferred for the end of the handshake; fails with LinkClosed. Cancelling it cuts the connection.

        To be asked once.
        """
        waiting: Deferred[None] = Deferred(lambda _: self.cut())
        self._waiting = waiting
        if self.remote is not None:
            self._settle()
        elif not self.connected:
            self._settle(LinkClosed("closed at once", self._is_closing))
        return waiting

    def keep_alive(self) -> None:
        """Do what is to be done every KEEP_ALIVE_INTERVAL_S on an established link."""
        self._silent_intervals = 0 if self.has_received else self._silent_intervals + 1
        self.has_received = False
        if self._silent_intervals >= MAX_SILENT_INTERVALS:
            silence_s = MAX_SILENT_INTERVALS * KEEP_ALIVE_INTERVAL_S
            self.fail(Failed(Cause.SILENT, f"not a byte from it for {silence_s:.0f} s", remote=self.remote))
        elif not self.is_paused:
            self.send_line(_KEEP_ALIVE)

    def fail(self, failed: Failed) -> None:
        """Close because of the other side."""
        if self._is_closing:
            return
        self._owner.failed(self, failed)
        if failed.line is None:
            self.cut()
        else:
            self._say(failed.line)
            self.close()

    def close(self) -> None:
        """Close once the lines that the transport has are sent, or CLOSE_DEADLINE_S has passed. Reading ends now."""
        if self._is_closing:
            return
        self._begin_closing()
        self._set_cut_off(CLOSE_DEADLINE_S, self.cut)
        self._connection.loseConnection()

    def cut(self) -> None:
        """Close now."""
        self._begin_closing()
        self._connection.abortConnection()

    # The transport calls

    def connectionMade(self) -> None:
        """Begin the handshake."""
        super().connectionMade()
        _set_options(self.transport)
        self._set_cut_off(HANDSHAKE_DEADLINE_S, self._take_too_long)
        self._owner.opened(self)
        handshake = self._handshake = self._begin(self._certificate_names)
        if isinstance(handshake, DiallerHandshake):
            self._say(handshake.hello)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Take note of the end, whoever brought it about."""
        super().connectionLost(reason)
        closed = LinkClosed(f"closed in the handshake ({reason.getErrorMessage()})", self._is_closing)
        self.connected = 0
        self._is_closing = True
        self._clear_cut_off()
        try:
            self._owner.closed(self)
        finally:
            # Whatever became of that: who is not told here would never dial again.
            self._settle(closed)
            if self.session is not None:
                self.session.connectionLost(reason)

    # Lines

    def _take_handshake_line(self, line: bytes) -> None:
        assert self._handshake is not None
        try:
            message = decode_handshake(line)
        except WireError as error:
            self.fail(Failed(Cause.BAD_LINE, str(error)))
        else:
            self._act(self._handshake.receive(message))

    def _take_message_line(self, line: bytes) -> None:
        """The path of everything that consensus says: kept as short as it can be."""
        if line:
            try:
                message = decode_message(line)
            except WireError as error:
                self.fail(Failed(Cause.BAD_LINE, str(error), remote=self.remote))
                return
            self.deliver(self._sender, message)

    def _take_oversize(self, size_bytes: int) -> None:
        detail = f"a line of {size_bytes} bytes or more, {self.limit_bytes} are allowed"
        self.fail(Failed(Cause.BAD_LINE, detail, remote=self.remote))

    def _take_too_long(self) -> None:
        self.fail(Failed(Cause.TOO_SLOW, f"no handshake within {HANDSHAKE_DEADLINE_S:.0f} s"))

    def _act(self, step: Step) -> None:
        if isinstance(step, Failed):
            self.fail(step)
            return
        if step.line is not None:
            self._say(step.line)
        if isinstance(step, Complete):
            self._establish(step.remote)

    def _establish(self, remote: RemotePeer) -> None:
        self._clear_cut_off()
        self._handshake = None
        self.remote = remote
        self._sender = remote.node_id
        self.limit_bytes = MAX_LINE_BYTES
        self.on_line = self._take_message_line
        self.send_lines_with_care()
        self._owner.established(self)
        self._settle()

    def _say(self, line: HandshakeMessage) -> None:
        self.send_line(encode_handshake(line))

    # The end

    def _begin_closing(self) -> None:
        self._is_closing = True
        self.stop_reading()
        if self.remote is not None:
            self.stop_sending()

    def _settle(self, error: LinkClosed | None = None) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None and not waiting.called:
            if error is None:
                waiting.callback(None)
            else:
                waiting.errback(error)

    def _set_cut_off(self, delay_s: float, cut: Callable[[], None]) -> None:
        self._clear_cut_off()
        self._cut_off = self._clock.callLater(delay_s, cut)

    def _clear_cut_off(self) -> None:
        if self._cut_off is not None and self._cut_off.active():
            self._cut_off.cancel()
        self._cut_off = None

    def _certificate_names(self) -> frozenset[str] | None:
        if not ISSLTransport.providedBy(self.transport):
            return None
        return certificate_names(self._connection.getPeerCertificate())


def _ignore(sender: str, message: Message) -> None:
    """Drop a message: nobody has said yet where messages go."""


def _set_options(transport: object) -> None:
    if ITCPTransport.providedBy(transport):
        # A heartbeat must not wait for the acknowledgement of the line before it (RFC 896).
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
