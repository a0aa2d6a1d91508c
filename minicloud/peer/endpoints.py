"""Where connections come from: TCP, with or without TLS, or whatever a test puts in its place."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP4ServerEndpoint,
    TCP6ClientEndpoint,
    TCP6ServerEndpoint,
    wrapClientTLS,
)
from twisted.internet.error import CannotListenError, DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IListeningPort,
    IProtocolFactory,
    IResolutionReceiver,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

from minicloud.addresses import Address, parse_address
from minicloud.connecting.endpoints import AnyNameEndpoint
from minicloud.peer.tls import PeerConnections, PeerTls

CONNECT_TIMEOUT_S = 2.0
"""How long to wait for a connection: several round trips around the world. A peer behind a network that swallowed
packets is found again this long, and one pause between attempts, after the network is back."""


class Endpoints(Protocol):
    """How to reach a peer, and how to be reached."""

    def client(self, raft_addr: str) -> IStreamClientEndpoint:
        """Return where to connect to a peer of that address, ``host:port``."""

    def listen(self, raft_addr: str, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Accept connections at that address of ours; fails with CannotListenError or DNSLookupError."""


class TcpEndpoints:
    """Connections over IPv4 and IPv6, by address or host name."""

    def __init__(self, reactor: Any, tls: PeerTls | None = None) -> None:
        """Prepare for connections.

        Args:
            reactor: provides TCP, time, and name resolution.
            tls: files for mutual TLS; None where connections go as they are.

        Raises:
            PeerTlsError: one of the files cannot be used.
        """
        self._reactor = reactor
        self._tls: PeerConnections | None = tls.load() if tls is not None else None

    def client(self, raft_addr: str) -> IStreamClientEndpoint:
        """Return where to connect to a peer of that address, ``host:port``."""
        address = parse_address(raft_addr)
        plain = self._plain_client(address)
        return plain if self._tls is None else wrapClientTLS(self._tls, plain, clock=self._reactor)

    @inlineCallbacks
    def listen(self, raft_addr: str, factory: IProtocolFactory) -> Any:
        """Accept connections at that address of ours; fails with CannotListenError or DNSLookupError.

        A host name stands for the first of its addresses, as the system gives them, that is ours to listen on. With an
        IP address it is done when this returns.
        """
        address = parse_address(raft_addr)
        acceptor = factory if self._tls is None else _TlsAcceptor(self._tls, False, factory, self._reactor)
        ips = [address.host] if _is_ip(address.host) else (yield self._resolve(address))
        for ip in ips:
            try:
                port = yield self._server(ip, address.port).listen(acceptor)
            except CannotListenError:
                if ip == ips[-1]:
                    raise
            else:
                return port
        raise DNSLookupError(f"{address.host} has no address")

    def _plain_client(self, address: Address) -> IStreamClientEndpoint:
        # An address needs no thread that resolves it.
        if not _is_ip(address.host):
            return AnyNameEndpoint(self._reactor, address.host, address.port, timeout=CONNECT_TIMEOUT_S)
        endpoint = TCP6ClientEndpoint if ":" in address.host else TCP4ClientEndpoint
        return endpoint(self._reactor, address.host, address.port, timeout=CONNECT_TIMEOUT_S)

    def _server(self, ip: str, port: int) -> IStreamServerEndpoint:
        endpoint = TCP6ServerEndpoint if ":" in ip else TCP4ServerEndpoint
        return endpoint(self._reactor, port, interface=ip)

    def _resolve(self, address: Address) -> Deferred[Sequence[str]]:
        receiver = _Addresses()
        self._reactor.nameResolver.resolveHostName(receiver, address.host, address.port)
        return receiver.found


class _TlsAcceptor(TLSMemoryBIOFactory):
    """Leaves it to the factory behind it to accept a connection or not."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Return a protocol, or None where the other factory makes none."""
        behind = self.wrappedFactory.buildProtocol(addr)
        return self.protocol(self, behind) if behind is not None else None


@implementer(IResolutionReceiver)
class _Addresses:
    """Collects what a host name resolves to."""

    def __init__(self) -> None:
        self.found: Deferred[Sequence[str]] = Deferred()
        self._ips: list[str] = []

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        """Expect addresses."""

    def addressResolved(self, address: IAddress) -> None:
        """Take one, of IPv4 or IPv6."""
        host: Any = getattr(address, "host", None)
        if isinstance(host, str) and host not in self._ips:
            self._ips.append(host)

    def resolutionComplete(self) -> None:
        """Give away what was found."""
        self.found.callback(self._ips)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
