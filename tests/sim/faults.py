"""What can go wrong, by name. Each fault is undone when its time is over, or when all faults end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from twisted.internet.defer import Deferred

from minicloud.node.errors import NodeError
from minicloud.raft.configuration import Configuration, Member
from minicloud.raft.entries import Entry, EntryKind, HardState
from minicloud.storage.storage import Storage
from tests.sim.disk import Disk
from tests.sim.process import Machine, Process

if TYPE_CHECKING:
    from tests.sim.plan import Fault
    from tests.sim.run import Run

MAX_MACHINES = 7
LEADER_SHARE = 0.4
"""How often a fault meets the leader."""

OTHER_CLUSTER_ID = "d" * 32

Undo: TypeAlias = Callable[[], object] | None


def nothing() -> None:
    """What a fault returns that met nobody, or that was not allowed: it has done nothing, and is not counted."""


def _process(run: Run, fault: Fault) -> Process | None:
    """Return whom the fault meets, of those that run."""
    up = [process for process in run.world.up if not process.is_foreign]
    leader = run.world.leader
    if not up:
        return None
    if leader is not None and fault.pick < LEADER_SHARE:
        return leader
    return up[int(fault.pick * 1000) % len(up)]


def _machines(run: Run, fault: Fault) -> list[Machine]:
    """Return all machines, the one that the fault meets first."""
    process = _process(run, fault)
    everybody = [machine for _, machine in sorted(run.world.machines.items())]
    if process is None:
        return everybody
    return [process.machine, *(machine for machine in everybody if machine is not process.machine)]


# Processes


def kill(run: Run, fault: Fault) -> Undo:
    """SIGKILL, and a restart."""
    process = _process(run, fault)
    if process is None:
        return nothing
    run.world.kill(process.node_id)
    return lambda: run.start(process.node_id)


def power(run: Run, fault: Fault) -> Undo:
    """Power loss of one machine."""
    process = _process(run, fault)
    if process is None:
        return nothing
    run.world.cut_power(process.node_id)
    return lambda: run.start(process.node_id)


def kill_all(run: Run, fault: Fault) -> Undo:
    """SIGKILL for everybody at once."""
    for process in run.world.up:
        run.world.kill(process.node_id)
    return run.start_all


def blackout(run: Run, fault: Fault) -> Undo:
    """Power loss of all machines at once."""
    for process in run.world.up:
        run.world.cut_power(process.node_id)
    return run.start_all


def crash_point(run: Run, fault: Fault) -> Undo:
    """SIGKILL at one of the next operations on files."""
    process = _process(run, fault)
    if process is None:
        return nothing
    process.disk.crash_after(int(fault.amount * 40))
    return lambda: run.start(process.node_id)


def stop(run: Run, fault: Fault) -> Undo:
    """SIGSTOP, then SIGCONT."""
    process = _process(run, fault)
    if process is None:
        return nothing
    process.stop_acting()
    return process.act_again


def end_gracefully(run: Run, fault: Fault) -> Undo:
    """SIGTERM: leadership is handed over, then the process ends."""
    process = _process(run, fault)
    if process is None:
        return nothing

    def ended(_: object) -> None:
        if process.is_up:
            run.world.clock.call_in(0, lambda: process.is_up and run.world.kill(process.node_id))

    def terminate() -> None:
        stopped = process.node.stop()
        run.world.expect_answer(process, stopped)
        stopped.addBoth(ended)

    process.run("terminate", terminate)
    return lambda: run.restart(process.node_id)


# Clocks


def leap(run: Run, fault: Fault) -> Undo:
    """A clock goes forward by up to 2 s at once."""
    process = _process(run, fault)
    if process is None:
        return nothing
    process.clock.leap(fault.amount * 2)
    return None


# Disks


def slow_disk(run: Run, fault: Fault) -> Undo:
    """Each sync takes up to 0.3 s."""
    process = _process(run, fault)
    if process is None:
        return nothing
    disk = process.disk
    disk.sync_s = fault.amount**2 * 0.3
    return lambda: setattr(disk, "sync_s", 0.0)


def sync_error(run: Run, fault: Fault) -> Undo:
    """One of the next syncs fails with EIO: the process must end."""
    process = _process(run, fault)
    if process is None:
        return nothing
    process.disk.files.fail_sync(int(fault.amount * 8))
    return lambda: run.start(process.node_id)


def disk_full(run: Run, fault: Fault) -> Undo:
    """There is room for little more."""
    process = _process(run, fault)
    if process is None:
        return nothing
    disk = process.disk
    disk.files.capacity = disk.files.used_bytes + int(fault.amount * 3000)
    return lambda: setattr(disk.files, "capacity", None)


def flipped_bit(run: Run, fault: Fault) -> Undo:
    """A byte of what was on the disk for good changes while the process is down. The node is built anew from its peers."""
    process = _process(run, fault)
    if process is None or not run.may_lose_data(process):
        return nothing
    machine = process.machine
    log = process.storage._log
    proven = log._segments[-1].path, log._proven
    run.world.kill(process.node_id)
    path, size = _damageable(machine, proven, fault)
    machine.disk.files.flip(path, int(fault.amount * 997) % size)
    run.world.note("flips a bit", process.node_id, path)
    run.world.start(process.node_id)
    if machine.process is None or "damaged" in machine.is_refusing:
        run.rebuild(process.node_id)
    return None


def _damageable(machine: Machine, proven: tuple[str, int], fault: Fault) -> tuple[str, int]:
    files = machine.disk.files
    newest, proven_bytes = proven
    found = [("hard_state", files.size("hard_state")), ("identity.json", files.size("identity.json"))]
    found += [(f"log/{name}", files.size(f"log/{name}")) for name in files.list("log") if f"log/{name}" < newest]
    found += [(newest, proven_bytes)] * (files.exists(newest) and proven_bytes > 0)
    found += [(f"snapshots/{name}", files.size(f"snapshots/{name}")) for name in files.list("snapshots")]
    found = [(path, size) for path, size in found if size]
    return found[int(fault.pick * 10_000) % len(found)]


def wiped_disk(run: Run, fault: Fault) -> Undo:
    """A node starts with an empty folder. It must not vote, and is built anew from its peers."""
    process = _process(run, fault)
    if process is None or not run.may_lose_data(process):
        return nothing
    run.world.kill(process.node_id)
    if fault.amount < 0.5:
        process.machine.disk.wiped()
        run.world.start(process.node_id)  # by mistake, before anybody has told the cluster
    run.lost_data, run.awaits_rebuilding = process.node_id, True
    run.world.clock.call_in(fault.for_s / 2, run.rebuild_if_awaited)
    return None


def exchanged_disks(run: Run, fault: Fault) -> Undo:
    """Two nodes start with each other's folders: both refuse."""
    one, other = _machines(run, fault)[:2] if len(run.world.machines) > 1 else (None, None)
    if one is None or other is None or run.lost_data in (one.node_id, other.node_id):
        return nothing
    for machine in (one, other):
        run.world.kill(machine.node_id)
    one.disk.exchanged(other.disk)
    for machine in (one, other):
        before = machine.disk.files.fingerprint()
        if run.world.start(machine.node_id) is not None:
            run.world.violated("a foreign folder is refused", machine.node_id)
        if machine.disk.files.clone().fingerprint() != before and machine.disk.files.fingerprint() != before:
            run.world.violated("a refused start changes nothing", machine.node_id)
    one.disk.exchanged(other.disk)
    for machine in (one, other):
        run.world.start(machine.node_id)
    return None


def other_cluster(run: Run, fault: Fault) -> Undo:
    """A node runs for a while with the folder of another cluster, which has seen more terms: nobody listens to it."""
    process = _process(run, fault)
    world = run.world
    if process is None or run.lost_data or not all(machine.cluster_id for machine in world.machines.values()):
        return nothing  # a node without a cluster would become part of this one, as it should
    machine = process.machine
    world.kill(machine.node_id)
    own, machine.disk = machine.disk, _foreign_disk(machine)
    world.start(machine.node_id)

    def back() -> None:
        world.kill(machine.node_id)
        machine.disk = own
        run.start(machine.node_id)

    return back


def _foreign_disk(machine: Machine) -> Disk:
    disk = Disk()
    storage = Storage.open(disk.files, node_id=machine.node_id, new_instance_id=lambda: "e" * 32)
    member = Member(machine.node_id, machine.raft_addr, machine.http_addr, instance_id="e" * 32)
    others = [Member(f"n{number}", f"n{number}:9011", f"n{number}:9001") for number in range(1, 4)]
    members = (member, *(other for other in others if other.node_id != machine.node_id))
    storage.append([Entry(40, 1, EntryKind.CONFIGURATION, configuration=Configuration(members))])
    storage.sync()
    storage.save_hard_state(HardState(60, ""))
    storage.set_cluster(OTHER_CLUSTER_ID)
    storage.close()
    return disk


# Links


def cut_one_way(run: Run, fault: Fault) -> Undo:
    """Nothing passes from one machine to another; the other way it does."""
    one, *others = _machines(run, fault)
    if not others:
        return nothing
    other = others[int(fault.amount * 1000) % len(others)]
    network, ends = run.world.network, (one.node_id, other.node_id)
    if fault.amount < 0.5:
        ends = ends[::-1]
    network.cut(*ends)
    return lambda: network.mend(*ends)


def isolate(run: Run, fault: Fault) -> Undo:
    """One machine hears nobody, or is heard by nobody, or both."""
    one, *others = _machines(run, fault)
    pairs = []
    for other in others:
        if fault.amount < 0.75:
            pairs.append((one.node_id, other.node_id))
        if fault.amount > 0.25:
            pairs.append((other.node_id, one.node_id))
    return _cut_all(run, pairs)


def split(run: Run, fault: Fault) -> Undo:
    """The network falls into two parts."""
    names = [machine.node_id for machine in _machines(run, fault)]
    size = 1 + int(fault.amount * (len(names) - 1))
    pairs = [(a, b) for a in names[:size] for b in names[size:]]
    return _cut_all(run, pairs + [(b, a) for a, b in pairs])


def _cut_all(run: Run, pairs: list[tuple[str, str]]) -> Undo:
    if not pairs:
        return nothing
    network = run.world.network
    for pair in pairs:
        network.cut(*pair)

    def mend() -> None:
        for pair in pairs:
            network.mend(*pair)

    return mend


def reset_links(run: Run, fault: Fault) -> Undo:
    """All connections of one machine break."""
    one, *others = _machines(run, fault)
    if not others:
        return nothing
    for other in others:
        run.world.network.reset_links(one.node_id, other.node_id)
    return None


def bad_weather(run: Run, fault: Fault) -> Undo:
    """Lines get lost, are repeated, are overtaken, and take their time."""
    network = run.world.network
    network.worsen(
        loss=fault.amount**2 * 0.3,
        duplication=fault.pick**2 * 0.3,
        reordering=(fault.amount * 7 % 1) ** 2 * 0.4,
        late_s=0.01 + 2.0 * (fault.pick * 7 % 1) ** 6,
        delay_s=(0.0005, 0.003 + 0.05 * (fault.amount * 13 % 1) ** 3),
    )
    return lambda: network.worsen(loss=0.0, duplication=0.0, reordering=0.0, delay_s=(0.0005, 0.003))


def answers_lost(run: Run, fault: Fault) -> Undo:
    """Some answers do not get to the clients."""
    clients = run.world.clients
    clients.answer_loss = fault.amount
    return lambda: setattr(clients, "answer_loss", 0.0)


# Members


def add_member(run: Run, fault: Fault) -> Undo:
    """A new node joins, to become a voter."""
    return _add(run, voter=True)


def add_learner(run: Run, fault: Fault) -> Undo:
    """A new node joins and stays a learner."""
    return _add(run, voter=False)


def _add(run: Run, voter: bool) -> Undo:
    world = run.world
    if len(world.machines) >= MAX_MACHINES or run.has_other_cluster:
        return nothing
    node_id = f"n{len(world.machines) + 1}"
    world.add_machine(node_id)
    world.start(node_id)
    world.join(node_id, voter)
    return None


def remove_member(run: Run, fault: Fault) -> Undo:
    """A member is removed, the leader perhaps."""
    process = _process(run, fault)
    if process is None or run.lost_data or len(run.world.configuration.voters) < 2:
        return nothing
    run.world.remove(process.node_id)
    return None


def rejoin(run: Run, fault: Fault) -> Undo:
    """A node that was removed comes back with its old data."""
    configuration = run.world.configuration
    up = run.world.up if configuration.members else []
    out = [process for process in up if not process.is_foreign and configuration.get(process.node_id) is None]
    if not out:
        return nothing
    run.world.drop_wish(f"remove {out[0].node_id}")
    run.world.join(out[0].node_id)
    return None


def transfer(run: Run, fault: Fault) -> Undo:
    """Leadership is handed over."""
    leader = run.world.leader
    if leader is None:
        return nothing
    others = [each for each in run.world.up if each is not leader]
    target = others[int(fault.pick * 1000) % len(others)].node_id if others and fault.amount < 0.5 else None

    def ask() -> None:
        term = leader.raft.current_term
        asked: Deferred[None] = leader.node.transfer(target, 2.0)
        run.world.expect_answer(leader, asked)
        asked.addCallbacks(granted, lambda failure: failure.trap(NodeError), (term,))

    def granted(_: object, term: int) -> None:
        led = run.world.invariants.election_safety.led_after(term)
        if not led - {leader.node_id} or target not in (None, *led):
            detail = f"{leader.name} hands over to {target or 'anybody'}, since then have led: {sorted(led)}"
            run.world.violated("what is granted has come about", detail)

    leader.run("admin", ask)
    return None


FAULTS: dict[str, Callable[[Run, Fault], Undo]] = {
    function.__name__: function
    for function in (
        kill,
        power,
        kill_all,
        blackout,
        crash_point,
        stop,
        end_gracefully,
        leap,
        slow_disk,
        sync_error,
        disk_full,
        flipped_bit,
        wiped_disk,
        exchanged_disks,
        other_cluster,
        cut_one_way,
        isolate,
        split,
        reset_links,
        bad_weather,
        answers_lost,
        add_member,
        add_learner,
        remove_member,
        rejoin,
        transfer,
    )
}
"""By name, in a fixed order: seeds draw from it."""
