"""The public face of a node, for the HTTP side, the metrics and the service; and what the links tell it."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from minicloud.kv.commands import Command, Outcome
from minicloud.kv.store import Store
from minicloud.node.driver import Driver
from minicloud.node.errors import NodeError, NodeStopping, Overloaded
from minicloud.node.instruments import NodeInstruments
from minicloud.node.membership import Membership
from minicloud.node.observations import members_of, status_of
from minicloud.node.settings import TICK_S, NodeSettings
from minicloud.node.status import JoinRequest, MemberStatus, NodeStatus
from minicloud.peer.interface import Network
from minicloud.raft.errors import ProtocolViolation
from minicloud.raft.messages import AppendEntries, Heartbeat, InstallSnapshot, InstallSnapshotReply, Message
from minicloud.raft.role import Role
from minicloud.raft.settings import RandomSource
from minicloud.storage.errors import DiskFull, StorageError
from minicloud.storage.storage import Storage
from minicloud.wire.commands import encode_command

HANDOVER_LIMIT_S = 2.0
"""How long a leader that stops tries to hand over. An election after its silence takes no longer."""

_LEADERS_MESSAGES = (AppendEntries, Heartbeat, InstallSnapshot)

__all__ = ["HANDOVER_LIMIT_S", "Node", "NodeSettings"]


class Node:
    """One node (implements PeerEvents). Cancelling a Deferred that it returns never cancels what was proposed.

    After its disk has failed, or while it stops, everything that is asked of it fails with NodeStopping; what was
    proposed before that, with OutcomeUnknown.
    """

    _log = Logger()

    def __init__(
        self,
        *,
        settings: NodeSettings,
        storage: Storage,
        reactor: IReactorTime,
        random: RandomSource,
        on_failed: Callable[[Exception], None],
        instruments: NodeInstruments | None = None,
    ) -> None:
        """Load what is on disk.

        Args:
            settings: this node's.
            storage: its data folder, open.
            reactor: its clock, which must never go back, and its turns.
            random: draws election timeouts.
            on_failed: called once where the disk has failed (with a StorageError), or where the node finds a fault of its own; the
                process must end then.
            instruments: what is measured.

        Raises:
            StorageError: the newest snapshot cannot be used.
        """
        self.node_id = settings.node_id
        self._reactor = reactor
        self._driver = Driver(settings, storage, reactor, random, on_failed, instruments or NodeInstruments())
        self._membership = Membership(settings.node_id, self._driver, reactor)
        self._tick_call: IDelayedCall | None = None

    # Life

    def start(self, links: Network) -> None:
        """Take part in the cluster over those links."""
        self._driver.start(links)
        self._tick_call = self._reactor.callLater(TICK_S, self._tick)

    def stop(self) -> Deferred[None]:
        """Hand leadership over where there is somebody to take it, then stop and close the data folder.

        The Deferred never fails.
        """
        leads = self._driver.is_running and self._driver.raft.role is Role.LEADER
        if not leads or len(self._driver.raft.log.configuration.voters) <= 1:
            self._stop_now()
            return succeed(None)
        handed_over = self._membership.transfer(None, HANDOVER_LIMIT_S)
        handed_over.addErrback(lambda failure: failure.trap(NodeError))
        return handed_over.addBoth(lambda _: self._stop_now())

    def _stop_now(self) -> None:
        if self._tick_call is not None and self._tick_call.active():
            self._tick_call.cancel()
        self._tick_call = None
        self._driver.stop()
        try:
            self._driver.storage.close()
        except StorageError as error:
            self._log.warn("while closing the data folder: {error}", error=error)

    def _tick(self) -> None:
        """Let time pass. A tick that comes late stands for one tick: consensus need not make up for our own delay."""
        driver = self._driver
        if not driver.is_running:
            self._tick_call = None
            return
        self._tick_call = self._reactor.callLater(TICK_S, self._tick)
        driver.deadlines.sweep()
        if driver.is_disk_full:
            return
        driver.raft.tick()
        self._membership.promote()
        has_reads = driver.reads.tick()
        has_chunks = driver.sender.tick()
        if has_reads or has_chunks or driver.raft.has_ready() or driver.proposals.can_go_on:
            driver.wake()

    # What clients ask

    @property
    def store(self) -> Store:
        """The replicated store, as far as it is applied here; to be read only. Another object after a snapshot came."""
        return self._driver.store

    def propose(self, command: Command, timeout_s: float) -> Deferred[Outcome]:
        """Replicate and apply a command; fires with what came of it.

        Fails with NotLeader, Overloaded or NodeStopping (nothing was proposed), ProposalLost (it never will be
        applied), or OutcomeUnknown.
        """
        if not self._driver.is_running:
            return fail(NodeStopping())
        if self._driver.is_disk_full:
            return fail(Overloaded(self._driver.proposals.pending))
        proposed = self._driver.proposals.propose(encode_command(command), timeout_s)
        self._driver.wake()
        return proposed

    def read_barrier(self, timeout_s: float) -> Deferred[None]:
        """Fire once the store may be read with linearizable results: at once, in the callback.

        Fails with ReadTimeout, NotLeader (no leader is known when the time is over), or NodeStopping.
        """
        if not self._driver.is_running:
            return fail(NodeStopping())
        waiting = self._driver.reads.barrier(timeout_s)
        self._driver.wake()
        return waiting

    def wait_applied(self, revision: int, timeout_s: float) -> Deferred[None]:
        """Fire once this node has applied that log index. Fails with ReadTimeout or NodeStopping."""
        if not self._driver.is_running:
            return fail(NodeStopping())
        return self._driver.reads.wait_applied(revision, self.store.applied_index, timeout_s)

    def status(self) -> NodeStatus:
        """Return what this node says of itself."""
        return status_of(self._driver, self.node_id)

    def members(self) -> list[MemberStatus]:
        """Return what this node knows of each member."""
        return members_of(self._driver, self.node_id)

    def join(self, request: JoinRequest, timeout_s: float) -> Deferred[None]:
        """Make a node a member; fires when that is committed. It enters as a learner.

        A member that asks again is answered at once; at a new address, it is known by that one from now on; with a new
        data folder, it leaves and enters anew, because it has forgotten its votes.

        Fails with NotLeader, ChangeInProgress, ChangeRefused, QuorumAtRisk, OutcomeUnknown, ProposalLost or NodeStopping.
        """
        return self._membership.join(request, timeout_s)

    def remove(self, node_id: str, force: bool, timeout_s: float) -> Deferred[None]:
        """Remove a member; fires when that is committed. ``force`` allows it to cost the healthy majority.

        Fails with UnknownMember, and as :meth:`join`.
        """
        return self._membership.remove(node_id, force, timeout_s)

    def transfer(self, node_id: str | None, timeout_s: float) -> Deferred[None]:
        """Hand leadership over, to the most advanced voter where none is named; fires when that one leads.

        Fails with NotLeader, UnknownMember, TransferFailed or NodeStopping.
        """
        return self._membership.transfer(node_id, timeout_s)

    # What the links tell (PeerEvents)

    def message_received(self, sender: str, message: Message) -> None:
        """See PeerEvents."""
        driver = self._driver
        if not driver.is_running or driver.is_disk_full:
            return
        if isinstance(message, _LEADERS_MESSAGES):
            driver.raft.may_begin_elections = True
        try:
            driver.take_message(sender, message)
        except ProtocolViolation as error:
            self._log.error("node {peer} breaks the protocol: {error}", peer=sender, error=error)
            return
        if isinstance(message, InstallSnapshotReply):
            driver.sender.replied(sender, message)

    def link_up(self, node_id: str, instance_id: str) -> None:
        """See PeerEvents."""
        self._membership.seen(node_id, instance_id)
        if self._driver.is_running:
            self._driver.raft.link_up(node_id)
            self._driver.wake()

    def link_lost(self, node_id: str) -> None:
        """See PeerEvents."""
        if self._driver.is_running:
            self._driver.round_trips.forget(node_id)
            self._driver.sender.link_lost(node_id)
            self._driver.raft.link_lost(node_id)
            self._driver.wake()

    def told_removed(self, node_id: str, configuration_index: int) -> None:
        """See PeerEvents."""
        raft = self._driver.raft
        if configuration_index > raft.log.configuration_index and raft.may_begin_elections:
            raft.may_begin_elections = False
            self._log.warn(
                "this node is no member of its cluster any more: node {peer} says so, by log index {index}",
                peer=node_id,
                index=configuration_index,
            )

    def cluster_offered(self, cluster_id: str) -> bool:
        """See PeerEvents. A node without a cluster becomes part of the first one that knows its address."""
        if not self._driver.is_running:
            return False
        try:
            self._driver.storage.set_cluster(cluster_id)
        except DiskFull as error:
            self._log.error("this node cannot join: {error}", error=error)
            return False
        except StorageError as error:
            self._driver.failed(error)
            return False
        self._log.info("this node is now part of cluster {cluster_id}", cluster_id=cluster_id)
        return True

    def wrong_instance(self, node_id: str, instance_id: str) -> None:
        """See PeerEvents."""
        self._membership.seen_wrong(node_id, instance_id)
