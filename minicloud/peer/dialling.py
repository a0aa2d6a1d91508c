"""Keeping one link to a peer: connect, shake hands, and again after a pause whenever it is lost."""

from __future__ import annotations

import random
from collections.abc import Callable

from twisted.application.internet import ClientService, backoffPolicy
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from minicloud.peer.interface import PeerAddress
from minicloud.peer.link import Link

RETRY_FIRST_S = 0.1
"""Pause after a first failure: a peer whose process was restarted is often back within a few tenths of a second."""

RETRY_MAX_S = 2.0
"""Longest pause: what a peer that comes back without dialling us first may have to wait. An attempt costs little."""

RETRY_JITTER_S = 0.1
"""Random part of each pause, so that nodes started by the same hand do not dial at the same moments."""

_SOME_ADDRESS = IPv4Address("TCP", "0.0.0.0", 0)
"""Factories are asked with an address; ours does not look at it."""


class Dialler:
    """Dials one peer for as long as it is wanted."""

    def __init__(
        self,
        address: PeerAddress,
        endpoint: IStreamClientEndpoint,
        make_link: Callable[[], Link],
        clock: IReactorTime,
        jitter: random.Random,
        attempt_failed: Callable[[Failure], None],
    ) -> None:
        """Prepare to dial.

        Args:
            address: whom.
            endpoint: how.
            make_link: makes the link of each attempt.
            clock: for the pauses.
            jitter: draws the random part of each pause.
            attempt_failed: told why there was no connection or no link.
        """
        self.address = address
        self.link: Link | None = None
        """The link of the newest attempt, whatever became of it."""
        self._is_connecting = False
        self._endpoint = endpoint
        self._make_link = make_link
        self._attempt_failed = attempt_failed
        policy = backoffPolicy(RETRY_FIRST_S, RETRY_MAX_S, jitter=lambda: jitter.random() * RETRY_JITTER_S)
        self._service = ClientService(_Attempts(self._attempt), _Sessions(), policy, clock)

    def start(self) -> None:
        """Dial now, and from now on."""
        self._service.startService()

    def readdress(self, address: PeerAddress) -> bool:
        """Dial that from now on; False where it takes another dialler, because the present link or place is wrong."""
        if address.raft_addr != self.address.raft_addr:
            return False
        remote = self.link.remote if self.link is not None else None
        is_pausing = not self._is_connecting and not self._is_linked
        if is_pausing or address.instance_id in ("", self.address.instance_id, remote and remote.instance_id):
            self.address = address
            return True
        return False

    @property
    def _is_linked(self) -> bool:
        return self.link is not None and bool(self.link.connected)

    def hurry(self) -> None:
        """Dial now if this is the pause between two attempts: there is reason to think that the peer can be reached."""
        if self._service.running and not self._is_connecting and not self._is_linked:
            self._service.stopService()
            self._service.startService()

    def stop(self) -> Deferred[None]:
        """Close the link and dial no more; the Deferred fires when the link is closed."""
        if self.link is not None and self.link.is_up:
            self.link.close()
        return self._service.stopService()

    def _attempt(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect and shake hands; succeeds with what stands for the established link in the eyes of ClientService."""
        link = self.link = self._make_link()
        self._is_connecting = True

        def established(_: None) -> IProtocol:
            self._is_connecting = False
            session = factory.buildProtocol(_SOME_ADDRESS)
            assert session is not None and link.transport is not None, "our own factory, and an established link"
            session.makeConnection(link.transport)
            link.session = session
            return session

        def failed(failure: Failure) -> Failure:
            self._is_connecting = False
            if not failure.check(CancelledError):
                self._attempt_failed(failure)
            return failure

        connecting: Deferred[IProtocol] = self._endpoint.connect(_OneLink(link))
        return connecting.addCallback(lambda _: link.when_established()).addCallback(established).addErrback(failed)


@implementer(IStreamClientEndpoint)
class _Attempts:
    """Connections that count as made only when the handshake is complete.

    ClientService has ``prepareConnection`` for that, but knows no way on from a connection that closes while it is
    being prepared (Twisted 26.10: automat.NoTransition), which is just what a refused handshake is.
    """

    def __init__(self, connect: Callable[[IProtocolFactory], Deferred[IProtocol]]) -> None:
        self._connect = connect

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Begin an attempt."""
        return self._connect(factory)


class _OneLink(Factory):
    """Gives the connection to a link that exists already."""

    noisy = False

    def __init__(self, link: Link) -> None:
        self._link = link

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        """Return the link."""
        return self._link


class _Sessions(Factory):
    """Makes what ClientService watches in the place of an established link: told of its end, and of nothing else."""

    noisy = False
    protocol = Protocol
