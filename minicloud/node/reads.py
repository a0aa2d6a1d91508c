"""Linearizable reads without a write (thesis, section 6.4), and reads that wait for a revision.

All reads that come in one turn of the reactor are confirmed together. A confirmation that fails (the leader changed,
a message was lost) is asked for again under a new id, until each read's time is over.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet.defer import Deferred, succeed

from minicloud.node.deadlines import Deadlines, Waiter
from minicloud.node.errors import NodeStopping, NotLeader, ReadTimeout
from minicloud.node.settings import LEADER_PATIENCE_S
from minicloud.raft.core import Raft


@define(eq=False)
class _Question:
    asked_s: float
    waiters: dict[Waiter[None], None]


class Reads:
    """Those who wait to read."""

    def __init__(self, raft: Raft, deadlines: Deadlines, now: Callable[[], float], patience_s: float) -> None:
        """Take a look at consensus; ``patience_s`` is how long an answer may take until it is asked for again."""
        self._raft = raft
        self._deadlines = deadlines
        self._now = now
        self._patience_s = patience_s
        self._leader_seen_s = now()
        self._ids = itertools.count(1)
        self._new: dict[Waiter[None], None] = {}
        """To be asked for in this turn."""
        self._again: dict[Waiter[None], None] = {}
        """To be asked for at the next tick: at once would be a busy loop while no leader is known."""
        self._asked: dict[int, _Question] = {}
        self._confirmed: dict[int, dict[Waiter[None], None]] = {}
        """By read index, who may read from that index on."""
        self._heap: list[int] = []
        """Those indexes, the lowest first; and some more, for which nobody waits any longer."""

    def barrier(self, timeout_s: float) -> Deferred[None]:
        """See Node.read_barrier."""
        waiter = self._deadlines.wait(timeout_s, self._unconfirmed)
        self._new[waiter] = None
        return waiter.deferred

    def wait_applied(self, index: int, applied_index: int, timeout_s: float) -> Deferred[None]:
        """See Node.wait_applied."""
        if index <= applied_index:
            return succeed(None)

        def late(waiter: Waiter[None]) -> Exception:
            self._forget(index, waiter)
            return ReadTimeout(f"Revision {index} was not reached within the time limit.")

        waiter = self._deadlines.wait(timeout_s, late)
        self._confirm(index, {waiter: None})
        return waiter.deferred

    def ask(self) -> None:
        """Ask for what came in this turn."""
        if not self._new:
            return
        waiters, self._new = self._new, {}
        request_id = next(self._ids)
        if self._raft.read_index(request_id):
            self._asked[request_id] = _Question(self._now(), waiters)
        else:
            self._again.update(waiters)

    def tick(self) -> bool:
        """Make ready to ask again for what failed or was forgotten; return whether there is anything."""
        limit_s = self._now() - self._patience_s
        for request_id, question in list(self._asked.items()):
            if question.asked_s < limit_s:
                self.aborted(request_id)
        again, self._again = self._again, {}
        self._new.update((waiter, None) for waiter in again if not waiter.deferred.called)
        self._refuse_without_leader()
        return bool(self._new)

    def _refuse_without_leader(self) -> None:
        """Tell those who have waited for a leader long enough that there is none."""
        now = self._now()
        if self._raft.leader_id is not None:
            self._leader_seen_s = now
            return
        limit_s = now - LEADER_PATIENCE_S
        if self._leader_seen_s > limit_s:
            return
        for waiter in [waiter for waiter in self._new if waiter.started_s <= limit_s]:
            del self._new[waiter]
            self._deadlines.forget(waiter)
            waiter.fail(NotLeader(None))

    def aborted(self, request_id: int) -> None:
        """Take note that this question gets no answer."""
        question = self._asked.pop(request_id, None)
        if question is not None:
            self._again.update(question.waiters)

    def confirmed(self, request_id: int, read_index: int) -> None:
        """Take note from which index on the reads of this question are up to date."""
        question = self._asked.pop(request_id, None)
        if question is not None:
            self._confirm(read_index, question.waiters)

    def _confirm(self, index: int, waiters: dict[Waiter[None], None]) -> None:
        if index in self._confirmed:
            self._confirmed[index].update(waiters)
        else:
            self._confirmed[index] = waiters
            heapq.heappush(self._heap, index)

    def _forget(self, index: int, waiter: Waiter[None]) -> None:
        group = self._confirmed.get(index, {})
        group.pop(waiter, None)
        if not group:
            self._confirmed.pop(index, None)
        if len(self._heap) > 2 * len(self._confirmed):
            self._heap = sorted(self._confirmed)  # or a node that applies nothing any more would remember them for ever

    def applied(self, applied_index: int) -> None:
        """Let everybody read whose index the store has reached."""
        while self._heap and self._heap[0] <= applied_index:
            for waiter in self._confirmed.pop(heapq.heappop(self._heap), {}):
                self._deadlines.forget(waiter)
                waiter.succeed(None)

    def stop(self) -> None:
        """Tell everybody that there is nothing to be read here any more."""
        groups: list[dict[Waiter[None], None]] = [self._new, self._again]
        groups += [question.waiters for question in self._asked.values()]
        groups += self._confirmed.values()
        self._new, self._again, self._asked, self._confirmed, self._heap = {}, {}, {}, {}, []
        for waiters in groups:
            for waiter in waiters:
                self._deadlines.forget(waiter)
                waiter.fail(NodeStopping())

    def _unconfirmed(self, waiter: Waiter[Any]) -> Exception:
        for waiters in (self._new, self._again, *(question.waiters for question in self._asked.values())):
            waiters.pop(waiter, None)
        for index in [index for index, group in self._confirmed.items() if waiter in group]:
            self._forget(index, waiter)
        if self._raft.leader_id is None:
            return NotLeader(None)
        return ReadTimeout("The leader did not confirm the read, or this node did not catch up, within the time limit.")
