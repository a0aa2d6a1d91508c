"""What the driver and the links ask of each other. The real links and simulated ones both keep to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from attrs import frozen

from minicloud.raft.messages import Message


@frozen
class PeerAddress:
    """Where a peer is and which data folder it must be."""

    raft_addr: str
    """``host:port`` to dial."""
    instance_id: str
    """The only instance accepted under this node id; empty accepts any."""


class PeerEvents(Protocol):
    """What the links tell the driver. Calls come from the reactor's own loop, never from inside a call to Network."""

    def message_received(self, sender: str, message: Message) -> None:
        """Take a message of an authenticated member."""

    def link_up(self, node_id: str, instance_id: str) -> None:
        """Take note that messages can be sent to that peer, and which instance it proved to be.

        Called anew whenever they begin to take another connection; those under way on an older one may be lost.
        """

    def link_lost(self, node_id: str) -> None:
        """Take note that a link with that peer, dialled by either side, has closed: a hint that its process died.

        The link in the other direction may still be up, and carry messages to it. Not called for links that this node
        closes because set_peers no longer names them.
        """

    def told_removed(self, node_id: str, configuration_index: int) -> None:
        """Take note that a peer refuses us: by its committed configuration, from that log index, we are no member.

        Nothing follows from it while our own log has a configuration of a higher index: that peer lags behind. Called
        at each attempt, that is up to once in two seconds, for as long as ``set_peers`` names that peer.
        """

    def cluster_offered(self, cluster_id: str) -> bool:
        """Decide, while this node belongs to no cluster, whether to become part of that one, whose member dials us.

        A true answer means that the cluster id is on disk.
        """

    def wrong_instance(self, node_id: str, instance_id: str) -> None:
        """Take note that the peer at a member's address proved to be another instance than the configuration names."""


class Network(Protocol):
    """The links, as the driver uses them."""

    def set_peers(self, peers: Mapping[str, PeerAddress], configuration_index: int) -> None:
        """Keep links to exactly these peers, and accept links only from them.

        ``configuration_index`` is the log index of the newest *committed* configuration; 0 where none is known yet, and
        where this node is no member of it: then it is not for this node to say who is. It
        is quoted to strangers that are refused, so this is called whenever either argument changes. A peer whose own
        log has a newer configuration is let in all the same, as a guest: it may be the leader that brings it. What it
        says as leader or candidate is passed on, its answers are not.
        """

    def send(self, to: str, message: Message) -> bool:
        """Send now or never. Returns False where no link is up or its buffer is full: the message is lost.

        ``to`` need not be among the peers: a guest is answered on the link that it dialled.
        """
