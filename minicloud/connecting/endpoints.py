"""How a connection is made: to an address directly, to a host name by way of its addresses."""

from __future__ import annotations

import ipaddress
from typing import Any, Final, NoReturn

from attrs import frozen
from twisted.internet.address import HostnameAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.error import TimeoutError as ConnectTimeout
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.web.client import URI
from twisted.web.error import SchemeNotSupported
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from minicloud.connecting.handshakes import TlsEndpoint

NEXT_ADDRESS_AFTER_S: Final = 0.05
"""How long the first address of a host name has for itself before the next one is tried as well, and how long after the
last one it is seen that none is left: a name whose port refuses costs that much for each address. (Twisted's own 0.3 s
would be most of the half second in which a command line should have answered. RFC 8305, section 5, allows 10 ms.)"""


@implementer(IAgentEndpointFactory)
@frozen
class HttpEndpoints:
    """What ``twisted.web.client.Agent.usingEndpointFactory`` needs to know.

    Twisted's own factory takes an address for a host name: it looks it up in a thread, and when the port refuses the
    connection it waits for 0.3 s to see whether there is another address.
    """

    reactor: Any
    """Provides TCP, time and name resolution."""
    policy: IPolicyForHTTPS
    """Which servers are trusted, over HTTPS."""
    connect_timeout_s: float
    """How long a server may take to accept a connection, in seconds; the lookup of its name included, a TLS handshake not."""

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Return where to connect to.

        Raises SchemeNotSupported, and ValueError where the host is no ASCII, or no name for which there are certificates.
        """
        # The sign before a zone may be escaped in a URL (RFC 6874), or not.
        plain = self._plain(uri.host.decode("ascii").replace("%25", "%"), uri.port)
        if uri.scheme == b"http":
            return plain
        if uri.scheme == b"https":
            return TlsEndpoint(self.reactor, plain, self._connections(uri))
        raise SchemeNotSupported(f"expected http or https, not {uri.scheme!r}")

    def _connections(self, uri: URI) -> Any:
        host = uri.host.partition(b"%")[0]  # No certificate names a zone.
        try:
            return self.policy.creatorForNetloc(host, uri.port)
        except UnicodeError as error:
            name = host.decode("ascii")
            raise ValueError(f"no certificate is for a name like {name!r}; use another name over HTTPS") from error

    def _plain(self, host: str, port: int) -> IStreamClientEndpoint:
        version = _ip_version(host)
        if version is None:
            return _Named(self.reactor, host, port, self.connect_timeout_s)
        endpoint = TCP4ClientEndpoint if version == 4 else TCP6ClientEndpoint
        return endpoint(self.reactor, host, port, timeout=self.connect_timeout_s)


@implementer(IStreamClientEndpoint)
@frozen
class _Named:
    """A host name, with one time limit for all that it takes: Twisted's own begins when the lookup has ended.

    Whoever gives up during the lookup gets ConnectingCancelledError, where Twisted would say that there is no such host.
    """

    reactor: Any
    host: str
    port: int
    timeout_s: float

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """Look the name up and connect to the first of its addresses that accepts."""

        def give_up(connected: Deferred[IProtocol]) -> None:
            connected.errback(ConnectingCancelledError(HostnameAddress(self.host.encode("ascii"), self.port)))
            connecting.cancel()

        def settle(outcome: Any) -> None:
            if not connected.called:
                connected.callback(outcome)

        addresses = AnyNameEndpoint(
            self.reactor, self.host, self.port, timeout=self.timeout_s, attemptDelay=NEXT_ADDRESS_AFTER_S
        )
        connected: Deferred[IProtocol] = Deferred(give_up)
        connecting = addresses.connect(protocolFactory)
        connecting.addBoth(settle)
        return connected.addTimeout(self.timeout_s, self.reactor, _too_slow)


class AnyNameEndpoint(HostnameEndpoint):
    """Takes host names as they are, whose letters were looked at when they were read (``minicloud.addresses``).

    Twisted's own refuses what IDNA does not know, ``_`` above all, which container engines put into the names of services.
    """

    @staticmethod
    def _hostAsBytesAndText(host: bytes | str) -> tuple[bool, bytes, str]:
        """Return that the host is valid, and its two spellings."""
        text = host if isinstance(host, str) else host.decode("ascii")
        return False, text.encode("ascii"), text


def _too_slow(_outcome: object, _timeout_s: float) -> NoReturn:
    # Not Deferred's own error for that: this one says that there was no connection yet, so that nothing was sent.
    raise ConnectTimeout


def _ip_version(host: str) -> int | None:
    """Return 4 or 6, or None for a name. An address with a zone is an address: a lookup would lose the zone."""
    try:
        return ipaddress.ip_address(host).version
    except ValueError:
        return None
