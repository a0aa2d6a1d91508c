"""What a run allows, demands and reports, shown by runs made for it."""

import pytest
from twisted.internet.defer import Deferred, succeed

from minicloud.node.node import Node
from tests.sim.faults import FAULTS
from tests.sim.invariants.log_matching import LogMatching
from tests.sim.invariants.promises import Promises
from tests.sim.leftovers import leftovers
from tests.sim.network import SimTransport
from tests.sim.plan import Fault, Plan, Request
from tests.sim.run import Run, run_plan
from tests.sim.settings import SimSettings
from tests.sim.violation import Violation
from tests.sim.world import World


def plan_of(*faults, requests=(), voters=3, seed=1, length_s=2.0):
    return Plan(seed, SimSettings(voters=voters), faults, requests, length_s)


def fault(kind, at_s=0.5, pick=0.5, for_s=0.1, amount=0.5):
    return Fault(at_s, kind, pick, for_s, amount)


def run_of(**options):
    """Return a run whose cluster has had a second to elect a leader."""
    run = Run(plan_of(**options))
    run.world.run(1.0)
    return run


def strike(run, kind, **options):
    return FAULTS[kind](run, fault(kind, **options))


# The end of all faults


def test_handshakes_whose_lines_a_cut_has_swallowed_begin_anew_when_faults_end():
    """Both voters dial as they start, the network splits, and faults end at once: TCP would repeat the lines."""
    faults = fault("remove_member", 0.6), fault("blackout", 1.5), fault("split", 1.602, 0.6, 0.5, 0.1)
    for seed in range(12):
        result = run_plan(plan_of(*faults, seed=seed, length_s=1.615))
        assert result.violation == "", (seed, result.detail)


# Folders of another cluster


def test_no_node_is_added_while_a_machine_that_is_down_has_the_folder_of_another_cluster():
    run = run_of()
    back = strike(run, "other_cluster", pick=0.5)
    foreign = next(process for process in run.world.up if process.is_foreign)
    run.world.kill(foreign.node_id)
    assert run.has_other_cluster
    strike(run, "add_member")
    assert len(run.world.machines) == 3
    back()
    assert not run.has_other_cluster
    strike(run, "add_member")
    assert len(run.world.machines) == 4


def test_a_folder_whose_identity_is_damaged_is_of_no_known_cluster():
    machine = run_of().world.machines["n1"]
    machine.disk.crash_after(0)
    assert machine.cluster_id, "a look from outside is no operation of the process"
    machine.disk.files.flip("identity.json", 5)
    assert machine.cluster_id == ""
    machine.disk.wiped()
    assert machine.cluster_id == ""


# What nodes say yes to


GRANTED = "what is granted has come about"


@pytest.mark.parametrize(
    ("method", "kind"),
    [("join", "add_member"), ("join", "add_learner"), ("remove", "remove_member"), ("transfer",) * 2],
)
def test_a_yes_to_what_has_not_come_about_is_a_violation(monkeypatch, method, kind):
    plan = plan_of(fault(kind, 1.0))
    assert run_plan(plan).violation == ""
    monkeypatch.setattr(Node, method, lambda *_: succeed(None))
    assert run_plan(plan).violation == GRANTED


def test_a_transfer_to_another_node_than_the_named_one_is_a_violation(monkeypatch):
    plan = plan_of(fault("transfer", 1.0, amount=0.1))
    transfer = Node.transfer

    def to_somebody_else(node, target, timeout_s):
        others = (voter for voter in node._driver.raft.configuration.voters if voter not in (node.node_id, target))
        return transfer(node, next(others), timeout_s)

    assert run_plan(plan).violation == ""
    monkeypatch.setattr(Node, "transfer", to_somebody_else)
    assert run_plan(plan).violation == GRANTED


def test_whoever_has_joined_is_a_member_at_the_end_unless_somebody_asked_for_its_removal():
    run = run_of()
    world = run.world
    strike(run, "add_member")
    world.until(lambda: not world.has_wishes, 5.0)
    assert world.lost_members == []
    leader = world.leader
    leader.run("removes for no reason", leader.node.remove, "n4", False, 2.0)
    world.run(0.5)
    assert world.lost_members == ["n4"]
    world.remove("n4")
    assert world.lost_members == []


def test_a_join_that_is_lost_ends_a_run(monkeypatch):
    monkeypatch.setattr(World, "lost_members", ["n4"])
    result = run_plan(plan_of())
    assert (result.violation, result.detail) == (GRANTED, "joined, and no members: ['n4']")


# Answers


def test_a_request_that_a_node_never_answers_is_a_violation(monkeypatch):
    """The client gives up after a while, as if its answer had been lost on the way."""
    plan = plan_of(requests=(Request(1.0, "put", "k", 0.1), Request(1.5, "newer", "k", 0.1)))
    assert run_plan(plan).violation == ""
    monkeypatch.setattr(Node, "wait_applied", lambda *_: Deferred())
    result = run_plan(plan)
    assert result.violation == "every request is answered"


def test_a_process_that_is_gone_owes_no_answer():
    world = run_of().world
    first, second = world.up[:2]
    world.expect_answer(first, Deferred())
    world.expect_answer(second, answer := Deferred())
    assert world.unanswered == {first.name: 1, second.name: 1}
    world.kill(first.node_id)
    assert world.unanswered == {second.name: 1}
    answer.callback(None)
    assert world.unanswered == {}


# What is counted


@pytest.mark.parametrize("kind", ["flipped_bit", "exchanged_disks", "isolate", "split", "remove_member", "rejoin"])
def test_a_fault_that_does_nothing_is_not_counted(kind):
    """A cluster of one can do without nothing, and be cut off from nobody."""
    assert run_plan(plan_of(fault(kind, 1.0), voters=1)).faults[kind] == 0


@pytest.mark.parametrize("kind", ["kill", "leap", "flipped_bit", "exchanged_disks", "isolate", "split", "add_member"])
def test_a_fault_that_does_something_is_counted(kind):
    assert run_plan(plan_of(fault(kind, 1.0))).faults[kind] == 1


# Faults of the simulator itself


def fails(*_):
    raise AssertionError("of the simulator's own")


@pytest.mark.parametrize(
    ("owner", "name"), [(LogMatching, "after"), (Promises, "sending"), (Run, "_recover"), (Run, "__init__")]
)
def test_a_fault_of_the_simulator_is_a_violation_of_that_seed(monkeypatch, owner, name):
    """It must not end a campaign of a night, and nobody would know with which seed."""
    monkeypatch.setattr(owner, name, lambda *_, **__: fails())
    result = run_plan(plan_of(length_s=0.5, seed=17))
    assert (result.seed, result.violation) == (17, "no fault of the simulator's own")
    first, *traceback = result.detail.splitlines()
    assert first == "AssertionError: of the simulator's own"
    assert any("in fails" in line for line in traceback)


# What is held for ever


def hold_a_file(process):
    process.disk.files.put("snapshots/9.tmp", b"half")


def hold_a_file_open(process):
    process.disk.files.open_read("hard_state")


def hold_connections(process):
    network, target = process.world.network, process.world.machines["n2" if process.node_id == "n1" else "n1"]
    for _ in range(2):
        ours, theirs = SimTransport(network, process), SimTransport(network, target.process)
        ours.other, theirs.other = theirs, ours
        network._transports[ours] = network._transports[theirs] = None


def hold_timers(process):
    for _ in range(100):
        process.clock.callLater(1000.0, list)


def hold_a_waiter(process):
    process.node._driver.deadlines.wait(1000.0, lambda waiter: TimeoutError())


@pytest.mark.parametrize(
    ("hold", "what"),
    [
        (hold_a_file, "files on disk"),
        (hold_a_file_open, "open files"),
        (hold_connections, "connections"),
        (hold_timers, "timers"),
        (hold_a_waiter, "waiters"),
    ],
)
def test_a_node_that_holds_something_for_ever_is_told(hold, what):
    run = run_of()
    run._leave_nothing()
    process = run.world.process("n1")
    hold(process)
    assert list(leftovers(process)) == [what]
    with pytest.raises(Violation, match=f"nothing is held for ever.*{what}"):
        run._leave_nothing()
