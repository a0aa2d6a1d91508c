"""Changes of who takes part and of who leads: joining, removing, promoting, handing over (thesis, chapters 3 and 4)."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from minicloud.node.driver import Driver
from minicloud.node.errors import (
    ChangeInProgress,
    ChangeRefused,
    NodeStopping,
    NotLeader,
    QuorumAtRisk,
    TransferFailed,
    UnknownMember,
)
from minicloud.node.settings import TICK_S
from minicloud.node.status import JoinRequest
from minicloud.raft.configuration import Configuration, Member, Suffrage
from minicloud.raft.errors import ChangePending, InvalidChange, Refused, TransferPending
from minicloud.raft.errors import NotLeader as RaftNotLeader
from minicloud.raft.role import Role
from minicloud.wire.limits import MAX_MEMBERS

HTTP_PORT_DISTANCE = 10
"""Where a joining node does not say where it serves HTTP: so far below its peer port."""

CHANGE_PATIENCE_S = 1.0
"""How long a change waits for the one before it. Promotions happen by themselves, commit within milliseconds in a healthy
cluster, and are no reason to send whoever lets two nodes join in a row away."""

_log = Logger()

Change = Callable[[Configuration], Configuration | None]
"""From the configuration in force to the one that is wanted, None where nothing is to be changed. May raise NodeError."""


class Membership:
    """What the leader does to the configuration, one change at a time."""

    def __init__(self, node_id: str, driver: Driver, reactor: IReactorTime) -> None:
        self._node_id = node_id
        self._driver = driver
        self._raft = driver.raft
        self._reactor = reactor
        self._seen: dict[str, str] = {}
        """Instance of each peer with which we had a link."""
        self._wrong: dict[str, str] = {}
        """Instance of each peer that proved to be another one than the configuration names."""

    def seen(self, node_id: str, instance_id: str) -> None:
        """Take note of which instance a peer proved to be."""
        self._seen[node_id] = instance_id
        self._wrong.pop(node_id, None)

    def seen_wrong(self, node_id: str, instance_id: str) -> None:
        """Take note that a peer is not the instance that the configuration names."""
        self._wrong[node_id] = instance_id

    # Joining

    def join(self, request: JoinRequest, timeout_s: float) -> Deferred[None]:
        """See Node.join."""
        return _shielded(self._join(request, self._reactor.seconds() + timeout_s))

    async def _join(self, request: JoinRequest, deadline_s: float) -> None:
        member = _as_member(request)
        present = self._raft.log.configuration.get(member.node_id)
        if present is not None and self._is_new_data(present, member):
            if self._raft.role is Role.LEADER and member.node_id == self._node_id:
                raise ChangeRefused(f"Node {member.node_id} leads, and another data folder cannot take its place.")
            _log.info("node {peer} comes with new data: it takes its own place", peer=member.node_id)
            await self._change(lambda old: self._without_old_data(old, member), deadline_s)
            if not member.instance_id:
                member = evolve(member, instance_id=self._wrong.get(member.node_id, ""))
        await self._change(lambda old: _with_joiner(old, member), deadline_s)

    def _without_old_data(self, old: Configuration, member: Member) -> Configuration | None:
        """Return the configuration without the other data; None where that is gone: another request may have come first."""
        present = old.get(member.node_id)
        if present is None or not self._is_new_data(present, member):
            return None
        return self._removal(old, member.node_id, force=False)

    def _is_new_data(self, present: Member, wanted: Member) -> bool:
        """Whether that is another data folder than the one whose votes we know."""
        actual = wanted.instance_id or self._wrong.get(wanted.node_id, "")
        return bool(actual and present.instance_id) and actual != present.instance_id

    # Removing

    def remove(self, node_id: str, force: bool, timeout_s: float) -> Deferred[None]:
        """See Node.remove."""

        def removal(old: Configuration) -> Configuration:
            if old.get(node_id) is None:
                raise UnknownMember(node_id)
            return self._removal(old, node_id, force)

        return _shielded(self._change(removal, self._reactor.seconds() + timeout_s))

    def _removal(self, old: Configuration, node_id: str, force: bool) -> Configuration:
        rest = old.without(node_id)
        if not old.is_voter(node_id):
            return rest
        if not rest.voters:
            raise ChangeRefused(f"{node_id} is the last voter; it can't be removed, not even with force.")
        active = [voter for voter in rest.voters if self._raft.is_active(voter)]
        if len(active) < rest.quorum and not force:
            raise QuorumAtRisk(
                f"Without {node_id}, {len(active)} of {len(rest.voters)} voters would be healthy; "
                f"{rest.quorum} are needed."
            )
        return rest

    # One change

    async def _change(self, change: Change, deadline_s: float) -> None:
        """Bring a change about, and return when it is committed."""
        patient_until_s = min(deadline_s, self._reactor.seconds() + CHANGE_PATIENCE_S)
        while True:
            self._check_leads()
            wanted = change(self._raft.log.configuration)
            if wanted is None:
                await self._until_committed(deadline_s)
                return
            try:
                index, term = self._raft.change_configuration(wanted)
            except (ChangePending, TransferPending):
                self._check_may_wait(patient_until_s, deadline_s)
                await self._pause()
                continue
            except RaftNotLeader:
                raise NotLeader(self._driver.leader()) from None
            except InvalidChange as error:
                raise ChangeRefused(f"{error}.") from None
            waiter = self._driver.proposals.wait_for(index, term, deadline_s - self._reactor.seconds())
            self._driver.wake()
            await waiter.deferred
            return

    def _check_leads(self) -> None:
        if not self._driver.is_running:
            raise NodeStopping
        if self._raft.role is not Role.LEADER:
            raise NotLeader(self._driver.leader())

    def _check_may_wait(self, patient_until_s: float, deadline_s: float) -> None:
        """Wait for the first entry of our term and for the end of a transfer, and a little for another change."""
        is_new_leader = self._raft.commit_index < self._raft.term_start_index
        is_handing_over = self._raft.transfer_target is not None
        if self._reactor.seconds() >= (deadline_s if is_new_leader or is_handing_over else patient_until_s):
            raise ChangeInProgress

    async def _until_committed(self, deadline_s: float) -> None:
        """Wait for the configuration in force, which somebody else has asked for: another leader may yet replace it."""
        index = self._raft.log.configuration_index
        term = self._raft.log.term_at(index)
        if term is None or index <= self._raft.last_applied:
            return
        waiter = self._driver.proposals.wait_for(index, term, deadline_s - self._reactor.seconds())
        await waiter.deferred

    async def _pause(self) -> None:
        await deferLater(self._reactor, TICK_S)

    # Promoting

    def promote(self) -> None:
        """Make a learner that has caught up a voter. To be called at each tick; does something on a leader only."""
        if self._raft.role is not Role.LEADER:
            return
        learner = self._raft.caught_up_learner()
        if learner is None:
            return
        instance_id = learner.instance_id or self._seen.get(learner.node_id, "")
        voter = evolve(learner, suffrage=Suffrage.VOTER, instance_id=instance_id)
        try:
            self._raft.change_configuration(self._raft.log.configuration.with_member(voter))
        except Refused:
            return  # something else came first; the next tick tries again
        _log.info("node {peer} has caught up and becomes a voter", peer=learner.node_id)
        self._driver.wake()

    # Handing over

    def transfer(self, node_id: str | None, timeout_s: float) -> Deferred[None]:
        """See Node.transfer."""
        return _shielded(self._transfer(node_id, self._reactor.seconds() + timeout_s))

    async def _transfer(self, node_id: str | None, deadline_s: float) -> None:
        self._check_leads()
        if node_id is not None and self._raft.log.configuration.get(node_id) is None:
            raise UnknownMember(node_id)
        if node_id == self._node_id:
            return
        try:
            target = self._raft.transfer_leadership(node_id)
        except RaftNotLeader:
            raise NotLeader(self._driver.leader()) from None
        except Refused as error:
            raise TransferFailed(str(error) or "A transfer is under way.", timed_out=False) from None
        self._driver.wake()
        while self._raft.leader_id != target:
            if not self._driver.is_running:
                raise NodeStopping
            self._check_transfer(target, deadline_s)
            await self._pause()

    def _check_transfer(self, target: str, deadline_s: float) -> None:
        if self._raft.role is Role.LEADER and self._raft.transfer_target is None:
            raise TransferFailed(f"{target} did not take over in time; this node still leads.", timed_out=True)
        if self._raft.role is not Role.LEADER and self._raft.leader_id not in (None, target, self._node_id):
            raise TransferFailed(f"{self._raft.leader_id} was elected in the place of {target}.", timed_out=True)
        if self._reactor.seconds() >= deadline_s:
            raise TransferFailed(f"{target} did not take over within the time limit.", timed_out=True)


def _as_member(request: JoinRequest) -> Member:
    http_addr = request.http_addr
    if not http_addr:
        host, _, port = request.raft_addr.rpartition(":")
        http_addr = f"{host}:{int(port) - HTTP_PORT_DISTANCE}"
    return Member(
        request.node_id,
        request.raft_addr,
        http_addr,
        Suffrage.LEARNER,
        auto_promote=request.voter,
        instance_id=request.instance_id,
    )


def _with_joiner(old: Configuration, wanted: Member) -> Configuration | None:
    """Return the configuration with the joiner in it, None where it is as it should be already."""
    present = old.get(wanted.node_id)
    _check_address(old, wanted)
    if present is None:
        if len(old.members) >= MAX_MEMBERS:
            raise ChangeRefused(f"A cluster has at most {MAX_MEMBERS} members.")
        return old.with_member(wanted)
    updated = evolve(
        present,
        raft_addr=wanted.raft_addr,
        http_addr=wanted.http_addr,
        instance_id=present.instance_id or wanted.instance_id,
        auto_promote=present.auto_promote if present.suffrage is Suffrage.VOTER else wanted.auto_promote,
    )
    same_place = (updated.raft_addr, updated.http_addr) == (present.raft_addr, present.http_addr)
    if same_place and updated.auto_promote == present.auto_promote:
        return None
    return old.with_member(updated)


def _check_address(old: Configuration, wanted: Member) -> None:
    """Refuse an address that another member has: whoever is there would never answer to a second name."""
    for other in old.members:
        if other.node_id != wanted.node_id and other.raft_addr == wanted.raft_addr:
            raise ChangeRefused(
                f"{wanted.raft_addr} is the address of {other.node_id}; remove that one first if {wanted.node_id} "
                "takes its place."
            )


def _shielded(work: Coroutine[Deferred[Any], Any, None]) -> Deferred[None]:
    """Return a Deferred for the result of the work; cancelling it does not stop the work half-way."""
    outer: Deferred[None] = Deferred()

    def done(result: Failure | None) -> None:
        if not outer.called:
            outer.callback(result)

    Deferred.fromCoroutine(work).addBoth(done)
    return outer
