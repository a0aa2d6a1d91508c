"""TLS connections that are there once the handshake is done: before that, nothing of a request is given to them.

Twisted's own ``wrapClientTLS`` hands a connection over as soon as TCP has it. A request is then written ahead of the handshake,
and when that fails nobody can tell whether the server has seen anything.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn, cast

from attrs import frozen
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import IAddress, IHandshakeListener, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from minicloud.connecting.failures import HandshakeFailed

HANDSHAKE_TIMEOUT_S: Final = 5.0
"""How long the handshake may take once there is a connection: a few round trips, and a node whose disk makes it wait. The half
of the usual time limit for a request, so that another server has its turn after one that stays silent."""


@implementer(IStreamClientEndpoint)
@frozen
class TlsEndpoint:
    """Where to connect to over TLS.

    Fails as ``plain`` does while there is no connection, with HandshakeFailed afterwards, and with ConnectingCancelledError
    for whoever gives up.
    """

    reactor: Any
    """Tells the time."""
    plain: IStreamClientEndpoint
    """Where to connect to."""
    connections: Any
    """Makes the TLS side of a connection, and says which servers are trusted (``IOpenSSLClientConnectionCreator``)."""

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, and shake hands."""
        factory = TLSMemoryBIOFactory(self.connections, True, _Greetings(protocolFactory), clock=self.reactor)
        connected: Deferred[Any] = self.plain.connect(cast(IProtocolFactory, factory))
        return connected.addCallback(self._shake_hands)

    def _shake_hands(self, tls: Any) -> Deferred[IProtocol]:
        shaken: Deferred[IProtocol] = tls.wrappedProtocol.shaken
        return shaken.addTimeout(HANDSHAKE_TIMEOUT_S, self.reactor, _too_slow)


class _Greetings(Factory):
    """Makes a greeting for each protocol that a connection is for."""

    noisy = False

    def __init__(self, behind: IProtocolFactory) -> None:
        self._behind = behind

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return a greeting. An HTTP client wants every connection that it has asked for: there is a protocol."""
        return _Greeting(cast(IProtocol, self._behind.buildProtocol(cast(IAddress, addr))))


@implementer(IHandshakeListener)
class _Greeting(Protocol):
    """Stands in for a protocol until the handshake is done, and passes on to it what comes after that."""

    def __init__(self, protocol: IProtocol) -> None:
        self._protocol = protocol
        self.shaken: Deferred[IProtocol] = Deferred(self._give_up)
        self._is_done = False

    def handshakeCompleted(self) -> None:
        """Give the connection to the protocol."""
        self._is_done = True
        self._protocol.makeConnection(cast(Any, self.transport))
        self.shaken.callback(self._protocol)

    def dataReceived(self, data: bytes) -> None:
        """Pass it on."""
        self._protocol.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Pass it on, or take it for the end of the handshake."""
        if self._is_done:
            self._protocol.connectionLost(reason)
        elif not self.shaken.called:
            self.shaken.errback(HandshakeFailed(why_it_failed(reason.value)))

    def _give_up(self, shaken: Deferred[IProtocol]) -> None:
        transport: Any = self.transport
        shaken.errback(ConnectingCancelledError(transport.getPeer()))
        transport.abortConnection()


def _too_slow(_outcome: object, timeout_s: float) -> NoReturn:
    raise HandshakeFailed(_no_tls(f"nothing within {timeout_s:g} s"))


def why_it_failed(error: BaseException | None) -> str:
    """Return in a few words why a handshake came to nothing."""
    if isinstance(error, VerificationError):
        return "its TLS certificate is for other names, not for this host (use one of them, or another certificate)"
    words = _words(error)
    if "certificate verify failed" in words:
        return (
            "its TLS certificate is not to be trusted "
            "(the file of your own authority is named by SSL_CERT_FILE for cloudctl, by tls: ca for a node)"
        )
    if " alert " in words:
        return f"it refused the TLS handshake ({words})"
    return _no_tls(words)


def _no_tls(words: str) -> str:
    return f"no TLS there ({words}); check https:// and the port of the address"


def _words(error: BaseException | None) -> str:
    """Return what an error says; of OpenSSL's, which say much about themselves, what is meant for people."""
    if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list) and error.args[0]:
        return str(error.args[0][-1][-1])
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
