"""What clients are told is so: an answered write is applied at its revision, and what is read was written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minicloud.kv.commands import DeleteDone, PreconditionFailed, Put, PutDone
from minicloud.wire.commands import encode_command
from tests.sim.clients import written_by
from tests.sim.invariants.state_machine_safety import StateMachineSafety
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.clients import Call
    from tests.sim.process import Process
    from tests.sim.world import World


class Answers:
    """Compares answers with what was applied."""

    def __init__(self, world: World, state_machine: StateMachineSafety) -> None:
        self._world = world
        self._state_machine = state_machine

    def answering(self, process: Process, call: Call, outcome: Any) -> None:
        if isinstance(outcome, PreconditionFailed):
            return
        if not isinstance(outcome, PutDone | DeleteDone):
            raise Violation("answered writes are applied", f"{process.name}: {outcome} is no write's answer")
        if process.node.store.applied_index < outcome.revision or process.raft.commit_index < outcome.revision:
            self._world.violated("answered writes are committed", f"{process.name}: {outcome} before it is")
        entry = self._state_machine.applied.get(outcome.revision)
        # The answer leaves in the step that applies the entry; what is known is from other nodes or earlier steps.
        if entry is not None and entry.data != call.data:
            self._world.violated("answered writes are applied", f"{process.name}: {outcome} is {entry.data!r}")

    def reading(self, process: Process, call: Call, record: Any) -> None:
        store = process.node.store
        if call.min_revision > store.applied_index:
            self._world.violated("reads wait for their revision", f"{process.name}: {call.min_revision}")
        if record is None:
            return
        if record.revision > process.raft.commit_index:
            self._world.violated("what is read is committed", f"{process.name}: {call.key} at {record.revision}")
        writer = self._world.clients.calls[written_by(record.value) - 1]
        entry = self._state_machine.applied.get(record.revision)
        command = writer.command()
        is_so = isinstance(command, Put) and command.key == call.key and command.value == record.value
        if not is_so or (entry is not None and entry.data != encode_command(command)):
            raise Violation("what is read was written", f"{process.name}: {call.key} has {record}")
