"""The simulated world: machines, links and clients on one clock, and everything that is drawn at random from one seed."""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, TypeAlias

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from minicloud.kv.store import Store
from minicloud.node.errors import NodeError
from minicloud.node.status import JoinRequest
from minicloud.raft.configuration import Configuration, Member
from minicloud.raft.entries import Entry, EntryKind
from minicloud.raft.messages import Message
from minicloud.raft.role import Role
from minicloud.storage.errors import StorageError
from minicloud.storage.memory_files import MachineStopped
from minicloud.storage.storage import Storage
from tests.sim.clients import Clients
from tests.sim.clock import WorldClock
from tests.sim.describe import describe
from tests.sim.invariants.registry import Invariants
from tests.sim.network import SimNetwork
from tests.sim.process import CLUSTER_ID, Machine, Process
from tests.sim.settings import SimSettings
from tests.sim.violation import Violation

ADMIN_RETRY_S = 0.25
"""How often whoever runs the cluster asks again for a change that did not come about."""

ADMIN_TIMEOUT_S = 2.0

MAX_STEPS = 1_000_000
"""Steps in one run. A usual one has 4,000: so many are a process that is busy for ever at one moment of its clock."""


@frozen
class Asked:
    """A change of the members that a leader was asked for."""

    answer: Deferred[None]
    is_so: Callable[[Configuration], bool]
    """Whether a configuration is as it was asked for."""
    on_granted: Callable[[], None] = lambda: None

    def has_come_about(self, leader: Process, term: int) -> bool:
        """Return whether that is committed, as far as the process knows that was asked while it led that term.

        While it still leads, it makes one change after the other, and answers in between. Once it follows, it may learn
        of several at once, and that of ours is one of them.
        """
        raft = leader.raft
        if raft.role is Role.LEADER and raft.current_term == term:
            return self.is_so(raft.committed_configuration[1])
        return any(self.is_so(known) for index, known in raft.log._configurations if index <= raft.commit_index)


Ask: TypeAlias = Callable[[Process], Asked | None]
"""Asks a leader for a change, unless the moment is wrong."""


def _is_member(configuration: Configuration, node_id: str, instance_id: str) -> bool:
    member = configuration.get(node_id)
    return member is not None and member.instance_id == instance_id


def _is_refusal(failure: Failure) -> None:
    failure.trap(NodeError)


class World:
    """One run. The same settings, seed and actions give the same run, to the byte (``trace_hash``)."""

    def __init__(self, settings: SimSettings, seed: int, *, keeps_timeline: bool = False) -> None:
        self.settings = settings
        self.random = Random(seed)
        """Draws what the links, disks and nodes do by chance. What faults and clients do is decided outside."""
        self.clock = WorldClock()
        self.steps = 0
        """How often some process did something."""
        self.counts: Counter[str] = Counter()
        """Faults that took place, by kind."""
        self.network = SimNetwork(self, Random(self.random.random()))
        self.machines: dict[str, Machine] = {}
        self.timeline: list[str] | None = [] if keeps_timeline else None
        self.violation: Violation | None = None
        self.current: Process | None = None
        self.clients = Clients(self)
        self.invariants = Invariants(self)
        self._hash = hashlib.blake2b(digest_size=16)
        self._ids = 0
        self._wishes: dict[str, Ask | None] = {}
        self._asked: Counter[Process] = Counter()
        """How many changes each process was asked for and has not answered."""
        self._unanswered: Counter[Process] = Counter()
        """How much each process was asked for, of any kind, and has not answered."""
        self._joined: dict[str, str] = {}
        """Nodes whose newest join was granted, and as which instance."""
        self._asked_to_leave: set[str] = set()
        """Nodes whose removal anybody has asked for, at any time: an old request may come about late."""
        self.found_cluster()

    # The cluster

    def found_cluster(self) -> None:
        """Give each founder a disk with the same first entry, and start them."""
        names = [f"n{number}" for number in range(1, self.settings.voters + 1)]
        instances = {name: self.new_id() for name in names}
        founders = Configuration(
            tuple(Member(name, f"{name}:9011", f"{name}:9001", instance_id=instances[name]) for name in names)
        )
        for name in names:
            machine = self.add_machine(name)
            storage = Storage.open(
                machine.disk.files,
                node_id=name,
                new_instance_id=lambda name=name: instances[name],
                segment_bytes=self.settings.segment_bytes,
            )
            storage.append([Entry(1, 1, EntryKind.CONFIGURATION, configuration=founders)])
            storage.sync()
            storage.set_cluster(CLUSTER_ID)
            storage.close()
            self.start(name)

    def add_machine(self, node_id: str) -> Machine:
        """Add a machine with an empty disk, on which nothing runs yet."""
        machine = self.machines[node_id] = Machine(node_id, clock_rate=self.random.uniform(0.97, 1.03))
        return machine

    def start(self, node_id: str) -> Process | None:
        """Start a process on a machine; None where its disk makes the node refuse to start, or one runs already."""
        machine = self.machines[node_id]
        machine.has_power = True
        if machine.process is not None:
            return None
        machine.started += 1
        machine.is_refusing = ""
        try:
            process = Process(self, machine, Random(self.random.random()))
        except MachineStopped:
            return None
        except StorageError as error:
            machine.is_refusing = str(error)
            machine.disk.process_killed()
            self.note("refuses to start", node_id, str(error))
            return None
        machine.process = process
        self.note("starts", node_id, process.name)
        process.run("start", process.start)
        return machine.process

    def kill(self, node_id: str) -> None:
        """End a process without a word (SIGKILL); its system goes on."""
        self._end_process(node_id, has_power=True)

    def cut_power(self, node_id: str) -> None:
        """Take a machine's power away: what was not synced may be lost, and nobody is told."""
        self._end_process(node_id, has_power=False)

    def _end_process(self, node_id: str, has_power: bool) -> None:
        machine = self.machines[node_id]
        process, machine.process = machine.process, None
        machine.has_power = has_power
        if process is not None:
            process.is_up = False
            self.note("is killed" if has_power else "loses power", node_id)
            self.network.process_ended(process, is_told=has_power)
        if has_power:
            machine.disk.process_killed()
        else:
            machine.disk.power_lost(self.random)

    def restart(self, node_id: str) -> Process | None:
        """Kill, and start again."""
        self.kill(node_id)
        return self.start(node_id)

    # Who is there

    @property
    def up(self) -> list[Process]:
        """All processes that run, stopped or not, in the order of their names."""
        return [machine.process for _, machine in sorted(self.machines.items()) if machine.process is not None]

    def process(self, node_id: str) -> Process:
        """Return the process on that machine."""
        process = self.machines[node_id].process
        assert process is not None, f"{node_id} is down"
        return process

    @property
    def leader(self) -> Process | None:
        """The leader of the newest term, which may not know yet that it is none any more; None where nobody leads."""
        leaders = [process for process in self.up if process.raft.role is Role.LEADER and not process.is_foreign]
        return max(leaders, key=lambda process: process.raft.current_term, default=None)

    @property
    def configuration(self) -> Configuration:
        """The newest configuration that is committed, as far as any process knows."""
        found = [process.raft.committed_configuration for process in self.up if not process.is_foreign]
        return max(found, key=lambda item: item[0])[1] if found else Configuration()

    def store(self, node_id: str) -> Store:
        """Return what that node has applied."""
        return self.process(node_id).node.store

    # Answers that processes owe

    def expect_answer(self, process: Process, asked: Deferred[Any]) -> None:
        """Take note that a process was asked for something, until it answers."""
        self._unanswered[process] += 1

        def answered(answer: object) -> object:
            self._unanswered[process] -= 1
            return answer

        asked.addBoth(answered)

    @property
    def unanswered(self) -> dict[str, int]:
        """How many answers each process that runs still owes; those that owe none are left out."""
        return {process.name: count for process in self.up if (count := self._unanswered[process])}

    # Whoever runs the cluster: asks for changes until they have come about

    def wish(self, name: str, ask: Ask) -> None:
        """Ask the leader for something again and again, until it says yes; ``name`` tells wishes apart."""
        is_new = name not in self._wishes
        self._wishes[name] = ask
        if is_new:
            self.clock.call_in(0, self._pursue, name)

    def drop_wish(self, name: str) -> None:
        """Ask no more for it."""
        if name in self._wishes:
            self._wishes[name] = None

    @property
    def has_wishes(self) -> bool:
        """Whether some change has not come about yet, or may still come about: one in work is not taken back."""
        return any(self._wishes.values()) or any(self._asked[process] for process in self.up)

    def join(self, node_id: str, voter: bool = True) -> None:
        """Have that machine's node made a member, whichever data it has."""
        self._joined.pop(node_id, None)

        def ask(leader: Process) -> Asked | None:
            machine = self.machines[node_id]
            if machine.process is None or machine.process.is_foreign:
                return None
            instance_id = machine.process.instance_id
            request = JoinRequest(node_id, machine.raft_addr, machine.http_addr, voter, instance_id=instance_id)
            return Asked(
                leader.node.join(request, ADMIN_TIMEOUT_S),
                lambda configuration: _is_member(configuration, node_id, instance_id),
                lambda: self._joined.update({node_id: instance_id}),
            )

        self.wish(f"join {node_id}", ask)

    def remove(self, node_id: str, force: bool = False) -> None:
        """Have that node removed from the cluster."""
        self.drop_wish(f"join {node_id}")
        self._asked_to_leave.add(node_id)

        def ask(leader: Process) -> Asked:
            asked = leader.node.remove(node_id, force, ADMIN_TIMEOUT_S)
            return Asked(asked, lambda configuration: configuration.get(node_id) is None)

        self.wish(f"remove {node_id}", ask)

    @property
    def lost_members(self) -> list[str]:
        """Nodes that were told that they have joined, that nobody has asked to leave, and that are no members."""
        configuration = self.configuration
        return [
            node_id
            for node_id, instance_id in sorted(self._joined.items())
            if node_id not in self._asked_to_leave and not _is_member(configuration, node_id, instance_id)
        ]

    def _pursue(self, name: str) -> None:
        ask, leader = self._wishes.get(name), self.leader
        if ask is None:
            self._wishes.pop(name, None)
            return
        self.clock.call_in(ADMIN_RETRY_S, self._pursue, name)
        if leader is None or leader.is_held:
            return

        def act() -> None:
            term, asked = leader.raft.current_term, ask(leader)
            if asked is not None:
                self._asked[leader] += 1
                self.expect_answer(leader, asked.answer)
                asked.answer.addBoth(answered)
                asked.answer.addCallbacks(granted, _is_refusal, (asked, term))

        def answered(answer: object) -> object:
            self._asked[leader] -= 1
            return answer

        def granted(_: object, asked: Asked, term: int) -> None:
            if not asked.has_come_about(leader, term):
                self.violated("what is granted has come about", f"{leader.name} grants: {name}")
            if self._wishes.get(name) is ask:
                self.note("is granted", leader.node_id, name)
                asked.on_granted()
                self._wishes[name] = None

        leader.run("admin", act)

    # Time

    def step(self) -> None:
        """Let the next thing happen. Raises Violation."""
        self.clock.run_next()
        if self.violation is not None:
            raise self.violation

    def run(self, seconds: float) -> None:
        """Let time pass. Raises Violation."""
        end = self.clock.rightNow + seconds
        clock = self.clock
        while clock.next_due <= end:
            clock.run_next()
            if self.violation is not None:
                raise self.violation
            if self.steps > MAX_STEPS:
                raise Violation("every run ends", f"{self.steps} steps, and it is only {clock.rightNow:.3f} s")
        clock.rightNow = end

    def until(self, condition: Callable[[], Any], limit_s: float, what: str = "") -> float:
        """Let time pass until it is so; return how many seconds that took. Raises Violation."""
        began = self.clock.rightNow
        check_s = 0.005
        while not condition():
            if self.clock.rightNow - began > limit_s:
                raise Violation("liveness", f"not within {limit_s} s: {what or condition}")
            self.run(check_s)
        return self.clock.rightNow - began

    # What is watched

    def look_at(self, process: Process) -> None:
        """Check the invariants after a process did something."""
        self.check(process, self.invariants.after)

    def sending(self, process: Process, to: str, message: Message) -> None:
        """Check what must be so when a message leaves."""
        self.check(process, self.invariants.sending, to, message)
        if self.timeline is not None:
            self.note("sends", process.node_id, f"to {to}: {describe(message)}")

    def check(self, process: Process, invariant: Callable[..., None], *args: Any) -> None:
        """Check something of a process; never raises."""
        if self.violation is not None or process.is_foreign:
            return
        try:
            invariant(process, *args)
        except Violation as violation:
            self.violation = violation
        except Exception as error:
            self.violation = Violation.by_simulator(error)

    def violated(self, invariant: str, detail: str, cause: Exception | None = None) -> None:
        """Take note that something that must be so is not; the first one counts."""
        if self.violation is None:
            self.violation = Violation(invariant, detail)
            self.violation.__cause__ = cause

    def note(self, event: str, node_id: str, detail: str = "") -> None:
        """Put an event into the trace."""
        self._hash.update(f"{self.clock.rightNow!r} {node_id} {event}\n".encode())
        if self.timeline is not None:
            self.timeline.append(f"{self.clock.rightNow:9.4f} s  {node_id:4} {event} {detail}")

    def trace_line(self, source: str, target: str, data: bytes) -> None:
        """Put a line that arrives into the trace."""
        self._hash.update(struct.pack("<d", self.clock.rightNow))
        self._hash.update(data)

    @property
    def trace_hash(self) -> str:
        """What all that has happened comes to: equal for equal runs."""
        return self._hash.hexdigest()

    def new_id(self) -> str:
        """Return an id that was not used before."""
        self._ids += 1
        return f"{self._ids:032x}"
