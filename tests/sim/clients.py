"""Clients of the simulated cluster: each call goes to some node, follows one redirect, and may never be answered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define
from twisted.internet.defer import Deferred

from minicloud.kv.commands import ALWAYS, Delete, DeleteDone, Precondition, PreconditionFailed, Put, PutDone
from minicloud.node.errors import NodeError, NotLeader, OutcomeUnknown
from minicloud.wire.commands import encode_command
from tests.sim.linearizability import Kind, Operation

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from tests.sim.process import Process
    from tests.sim.world import World

CLIENT_DELAY_S = (0.0005, 0.003)

TIMEOUT_S = 2.0
"""How long a client waits for an answer."""

NODE_TIMEOUT_S = 1.5
"""The time limit that a node is given, within which it answers that it does not know the outcome."""


@define(eq=False)
class Call:
    """One request of a client."""

    number: int
    """Also what a put writes: no two write the same."""
    kind: Kind
    key: str
    invoked: int
    stale: bool = False
    min_revision: int = 0
    expected: int | None = None
    precondition: Precondition = ALWAYS
    size_bytes: int = 0
    data: bytes = b""
    """The command, as it will be in the log."""
    returned: int | None = None
    status: str = "under way"
    """``done``, ``refused`` (it never takes effect), ``unknown``."""
    value: int = 0
    applied: bool | None = None
    existed: bool | None = None
    revision: int = 0
    hops: int = 0
    via: str = ""

    @property
    def is_settled(self) -> bool:
        """Whether the client has stopped waiting."""
        return self.status != "under way"

    def command(self) -> Put | Delete:
        """Return what a write asks for."""
        if self.kind is Kind.PUT:
            return Put(self.key, b"%d" % self.number + b"." * self.size_bytes, self.precondition)
        return Delete(self.key, self.precondition)


def written_by(value: bytes) -> int:
    """Return the number of the call that wrote a value."""
    return int(value.rstrip(b"."))


class Clients:
    """All clients; what they asked and what they were told."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.calls: list[Call] = []
        self.known: dict[str, tuple[int, int]] = {}
        """By key, the newest revision that a client was told of, and which call wrote it."""
        self.newest_revision = 0
        """Newest revision that any client was told of."""
        self.answer_loss = 0.0
        """Share of the answers that get lost."""
        self._events = 0

    # Asking

    def put(self, key: str, via: str, *, condition: str = "", size_bytes: int = 0) -> Call:
        """Write through a node; ``condition`` is ``absent``, ``revision`` (the newest that is known) or nothing."""
        return self._write(Call(0, Kind.PUT, key, 0, size_bytes=size_bytes), condition, via)

    def delete(self, key: str, via: str, *, condition: str = "") -> Call:
        """Delete through a node."""
        return self._write(Call(0, Kind.DELETE, key, 0), condition, via)

    def get(self, key: str, via: str, *, stale: bool = False, min_revision: int = 0) -> Call:
        """Read through a node: linearizable, or stale, or from some revision on."""
        return self._send(Call(0, Kind.GET, key, 0, stale=stale, min_revision=min_revision), via)

    def _write(self, call: Call, condition: str, via: str) -> Call:
        known = self.known.get(call.key)
        if condition == "absent":
            call.expected, call.precondition = 0, Precondition(exists=False)
        elif condition == "revision" and known is not None:
            call.expected, call.precondition = known[1], Precondition(revisions=(known[0],))
        return self._send(call, via)

    def _send(self, call: Call, via: str) -> Call:
        call.number = len(self.calls) + 1
        call.invoked = self._next_event()
        call.via = via
        if call.kind is not Kind.GET:
            call.data = encode_command(call.command())
        self.calls.append(call)
        clock = self.world.clock
        clock.call_in(self._delay(), self._arrive, call, via)
        clock.call_in(TIMEOUT_S, self._give_up, call)
        if self.world.timeline is not None:
            self.world.note("is asked", via, f"#{call.number} {call.kind.value} {call.key} {call.precondition}")
        return call

    def _next_event(self) -> int:
        self._events += 1
        return self._events

    def _delay(self) -> float:
        return self.world.random.uniform(*CLIENT_DELAY_S)

    # At the node

    def _arrive(self, call: Call, via: str) -> None:
        machine = self.world.machines.get(via)
        if call.is_settled:
            return
        if machine is None or machine.process is None or machine.process.is_foreign:
            self._refused(call, "connection refused")
            return
        machine.process.run("client", self._begin, call, machine.process)

    def _begin(self, call: Call, process: Process) -> None:
        node = process.node
        if call.kind is not Kind.GET:
            self._await(node.propose(call.command(), NODE_TIMEOUT_S), self._written, call, process)
        elif call.stale:
            self._read(None, call, process)
        elif call.min_revision:
            self._await(node.wait_applied(call.min_revision, NODE_TIMEOUT_S), self._read, call, process)
        else:
            self._await(node.read_barrier(NODE_TIMEOUT_S), self._read, call, process)

    def _await(self, asked: Deferred[Any], answered: Any, call: Call, process: Process) -> None:
        self.world.expect_answer(process, asked)
        asked.addCallbacks(answered, self._failed, (call, process), None, (call, process))

    def _written(self, outcome: PutDone | DeleteDone | PreconditionFailed, call: Call, process: Process) -> None:
        self.world.check(process, self.world.invariants.answering, call, outcome)
        self._travel(process, self._learn_written, call, outcome)

    def _read(self, _: object, call: Call, process: Process) -> None:
        record = process.node.store.get(call.key)
        self.world.check(process, self.world.invariants.reading, call, record)
        self._travel(process, self._learn_read, call, record)

    def _failed(self, failure: Failure, call: Call, process: Process) -> None:
        failure.trap(NodeError)
        error = failure.value
        if isinstance(error, NotLeader) and error.leader is not None and not call.hops:
            call.hops = 1
            self._travel(process, self._arrive, call, error.leader.node_id)
        elif isinstance(error, OutcomeUnknown) and call.kind is not Kind.GET:
            self._travel(process, self._learn_unknown, call)
        else:
            self._travel(process, self._refused, call, type(error).__name__)

    def _travel(self, process: Process, arrive: Any, call: Call, *what: Any) -> None:
        """Bring an answer to the client, unless it gets lost."""
        world = self.world
        if self.answer_loss and world.random.random() < self.answer_loss:
            world.counts["answer lost"] += 1
            return
        leaves = max(world.clock.rightNow, process.busy_until)
        world.clock.call_at(leaves + self._delay(), self._answer, arrive, call, what)

    def _answer(self, arrive: Any, call: Call, what: tuple[Any, ...]) -> None:
        if not call.is_settled:
            arrive(call, *what)

    # At the client

    def _learn_written(self, call: Call, outcome: PutDone | DeleteDone | PreconditionFailed) -> None:
        if isinstance(outcome, PreconditionFailed):
            call.applied = False
        elif isinstance(outcome, PutDone):
            call.applied, call.existed, call.revision = True, not outcome.created, outcome.revision
            self._know(call.key, outcome.revision, call.number)
        else:
            call.applied, call.existed, call.revision = True, outcome.deleted, outcome.revision
            self.newest_revision = max(self.newest_revision, outcome.revision)
        self._settle(call, "done")

    def _learn_read(self, call: Call, record: Any) -> None:
        if record is not None:
            call.value, call.revision = written_by(record.value), record.revision
            self._know(call.key, record.revision, call.value)
        self._settle(call, "done")

    def _know(self, key: str, revision: int, number: int) -> None:
        self.newest_revision = max(self.newest_revision, revision)
        if revision > self.known.get(key, (0, 0))[0]:
            self.known[key] = (revision, number)

    def _learn_unknown(self, call: Call) -> None:
        self._settle(call, "unknown")

    def _refused(self, call: Call, why: str) -> None:
        self._settle(call, "refused", why)

    def _give_up(self, call: Call) -> None:
        if not call.is_settled:
            self._settle(call, "unknown")

    def _settle(self, call: Call, status: str, why: str = "") -> None:
        call.status = status
        if status == "done":
            call.returned = self._next_event()
        self.world.note("answers", call.via, f"#{call.number} {status} {why} value {call.value} applied {call.applied}")

    # The history

    def history(self) -> list[Operation]:
        """Return all that must be linearizable: not what was refused, not reads that may be stale."""
        return [
            Operation(
                key=call.key,
                kind=call.kind,
                invoked=call.invoked,
                returned=call.returned,
                value=call.number if call.kind is Kind.PUT else call.value,
                expected=call.expected,
                applied=call.applied if call.returned is not None and call.kind is not Kind.GET else True,
                existed=call.existed,
                revision=call.revision if call.applied and call.revision else None,
                client=f"#{call.number} via {call.via}",
            )
            for call in self.calls
            if call.status in ("done", "unknown")
            and not (call.kind is Kind.GET and (call.stale or call.min_revision or call.returned is None))
        ]
