"""``bench``: how it ends when it is interrupted, when requests fail, and when nobody can see its progress any more."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred, ensureDeferred

from minicloud.cli.load import TIDY_WHEN_INTERRUPTED_S, Load, Plan
from minicloud.cli.session import Visit
from minicloud.client import ClientError
from tests.cli.little_node import little_node
from tests.cli.real_cluster import CLOUDCTL, PATIENCE_S
from tests.cli.test_bench import Store
from tests.client.network import STEP_S, Network, silence
from tests.harness.processes import TOP, environment

HERE = "127.0.0.1:9001"
LONGEST_S = TIDY_WHEN_INTERRUPTED_S + 2 * STEP_S
PLAN = Plan("put", 4, 10, 20, 0.5, 80.0, "bench/x/", False)
TIMEOUT_S = 60.0
"""Of each request: much longer than anybody who presses Ctrl+C may have to wait."""


@define
class Seen:
    """Progress; ``fail_at`` is from which time on the terminal is gone."""

    fail_at: int = sys.maxsize
    shown: list[str] = field(factory=list)

    def show(self, what: str, fraction: float, told: str) -> None:
        self.shown.append(what)
        if len(self.shown) >= self.fail_at:
            raise OSError(errno.EIO, "Input/output error")


@define
class Run:
    """A load that runs on the clock of a network."""

    network: Network
    plan: Plan = PLAN
    progress: Seen = field(factory=Seen)
    visit: Visit = field(init=False)
    load: Load = field(init=False)
    ended: Deferred[None] = field(init=False)

    def __attrs_post_init__(self) -> None:
        clock = self.network.clock
        self.visit = Visit(clock, lambda: self.network.client(HERE, timeout_s=TIMEOUT_S), clock.seconds)
        self.load = Load(self.plan, self.visit, self.progress)
        self.ended = ensureDeferred(self.load.run())

    def interrupt(self) -> Deferred[None]:
        """Begin to stop the reactor, and return what it waits for."""
        ((end, arguments, _),) = self.network.clock.triggers["before"]["shutdown"]
        return end(*arguments)

    def advance_to(self, what: str) -> None:
        """Let time pass until it shows that it is there, and a little longer."""
        while what not in self.progress.shown:
            self.network.advance(STEP_S)
        self.network.advance(STEP_S)


@pytest.fixture
def store(network: Network) -> Store:
    store = Store()
    network.serve(HERE, always=store)
    return store


@pytest.mark.parametrize("fail_at", [1, 2, 4, 5])
def test_a_terminal_that_is_gone_stops_neither_the_measuring_nor_the_end(
    network: Network, store: Store, fail_at: int
) -> None:
    run = Run(network, progress=Seen(fail_at))
    network.result(run.ended)
    assert (store.keys, run.load.measured.left) == ({}, 0)
    assert run.load.measured.requests > 20
    assert len(run.progress.shown) >= fail_at
    assert run.interrupt().called, "nothing holds up the reactor"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_that_is_closed_meanwhile_ends_it_cleanly(tmp_path: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    with little_node() as server:
        command = [*CLOUDCTL, "bench", "mixed", "--duration", "2", "--keys", "100", "-o", "json", "-s", server]
        process = subprocess.Popen(
            command, cwd=TOP, env=environment(TERM="xterm"), stdout=subprocess.PIPE, stderr=theirs
        )
        os.close(theirs)
        shown = b""
        while b"a second" not in shown:
            shown += os.read(ours, 65536)
        os.close(ours)
        out, _nothing = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, json.loads(out)["keys_left"]) == (0, 0)


@pytest.mark.parametrize("what", ["writing keys", "mixed", "deleting keys"])
def test_ctrl_c_waits_no_longer_than_it_promises_for_a_cluster_that_hangs(
    network: Network, store: Store, what: str
) -> None:
    run = Run(network, evolve(PLAN, workload="mixed", keys=100))
    run.advance_to(what)
    network.sites[HERE].resource.always = silence
    network.advance(STEP_S)
    left = len(store.keys)
    assert left > 0
    began_s = network.clock.seconds()
    network.result(run.interrupt())
    assert network.clock.seconds() - began_s <= LONGEST_S
    assert network.result(run.ended) is None
    assert run.load.measured.left >= left


def test_ctrl_c_for_a_second_time_waits_for_nothing(network: Network, store: Store) -> None:
    run = Run(network)
    run.advance_to("put")
    network.sites[HERE].resource.always = silence
    over = run.interrupt()
    network.advance(1.0)
    assert not over.called
    run.visit.insisted.callback(None)
    assert over.called
    assert run.load.measured.left >= len(store.keys) > 0


@pytest.mark.parametrize("what", ["writing keys", "get", "deleting keys"])
def test_ctrl_c_leaves_nothing_on_a_healthy_cluster(network: Network, store: Store, what: str) -> None:
    run = Run(network, evolve(PLAN, workload="get", keys=200))
    run.advance_to(what)
    assert store.keys
    network.result(run.interrupt(), within_s=LONGEST_S)
    assert (store.keys, run.load.measured.left) == ({}, 0)


def test_what_was_measured_before_ctrl_c_counts(network: Network, store: Store) -> None:
    run = Run(network, evolve(PLAN, seconds=2.0))
    run.advance_to("put")
    for _ in range(50):
        network.advance(STEP_S)
    network.result(run.interrupt())
    assert run.load.measured.requests > 20
    assert run.load.measured.errors == {"put": 0}
    assert 0.5 <= run.load.measured.seconds < run.plan.seconds


@pytest.mark.parametrize("failing", [{1}, {20}, {1, 2, 3, 4}, {5, 9, 17}, {17, 18, 19, 20}])
def test_deletes_that_fail_are_made_up_for(network: Network, store: Store, failing: set[int]) -> None:
    store.refuse = lambda method: method == "DELETE" and store.asked[method] in failing
    run = Run(network)
    network.result(run.ended)
    assert (store.keys, run.load.measured.left) == ({}, 0)


def test_where_all_deletes_fail_each_connection_tries_twice(network: Network, store: Store) -> None:
    store.refuse = lambda method: method == "DELETE"
    run = Run(network)
    network.result(run.ended)
    assert store.asked["DELETE"] == 2 * PLAN.connections
    assert run.load.measured.left == len(store.keys) == PLAN.keys


@pytest.mark.parametrize("workload", ["get", "mixed"])
def test_no_key_is_written_after_one_that_failed(network: Network, store: Store, workload: str) -> None:
    store.refuse = lambda method: method == "PUT" and store.asked["PUT"] == 5
    run = Run(network, evolve(PLAN, workload=workload, keys=1000))
    with pytest.raises(ClientError, match="not today"):
        network.result(run.ended)
    assert store.asked["PUT"] < 5 + PLAN.connections, "the others were about theirs at that time"
    assert store.keys == {}
