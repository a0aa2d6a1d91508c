"""Makes the links of one node, with all that they need."""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from minicloud.peer.dialling import Dialler
from minicloud.peer.endpoints import Endpoints
from minicloud.peer.handshake import AcceptorHandshake, CertificateNames, Denial, DiallerHandshake
from minicloud.peer.identity import LocalPeer, RemotePeer
from minicloud.peer.interface import PeerAddress
from minicloud.peer.link import Link, LinkClosed, LinkOwner
from minicloud.wire.handshake import NONCE_BYTES


class Owner(LinkOwner, Protocol):
    """Who has the links and the diallers."""

    def unreachable(self, node_id: str, reason: str) -> None:
        """Take note that there is no connection to a peer."""


@frozen
class LinkMaker:
    """See PeerLinks for what the fields are."""

    reactor: Any
    local: LocalPeer
    secret: bytes
    jitter: random.Random
    new_nonce: Callable[[], str]
    endpoints: Endpoints
    owner: Owner

    def dialler(self, node_id: str, address: PeerAddress) -> Dialler:
        """Return what keeps a link to that peer, once it is started."""

        def begin(names: CertificateNames) -> DiallerHandshake:
            return DiallerHandshake(self.local, self.secret, node_id, made.address.instance_id, self.new_nonce(), names)

        def attempt_failed(failure: Failure) -> None:
            error = failure.value
            if not (isinstance(error, LinkClosed) and error.is_explained):
                self.owner.unreachable(node_id, f"at {address.raft_addr}: {failure.getErrorMessage()}")

        made = Dialler(
            address,
            self.endpoints.client(address.raft_addr),
            lambda: Link(self.owner, self.reactor, begin, node_id),
            self.reactor,
            self.jitter,
            attempt_failed,
        )
        return made

    def listen(self, raft_addr: str, admit: Callable[[RemotePeer], Denial | None]) -> Deferred[IListeningPort]:
        """Accept connections at that address of ours; fails with CannotListenError or DNSLookupError.

        Args:
            raft_addr: ``host:port``.
            admit: decides about each peer that proved the secret, see AcceptorHandshake.
        """

        def begin(names: CertificateNames) -> AcceptorHandshake:
            return AcceptorHandshake(self.local, self.secret, self.new_nonce(), names, admit)

        return self.endpoints.listen(raft_addr, _Acceptor(lambda: Link(self.owner, self.reactor, begin)))


class _Acceptor(Factory):
    """Makes a link for each connection that comes in."""

    noisy = False

    def __init__(self, make_link: Callable[[], Link]) -> None:
        self._make_link = make_link

    def buildProtocol(self, addr: IAddress | None) -> Link:
        """Return a new link."""
        return self._make_link()


def fresh_nonce() -> str:
    """Return what makes a handshake unlike every other one: hex digits from the operating system's random source."""
    return secrets.token_hex(NONCE_BYTES)
