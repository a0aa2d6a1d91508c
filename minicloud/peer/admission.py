"""Which of the peers that proved the cluster's secret may come in, and as what."""

from __future__ import annotations

import enum
from collections.abc import Mapping

from attrs import define, field

from minicloud.peer.handshake import Cause, Denial, cluster_problem
from minicloud.peer.identity import LocalPeer, RemotePeer
from minicloud.peer.interface import PeerAddress, PeerEvents
from minicloud.raft.messages import (
    AppendReply,
    HeartbeatReply,
    InstallSnapshotReply,
    Message,
    PreVoteReply,
    VoteReply,
)


class Standing(enum.Enum):
    """What an accepted peer is to this node."""

    MEMBER = "member"
    GUEST = "guest"
    """Not the member that our configuration names, but perhaps of a newer one that we have yet to receive, and from
    this very peer: it may be the leader. It is listened to as a leader or candidate; its answers count for nothing, so
    that no one is taken for a voter that our configuration does not know."""


_ANSWERS = (PreVoteReply, VoteReply, AppendReply, HeartbeatReply, InstallSnapshotReply)
"""What voters say. A ReadIndexReply comes from a leader."""


def is_heard_from_guest(message: Message) -> bool:
    """Return whether a guest's message is passed on, see Standing.GUEST."""
    return not isinstance(message, _ANSWERS)


@define
class Admission:
    """Judges diallers by the configuration, on behalf of one node."""

    local: LocalPeer
    events: PeerEvents
    peers: Mapping[str, PeerAddress] = field(factory=dict)
    """The other members of the newest configuration in our log."""
    committed_index: int = 0
    """Log index of the newest configuration that we know to be committed; 0 where we know of none."""

    def admit(self, remote: RemotePeer) -> Denial | None:
        """Decide whether a dialler comes in; None lets it in.

        A node that belongs to no cluster may become part of the dialler's in here.
        """
        standing = self.standing(remote)
        if isinstance(standing, Denial):
            return standing
        own = self.local.cluster_id()
        if problem := cluster_problem(own, remote.cluster_id):
            return Denial(Cause.WRONG_CLUSTER, problem)
        if not own and not self.events.cluster_offered(remote.cluster_id):
            return Denial(Cause.WRONG_CLUSTER, "this node does not join that cluster")
        return None

    def standing(self, remote: RemotePeer) -> Standing | Denial:
        """Return what that dialler is to us as the configuration is now."""
        known = self.peers.get(remote.node_id)
        if known is None:
            return self._standing_of_unknown(remote)
        if known.instance_id in ("", remote.instance_id):
            return Standing.MEMBER
        if remote.configuration_index > self.local.configuration_index():
            return Standing.GUEST
        return Denial(
            Cause.WRONG_INSTANCE,
            f"it is instance {remote.instance_id} (another data folder), the configuration names {known.instance_id}",
        )

    def _standing_of_unknown(self, remote: RemotePeer) -> Standing | Denial:
        """The newer configuration is right about it. While ours is not committed the door stays open: a leader that
        removes itself has to tell us so (thesis, section 4.2.2), and a new node hears everything from a stranger."""
        is_ours_final = 0 < self.committed_index >= self.local.configuration_index()
        if not is_ours_final or remote.configuration_index > self.committed_index:
            return Standing.GUEST
        return Denial(
            Cause.NOT_MEMBER,
            f"{remote.node_id} is no member by the configuration at index {self.committed_index}",
            self.committed_index,
        )
