"""What the scripts of scenarios share: a cluster, a leader, writes that wait for their answer, messages held back, and the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred

from minicloud.node.errors import NodeError
from minicloud.raft.messages import Message, PreVoteRequest
from minicloud.raft.role import Role
from tests.sim.clients import Call
from tests.sim.linearizability import check_history
from tests.sim.process import Process
from tests.sim.run import CONVERGENCE_S, LIVENESS_TIMEOUTS
from tests.sim.settings import SimSettings
from tests.sim.world import World

ELECTION_S = 5.0
"""Ten election timeouts of the longest: by then somebody must lead."""

# The cluster


def world_of(voters: int = 3, seed: int = 1, **settings: Any) -> World:
    """Return a cluster that has just been started: n1, n2, … ``settings`` are those of SimSettings."""
    return World(SimSettings(voters=voters, **settings), seed)


def elect(world: World, node_id: str | None = None) -> Process:
    """Wait until a leader serves and all who run agree with it; hand leadership to that node where one is named."""
    world.until(lambda: is_settled(world), ELECTION_S, "all agree with a leader")
    leader = leader_of(world)
    if node_id in (None, leader.node_id):
        return leader
    ask(leader, lambda: leader.node.transfer(node_id, 2.0))
    world.until(lambda: is_settled(world) and leader_of(world).node_id == node_id, ELECTION_S, f"{node_id} leads")
    return leader_of(world)


def leader_of(world: World) -> Process:
    """Return the leader of the newest term."""
    leader = world.leader
    assert leader is not None, "nobody leads"
    return leader


def leads(process: Process) -> bool:
    """Return whether that process takes itself for the leader."""
    return process.is_up and process.raft.role is Role.LEADER


def is_settled(world: World) -> bool:
    """Return whether all who run follow one leader and have applied one log, which is committed in its term."""
    leader = world.leader
    if leader is None or leader.raft.commit_index < leader.raft.term_start_index:
        return False
    same = {(each.raft.current_term, each.raft.leader_id, *_ends(each)) for each in world.up}
    return same == {(leader.raft.current_term, leader.node_id, *[leader.raft.log.last_index] * 3)}


def _ends(process: Process) -> tuple[int, int, int]:
    return process.raft.log.last_index, process.raft.commit_index, process.node.store.applied_index


def settle(world: World) -> None:
    """Wait until all who run have applied the same."""
    world.until(lambda: is_settled(world), ELECTION_S, "all agree")


def others(world: World, *node_ids: str) -> list[str]:
    """Return the names of the other machines, in order."""
    return [name for name in sorted(world.machines) if name not in node_ids]


def isolate(world: World, node_id: str) -> None:
    """Cut all links of a node, both ways."""
    for other in others(world, node_id):
        world.network.cut(node_id, other)
        world.network.cut(other, node_id)


def rejoin(world: World, node_id: str) -> None:
    """Undo :func:`isolate`."""
    for other in others(world, node_id):
        world.network.mend(node_id, other)
        world.network.mend(other, node_id)


# Requests


def answered(world: World, call: Call) -> Call:
    """Wait until a client has its answer, and it is a good one."""
    world.until(lambda: call.is_settled, CONVERGENCE_S, f"call #{call.number} is answered")
    assert call.status == "done", f"#{call.number} through {call.via}: {call.status}"
    return call


def write(world: World, key: str = "k", via: str | None = None, **options: Any) -> Call:
    """Write, through the leader where no node is named, and wait for the answer."""
    return answered(world, world.clients.put(key, via or leader_of(world).node_id, **options))


def read(world: World, key: str = "k", via: str | None = None, **options: Any) -> int:
    """Read, through the leader where no node is named; return the number of the call that wrote it, 0 for absent."""
    return answered(world, world.clients.get(key, via or leader_of(world).node_id, **options)).value


@define
class Answer:
    """What became of a Deferred of a node."""

    result: Any = None
    error: NodeError | None = None
    is_there: bool = False

    def _take(self, result: Any) -> None:
        self.result, self.is_there = result, True

    def _take_failure(self, failure: Any) -> None:
        failure.trap(NodeError)
        self.error, self.is_there = failure.value, True


def ask(process: Process, call: Callable[[], Deferred[Any]]) -> Answer:
    """Ask a node something directly, as the HTTP side does. To be called between two steps of the world."""
    answer = Answer()
    process.run("asked", lambda: call().addCallbacks(answer._take, answer._take_failure))
    return answer


# Mail


@frozen
class Letter:
    """A message on its way."""

    source: str
    target: str
    message: Message


@define(eq=False)
class Rule:
    """Which letters are caught, in place of being delivered."""

    kinds: tuple[type, ...]
    source: str | None
    target: str | None
    where: Callable[[Letter], bool]
    caught: list[Letter] = field(factory=list)
    is_in_force: bool = True

    def wants(self, letter: Letter) -> bool:
        """Return whether a letter is to be caught."""
        return (
            self.is_in_force
            and (not self.kinds or isinstance(letter.message, self.kinds))
            and self.source in (None, letter.source)
            and self.target in (None, letter.target)
            and self.where(letter)
        )

    def end(self) -> None:
        """Let letters pass from now on; those caught stay caught, until somebody delivers them."""
        self.is_in_force = False


def _all(letter: Letter) -> bool:
    return True


class Post:
    """All messages between the nodes of a world (its ``network.script``): what was sent, and what is held back."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.sent: list[Letter] = []
        """Everything that was sent over links, caught or not."""
        self._rules: list[Rule] = []
        world.network.script = self._decide

    def catch(
        self,
        *kinds: type,
        source: str | None = None,
        target: str | None = None,
        where: Callable[[Letter], bool] = _all,
    ) -> Rule:
        """Catch messages of those kinds (any, where none is named), from and to those nodes, until the rule ends."""
        rule = Rule(kinds, source, target, where)
        self._rules.append(rule)
        return rule

    def only_candidate(self, *node_ids: str) -> Rule:
        """Let no other nodes ask for votes."""
        return self.catch(PreVoteRequest, where=lambda letter: letter.source not in node_ids)

    def deliver(self, letter: Letter) -> None:
        """Bring a letter to its target now, whatever the state of the links; also one that was delivered before."""
        process = self.world.process(letter.target)
        process.run("letter", process.node.message_received, letter.source, letter.message)

    def release(self, *rules: Rule) -> None:
        """End rules, or all of them; what they have caught is lost."""
        for rule in rules or self._rules:
            rule.end()

    def letters(self, *kinds: type, source: str | None = None, target: str | None = None) -> list[Letter]:
        """Return the letters of those kinds that were sent, caught or not."""
        rule = Rule(kinds, source, target, _all)
        return list(filter(rule.wants, self.sent))

    def _decide(self, source: str, target: str, message: Message) -> float | None:
        letter = Letter(source, target, message)
        self.sent.append(letter)
        for rule in self._rules:
            if rule.wants(letter):
                rule.caught.append(letter)
                return None
        return 0.0


# The end


def check(world: World) -> None:
    """End all faults and start what is down. Then a write is answered soon, all have one state, and the history is linearizable."""
    world.network.script = None
    world.network.mend_all()
    world.clients.answer_loss = 0.0
    for node_id, machine in sorted(world.machines.items()):
        machine.disk.heal()
        if machine.process is not None:
            machine.process.act_again()
        else:
            world.start(node_id)
    _recover(world)
    world.until(lambda: not world.has_wishes and _is_converged(world), CONVERGENCE_S, "all members have one state")
    world.until(lambda: all(call.is_settled for call in world.clients.calls), CONVERGENCE_S, "all clients are told")
    check_history(world.clients.history())


def _recover(world: World) -> None:
    began, calls = world.clock.rightNow, list[Call]()
    while not any(call.status == "done" for call in calls):
        limit_s = LIVENESS_TIMEOUTS * world.settings.election_timeout_s
        assert world.clock.rightNow - began < limit_s, f"no write is answered within {limit_s} s"
        if world.leader is not None:
            calls.append(world.clients.put("probe", world.leader.node_id))
        world.run(0.05)


def _is_converged(world: World) -> bool:
    members = world.configuration.members
    found = [world.machines[member.node_id].process for member in members]
    states = {(*_ends(process), process.node.store.digest()) for process in found if process is not None}
    return None not in found and len(states) == 1
