"""Proposals of this node, from the request to its outcome.

A proposal is known by index and term of its entry. If that entry is applied, it has its outcome; if another one is
applied at that index, it is lost for good. Losing leadership settles nothing: the entry may still commit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail

from minicloud.kv.commands import Outcome
from minicloud.node.deadlines import Deadlines, Waiter
from minicloud.node.errors import NodeError, NodeStopping, NotLeader, OutcomeUnknown, Overloaded, ProposalLost
from minicloud.node.instruments import NodeInstruments
from minicloud.node.settings import LEADER_PATIENCE_S
from minicloud.raft.configuration import Member
from minicloud.raft.core import Raft
from minicloud.raft.entries import Entry
from minicloud.raft.errors import NotLeader as RaftNotLeader
from minicloud.raft.errors import TransferPending

MAX_PENDING = 10_000
"""Proposals without an outcome: several hundred times what a healthy cluster has, and what a stalled one may hold."""

MAX_PENDING_BYTES = 64 * 1024 * 1024
"""Of the commands of those proposals: a few large values fill memory as many small ones do."""


class Proposals:
    """Those who wait for entries of theirs to be applied."""

    def __init__(
        self,
        raft: Raft,
        deadlines: Deadlines,
        leader: Callable[[], Member | None],
        instruments: NodeInstruments,
        now: Callable[[], float],
    ) -> None:
        self._raft = raft
        self._deadlines = deadlines
        self._leader = leader
        self._instruments = instruments
        self._now = now
        self._held: dict[Waiter[Outcome], tuple[bytes, float]] = {}
        """Data and time limit of what came while leadership was being handed over, or while no leader was
        known; not proposed yet. The limit is for the outcome: the waiter's own may be shorter while it is held."""
        self._by_index: dict[int, list[tuple[int, Waiter[Any]]]] = {}
        """Term and waiter of each entry that we made and that was not applied yet, by its index."""
        self._sizes: dict[Waiter[Any], int] = {}
        """Bytes of each pending proposal."""
        self._pending_bytes = 0

    @property
    def pending(self) -> int:
        """How many have no outcome yet."""
        return len(self._sizes)

    @property
    def can_go_on(self) -> bool:
        """Whether something was held back and need not be any longer."""
        return bool(self._held) and self._raft.transfer_target is None and self._leader() is not None

    def propose(self, data: bytes, timeout_s: float) -> Deferred[Outcome]:
        """Propose a command; see Node.propose."""
        if len(self._sizes) >= MAX_PENDING or self._pending_bytes + len(data) > MAX_PENDING_BYTES:
            return fail(Overloaded(len(self._sizes)))
        try:
            index, term = self._raft.propose(data)
        except TransferPending:
            return self._hold(data, timeout_s, timeout_s)
        except RaftNotLeader:
            leader = self._leader()
            if leader is not None:
                return fail(NotLeader(leader))
            return self._hold(data, timeout_s, min(timeout_s, LEADER_PATIENCE_S))
        return self.wait_for(index, term, timeout_s, len(data)).deferred

    def _hold(self, data: bytes, timeout_s: float, patience_s: float) -> Deferred[Outcome]:
        waiter = self._deadlines.wait(patience_s, self._held_too_long)
        self._count(waiter, len(data))
        self._held[waiter] = (data, self._now() + timeout_s)
        return waiter.deferred

    def wait_for(self, index: int, term: int, timeout_s: float, size_bytes: int = 0) -> Waiter[Any]:
        """Return one who waits for that entry, to get what applying it gives (None for a configuration)."""
        waiter = self._deadlines.wait(timeout_s, lambda late: self._too_late(late, index))
        self._count(waiter, size_bytes)
        self._by_index.setdefault(index, []).append((term, waiter))
        return waiter

    def go_on(self) -> None:
        """Propose what was held back, once the transfer is over, one way or the other, and a leader is known."""
        if not self.can_go_on:
            return
        held, self._held = self._held, {}
        for waiter, (data, deadline_s) in held.items():
            try:
                index, term = self._raft.propose(data)
            except RaftNotLeader:
                self._refuse(waiter, NotLeader(self._leader()))
                continue
            self._uncount(waiter)
            self._deadlines.forget(waiter)
            rest = self.wait_for(index, term, max(0.0, deadline_s - self._now()), len(data))
            rest.started_s, rest.deferred = waiter.started_s, waiter.deferred

    def applied(self, entry: Entry, outcome: Outcome | None) -> list[Callable[[], None]]:
        """Return what tells those who waited for something at that index."""
        found = self._by_index.pop(entry.index, None)
        if found is None:
            return []
        return [lambda: self._tell(found, entry.term, outcome)]

    def _tell(self, found: list[tuple[int, Waiter[Any]]], term: int, outcome: Outcome | None) -> None:
        for own_term, waiter in found:
            if own_term != term:
                self._refuse(waiter, ProposalLost(self._leader()))
                continue
            self._uncount(waiter)
            self._deadlines.forget(waiter)
            self._instruments.commit_seconds(self._now() - waiter.started_s)
            waiter.succeed(outcome)

    def jumped(self, index: int) -> None:
        """Take note that a snapshot has replaced all entries up to that one: what became of ours cannot be known."""
        for passed in sorted(number for number in self._by_index if number <= index):
            for _term, waiter in self._by_index.pop(passed):
                self._refuse(waiter, OutcomeUnknown())

    def stop(self) -> None:
        """Tell everybody that no outcome will come from here."""
        held, self._held = self._held, {}
        for waiter in held:
            self._refuse(waiter, NodeStopping())
        by_index, self._by_index = self._by_index, {}
        for waiting in by_index.values():
            for _term, waiter in waiting:
                self._refuse(waiter, OutcomeUnknown())

    def _refuse(self, waiter: Waiter[Any], error: NodeError) -> None:
        self._uncount(waiter)
        self._deadlines.forget(waiter)
        self._instruments.proposal_failed()
        waiter.fail(error)

    def _too_late(self, waiter: Waiter[Any], index: int) -> Exception:
        waiting = self._by_index.get(index, [])
        waiting[:] = [item for item in waiting if item[1] is not waiter]
        if not waiting:
            self._by_index.pop(index, None)
        self._uncount(waiter)
        self._instruments.proposal_failed()
        return OutcomeUnknown()

    def _held_too_long(self, waiter: Waiter[Any]) -> Exception:
        self._uncount(waiter)
        del self._held[waiter]
        self._instruments.proposal_failed()
        return NotLeader(self._leader())

    def _count(self, waiter: Waiter[Any], size_bytes: int) -> None:
        self._sizes[waiter] = size_bytes
        self._pending_bytes += size_bytes

    def _uncount(self, waiter: Waiter[Any]) -> None:
        self._pending_bytes -= self._sizes.pop(waiter, 0)
