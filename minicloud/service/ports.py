"""Ports that are bound before anything is there to serve them.

A port that is in use must stop a start before the data folder is touched; what will serve the port needs the data
folder. So the port is bound first, with a door behind it that is opened once the rest stands, all in one turn of the
reactor.
"""

from __future__ import annotations

import errno
import selectors
import socket
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IProtocolFactory,
    IReadDescriptor,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from minicloud.addresses import Address
from minicloud.peer.endpoints import Endpoints

HTTP_BACKLOG = 1024
"""Connections that the system holds until we take them: a burst of clients must not be refused."""

_Result = TypeVar("_Result")


class CannotBind(Exception):
    """An address cannot be listened on. The text says what was expected, in words that follow "expected"."""


class Door(Factory):
    """The factory of a port that is bound already; behind it stands the real one, as soon as there is one."""

    noisy = False

    def __init__(self) -> None:
        self._behind: Any = None

    def open_to(self, factory: Any) -> None:
        """Let all connections through to that factory."""
        self._behind = factory
        factory.noisy = False
        factory.doStart()

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Make the protocol of a new connection; None, which closes it, as long as nobody is behind the door."""
        return None if self._behind is None else self._behind.buildProtocol(addr)

    def stopFactory(self) -> None:
        """Tell the real factory that the port is closed."""
        behind, self._behind = self._behind, None
        if behind is not None:
            behind.doStop()


class BoundEndpoints:
    """Endpoints for the links between peers, whose listening side is bound ahead of time.

    ``endpoints`` are the real ones; ``addr`` is where to listen. Raises CannotBind.
    """

    def __init__(self, endpoints: Endpoints, addr: Address) -> None:
        self._endpoints = endpoints
        self._door = Door()
        self._port = bind(addr, lambda ip: result_now(endpoints.listen(str(Address(ip, addr.port)), self._door)))

    def client(self, raft_addr: str) -> IStreamClientEndpoint:
        """Return where to connect to a peer of that address."""
        return self._endpoints.client(raft_addr)

    def listen(self, raft_addr: str, factory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Serve the port that is bound already, whatever name of ours it is called by."""
        self._door.open_to(factory)
        return succeed(self._port)

    def close(self) -> None:
        """Give the port up."""
        self._port.stopListening()


class HttpPort:
    """The HTTP port, bound ahead of time.

    ``tls``: makes the server side of TLS connections; None for plain HTTP. Raises CannotBind.
    """

    def __init__(self, reactor: Any, addr: Address, tls: Any | None) -> None:
        self._reactor = reactor
        self._door = Door()
        factory = self._door if tls is None else TLSMemoryBIOFactory(tls, False, self._door, reactor)
        self._port: Any = bind(
            addr, lambda ip: reactor.listenTCP(addr.port, factory, backlog=HTTP_BACKLOG, interface=ip)
        )

    def serve(self, site: Any) -> None:
        """Let all connections through to that site."""
        self._door.open_to(site)

    def close(self) -> Deferred[None]:
        """Accept no more connections.

        Those that the system has accepted for us are taken first, in the moment before the port is closed: their clients
        may have sent requests already, and would get a reset for an answer.
        """
        self._reactor.callLater(0, self._take_waiting)
        closed = self._port.stopListening()
        return closed if isinstance(closed, Deferred) else succeed(None)

    def _take_waiting(self) -> None:
        if not IReadDescriptor.providedBy(self._port) or self._port.fileno() < 0:
            return  # a reactor that accepts by itself (IOCP), or the port is closed already
        with selectors.DefaultSelector() as selector:
            selector.register(self._port, selectors.EVENT_READ)
            for _ in range(HTTP_BACKLOG):
                if not selector.select(0):
                    return
                self._port.doRead()


def bind(addr: Address, listen: Callable[[str], IListeningPort]) -> IListeningPort:
    """Return a port on the first IP of ``addr`` that can be listened on. Raises CannotBind with the last one's reason.

    A host name is looked up here and now: nothing else has to be done yet that could be held up.
    """
    refusal: OSError | None = None
    for ip in _ips(addr):
        try:
            return listen(ip)
        except CannotListenError as error:
            refusal = error.socketError
    raise CannotBind(_explained(addr, refusal))


def result_now(deferred: Deferred[_Result]) -> _Result:
    """Return the result of a Deferred that has one already, or raise its error."""
    results: list[Any] = []
    deferred.addBoth(results.append)
    assert results, "it was to be done at once"
    if isinstance(results[0], Failure):
        results[0].raiseException()
    result: _Result = results[0]
    return result


def _ips(addr: Address) -> list[str]:
    if addr.is_ip:
        return [addr.host]
    try:
        found = socket.getaddrinfo(addr.host, addr.port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise CannotBind(f"a host name that can be looked up, {addr.host} cannot: {error.strerror}") from None
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


def _explained(addr: Address, refusal: OSError | None) -> str:
    number = refusal.errno if refusal is not None else 0
    if number in {errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)}:
        return f"a free port, {addr} is in use by another process"
    if number in {errno.EADDRNOTAVAIL, getattr(errno, "WSAEADDRNOTAVAIL", errno.EADDRNOTAVAIL)}:
        return f"an address of this machine, {addr} is none"
    return f"an address to listen on, {addr} is refused by the system: {refusal.strerror if refusal else 'no reason'}"
