"""Nodes that are killed or frozen under writes: no answered write is lost, no read goes back. Real processes."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.processes import nodes_in
from tests.process.cluster import NAMES, Cluster, cluster_in, wait_for
from tests.process.plain_http import Answer, Connection, NoAnswer, Request
from tests.process.writers import assert_nothing_lost, load_on

KILLS = 20


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose tests leave all nodes up."""
    with cluster_in(tmp_path_factory.mktemp("failover")) as cluster:
        yield cluster


def test_a_leader_killed_twenty_times_under_writes_loses_no_answered_write_and_catches_up(cluster: Cluster) -> None:
    with load_on(cluster, "kills") as load:
        load.wait_answers(10)
        for _ in range(KILLS):
            leader = cluster.leader()
            cluster.kill(leader)
            load.wait_answers(10)
            assert cluster.leader() != leader
            cluster.start(leader)
            cluster.wait_ready(leader)
            cluster.wait_caught_up(leader)
        assert_nothing_lost(cluster, load.finish().written)
        cluster.wait_voters(*NAMES)


def test_all_nodes_killed_at_once_and_restarted_have_everything(cluster: Cluster) -> None:
    with load_on(cluster, "all") as load:
        for _ in range(2):
            load.wait_answers(50)
            terms = [member.status()["term"] for member in cluster.up]
            cluster.kill(*NAMES)
            cluster.start(*NAMES)
            cluster.wait_ready()
            assert cluster.members[cluster.leader()].status()["term"] > max(terms)
            load.wait_answers(10)
        assert_nothing_lost(cluster, load.finish().written)


def test_a_cluster_of_one_that_is_killed_under_writes_has_everything(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        alone = Cluster(nodes)
        alone.add_config("lone", bootstrap=True)
        alone.start("lone")
        with load_on(alone) as load:
            for _ in range(2):
                load.wait_answers(50)
                alone.kill("lone")
                alone.start("lone")
            load.wait_answers(1)
            assert_nothing_lost(alone, load.finish().written)
        alone.check_logs()


def test_a_frozen_leader_is_replaced_and_serves_nothing_old_when_it_goes_on(cluster: Cluster) -> None:
    with load_on(cluster, "frozen") as load:
        for number in range(3):
            freeze_and_thaw_the_leader(cluster, number)
        load.wait_answers(10)
        assert_nothing_lost(cluster, load.finish().written)


def freeze_and_thaw_the_leader(cluster: Cluster, number: int) -> None:
    old = cluster.leader()
    frozen = cluster.members[old]
    before = frozen.ask("PUT", "/kv/seen", b"old %d" % number).revision
    term = frozen.status()["term"]
    read, write = Connection(frozen.http_port), Connection(frozen.http_port)
    cluster.freeze(old)
    read.send(Request("GET", "/kv/seen"))
    write.send(Request("PUT", f"/kv/through-the-old-leader-{number}", b"?"))
    new = cluster.members[cluster.leader_among(cluster.others(old))]
    after = new.ask("PUT", "/kv/seen", b"new %d" % number).revision
    assert after > before
    heard = in_background(read, write)
    cluster.thaw(old)
    told = heard()
    assert told[0] is None or told[0].status >= 500 or (told[0].status, told[0].body) == (200, b"new %d" % number), told
    wait_for(lambda: frozen.status()["term"] > term and not frozen.status()["is_leader"], f"{old} steps down")
    cluster.wait_caught_up(old)
    assert frozen.ask("GET", "/kv/seen").body == b"new %d" % number
    if told[1] is not None and told[1].status == 200:
        for name in NAMES:
            assert cluster.members[name].ask("GET", f"/kv/through-the-old-leader-{number}").body == b"?"


def in_background(*connections: Connection):
    """Receive on connections while something else happens; returns what to call for the answers."""
    answers: list[Answer | None] = [None] * len(connections)

    def receive(position: int, connection: Connection) -> None:
        try:
            answers[position] = connection.receive()
        except NoAnswer:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=receive, args=each, daemon=True) for each in enumerate(connections)]
    for thread in threads:
        thread.start()

    def finish() -> list[Answer | None]:
        for thread in threads:
            thread.join()
        return answers

    return finish
