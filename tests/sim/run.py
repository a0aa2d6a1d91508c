"""One run of a plan: faults and requests, then an end of all faults, after which the cluster must recover."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from attrs import Factory, define
from twisted.logger import LogLevel, globalLogPublisher

from minicloud.raft.configuration import Suffrage
from minicloud.storage.memory_files import MachineStopped
from tests.sim.faults import FAULTS, Undo, nothing
from tests.sim.leftovers import leftovers
from tests.sim.linearizability import BudgetExhausted, NotLinearizable, check_history
from tests.sim.plan import Fault, Plan, Request
from tests.sim.process import CLUSTER_ID, Process
from tests.sim.violation import Violation
from tests.sim.world import World

LIVENESS_TIMEOUTS = 10
"""Election timeouts (the longest) after the end of all faults, within which a write must be answered."""

CONVERGENCE_S = 30.0
"""After that: until all members have the same state, and all changes of the members have come about."""

ANSWERS_S = 3.0
"""After that: until everything is answered that any node was asked for. Nothing is given more than 2 s."""

LEFTOVERS_S = 15.0
"""After that: until no node holds anything any more but what it always needs. A transfer without an answer is given up
after 10 s, and nothing else has as long."""

PROBE_EVERY_S = 0.05


@define
class Result:
    """What came of a run."""

    seed: int
    violation: str = ""
    """Which invariant, empty where all held."""
    detail: str = ""
    steps: int = 0
    simulated_s: float = 0.0
    seconds: float = 0.0
    operations: int = 0
    answered: int = 0
    recovery_s: float = 0.0
    """From the end of the faults to the first answered write."""
    faults: Counter[str] = Factory(Counter)
    lines: Counter[str] = Factory(Counter)
    trace_hash: str = ""
    timeline: list[str] | None = None


class Run:
    """A plan under way."""

    def __init__(self, plan: Plan, *, keeps_timeline: bool = False) -> None:
        self.plan = plan
        self.world = World(plan.settings, plan.seed, keeps_timeline=keeps_timeline)
        self.lost_data: str = ""
        """The node whose data is lost, until it is a voter again. Never two at a time: that is more than Raft stands."""
        self.awaits_rebuilding = False
        """Whether that data is still to go: its disk is to be wiped in a moment."""
        self.recovery_s = 0.0
        self._undo: dict[int, Undo] = {}
        self._has_ended = False

    # The whole of it

    def go(self) -> None:
        """Do everything. Raises Violation."""
        world = self.world
        began = world.clock.rightNow
        for number, fault in enumerate(self.plan.faults):
            world.clock.call_at(began + fault.at_s, self._strike, number, fault)
        for request in self.plan.requests:
            world.clock.call_at(began + request.at_s, self._ask, request)
        world.run(self.plan.length_s)
        self._end_faults()
        self._recover()
        self._converge()
        check_history(world.clients.history())

    def _strike(self, number: int, fault: Fault) -> None:
        world = self.world
        world.note("fault", "", str(fault))
        self._forget_lost_data()
        undo = FAULTS[fault.kind](self, fault)
        if undo is nothing:
            return
        world.counts[fault.kind] += 1
        if undo is not None:
            self._undo[number] = undo
            world.clock.call_in(fault.for_s, self._undo_one, number)

    def _undo_one(self, number: int) -> None:
        undo = self._undo.pop(number, None)
        if undo is not None:
            self.world.note("ends", "", str(self.plan.faults[number]))
            undo()

    def _ask(self, request: Request) -> None:
        clients = self.world.clients
        names = sorted(self.world.machines)
        via = names[int(request.pick * 1000) % len(names)]
        leader = self.world.leader
        if leader is not None and request.pick < 0.5:
            via = leader.node_id
        if request.kind == "put":
            clients.put(request.key, via, condition=request.condition, size_bytes=request.size_bytes)
        elif request.kind == "delete":
            clients.delete(request.key, via, condition=request.condition)
        elif request.kind == "newer":
            clients.get(request.key, via, min_revision=clients.newest_revision)
        else:
            clients.get(request.key, via, stale=request.kind == "stale")

    # After the faults

    def _end_faults(self) -> None:
        world = self.world
        for number in sorted(self._undo):
            self._undo_one(number)
        world.note("all faults end", "")
        world.network.mend_all()
        world.clients.answer_loss = 0.0
        for node_id, machine in sorted(world.machines.items()):
            world.drop_wish(f"remove {node_id}")
            machine.disk.heal()
            if machine.process is not None:
                machine.process.act_again()
        self.rebuild_if_awaited()
        self.start_all()

    def _recover(self) -> None:
        """A write must be answered soon."""
        world = self.world
        calls: list[Any] = []
        began = world.clock.rightNow
        limit_s = LIVENESS_TIMEOUTS * world.settings.election_timeout_s

        def probe() -> None:
            leader = world.leader
            if not any(call.status == "done" for call in calls):
                world.clock.call_in(PROBE_EVERY_S, probe)
                if leader is not None:
                    calls.append(world.clients.put("probe", leader.node_id))

        probe()
        world.until(lambda: any(call.status == "done" for call in calls), limit_s, "a write that is answered")
        self.recovery_s = world.clock.rightNow - began

    def _converge(self) -> None:
        world = self.world
        world.until(lambda: not world.has_wishes and self._is_converged(), CONVERGENCE_S, "all members have one state")
        if world.lost_members:
            raise Violation("what is granted has come about", f"joined, and no members: {world.lost_members}")
        self._read_everywhere()
        self._answer_everybody()
        world.until(lambda: all(call.is_settled for call in world.clients.calls), CONVERGENCE_S, "clients are done")
        self._leave_nothing()

    def _answer_everybody(self) -> None:
        """Whoever was asked for something before must have said by now what came of it, or that its time is over.

        Clients give up by themselves (``Clients._give_up``): only the nodes' own Deferreds tell.
        """
        world = self.world
        end_s = world.clock.rightNow + ANSWERS_S
        world.until(lambda: not world.unanswered or world.clock.rightNow > end_s, CONVERGENCE_S)
        if world.unanswered:
            detail = f"{ANSWERS_S} s later, so many answers are still owed: {world.unanswered}"
            raise Violation("every request is answered", detail)

    def _leave_nothing(self) -> None:
        """Let every node come to rest: what it holds then, it holds for ever."""
        world = self.world
        end_s = world.clock.rightNow + LEFTOVERS_S
        world.until(lambda: not self._leftovers() or world.clock.rightNow > end_s, CONVERGENCE_S)
        if left := self._leftovers():
            raise Violation("nothing is held for ever", f"{LEFTOVERS_S} s later, nodes still hold: {left}")

    def _leftovers(self) -> dict[str, dict[str, object]]:
        held = {process.name: leftovers(process) for process in self.world.up if not process.is_foreign}
        return {name: found for name, found in held.items() if found}

    def _read_everywhere(self) -> None:
        """Each member must answer a linearizable read."""
        world = self.world
        reads = [world.clients.get("probe", member.node_id) for member in world.configuration.members]
        world.until(lambda: all(read.is_settled for read in reads), CONVERGENCE_S, "reads are answered")
        if not all(read.status == "done" for read in reads):
            raise Violation(
                "liveness", f"after all faults, reads end so: {[(read.via, read.status) for read in reads]}"
            )

    def _is_converged(self) -> bool:
        world = self.world
        states = set()
        for member in world.configuration.members:
            process = world.machines[member.node_id].process
            if process is None or process.instance_id != member.instance_id:
                return False
            if member.auto_promote and member.suffrage is not Suffrage.VOTER:
                return False
            states.add((process.node.store.applied_index, process.raft.log.last_index))
        applied = {item for state in states for item in state}
        return len(applied) == 1

    # What faults need

    def start(self, node_id: str) -> None:
        """Start a machine's process if there is none; where its data is damaged, build it anew."""
        if self.world.machines[node_id].process is None:
            self.world.start(node_id)

    def restart(self, node_id: str) -> None:
        """End a process that may still be there, and start it."""
        if self.world.machines[node_id].process is not None:
            self.world.kill(node_id)
        self.world.start(node_id)

    def start_all(self) -> None:
        """Start everything that is down."""
        for node_id in sorted(self.world.machines):
            self.start(node_id)

    @property
    def has_other_cluster(self) -> bool:
        """Whether some machine has the folder of another cluster: what is down may be started at any moment."""
        return any(machine.cluster_id not in ("", CLUSTER_ID) for machine in self.world.machines.values())

    def may_lose_data(self, process: Process) -> bool:
        """Return whether the data of that node can go without more being lost than a majority can make good."""
        world = self.world
        if self.lost_data or world.has_wishes or self.has_other_cluster:
            return False
        for member in world.configuration.members:
            other = world.machines[member.node_id].process
            if other is None or other.is_foreign or other.failure is not None:
                return False
            voters = other.raft.configuration.voters
            if len(voters) < 3 or other.raft.log.configuration_index > other.raft.commit_index:
                return False
        return len(world.configuration.voters) >= 3 and not any(
            other.raft.log.configuration_index > other.raft.commit_index for other in world.up
        )

    def rebuild_if_awaited(self) -> None:
        """Build the node anew whose data is lost, unless that was done."""
        if self.awaits_rebuilding:
            self.rebuild(self.lost_data)

    def rebuild(self, node_id: str) -> None:
        """Give a node whose data is lost an empty folder, and have it join."""
        world = self.world
        self.lost_data, self.awaits_rebuilding = node_id, False
        if world.machines[node_id].process is not None:
            world.kill(node_id)
        world.machines[node_id].disk.wiped()
        world.start(node_id)
        world.join(node_id)

    def _forget_lost_data(self) -> None:
        if not self.lost_data or self.awaits_rebuilding:
            return
        process = self.world.machines[self.lost_data].process
        member = self.world.configuration.get(self.lost_data)
        if process is not None and member is not None and member.instance_id == process.instance_id:
            self.lost_data = ""


class _LogWatch:
    """What a node says of its own faults, or of peers that break the protocol, is a violation."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __call__(self, event: dict[str, Any]) -> None:
        failure = event.get("log_failure")
        if failure is not None and not failure.check(MachineStopped):
            self._world.violated("no fault of a node's own", failure.getTraceback())
        elif event.get("log_level") is LogLevel.error and "breaks the protocol" in (event.get("log_format") or ""):
            self._world.violated("peers keep to the protocol", str(event.get("error")))


def run_plan(plan: Plan, *, keeps_timeline: bool = False) -> Result:
    """Run a plan; never raises for what goes wrong in it."""
    began = time.perf_counter()
    result = Result(plan.seed)
    try:
        run = Run(plan, keeps_timeline=keeps_timeline)
        violation = _violation_of(run)
        _describe(run, result)
    except Exception as error:
        violation = Violation.by_simulator(error)
    if violation is not None:
        result.violation, result.detail = violation.invariant, violation.detail
    result.seconds = time.perf_counter() - began
    return result


def _violation_of(run: Run) -> Violation | None:
    """Go through a run; return what was not as it must be."""
    watch = _LogWatch(run.world)
    globalLogPublisher.addObserver(watch)
    try:
        run.go()
    except Violation as violation:
        return violation
    except (NotLinearizable, BudgetExhausted) as error:
        return Violation(type(error).__name__, str(error))
    except Exception as error:
        return run.world.violation or Violation.by_simulator(error)
    finally:
        globalLogPublisher.removeObserver(watch)
    return run.world.violation


def _describe(run: Run, result: Result) -> None:
    """Put into the result what there is to count of a run."""
    world = run.world
    result.steps = world.steps
    result.simulated_s = world.clock.rightNow
    result.operations = len(world.clients.calls)
    result.answered = sum(call.status == "done" for call in world.clients.calls)
    result.recovery_s = run.recovery_s
    result.faults = world.counts
    counts = world.network.counts
    result.lines = Counter(
        delivered=counts.delivered, lost=counts.lost, duplicated=counts.duplicated, reordered=counts.reordered
    )
    result.trace_hash = world.trace_hash
    result.timeline = world.timeline
