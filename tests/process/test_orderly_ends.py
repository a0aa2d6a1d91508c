"""Nodes that are told to end, under load: nothing fails that a client asked for. Real processes."""

import json
import time
from collections.abc import Iterator

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread

from minicloud.client import Client
from tests.process.cluster import NAMES, Cluster, cluster_in, wait_for
from tests.process.plain_http import Connection, Request
from tests.process.writers import assert_nothing_lost, load_on


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose tests leave all nodes up."""
    with cluster_in(tmp_path_factory.mktemp("ends")) as cluster:
        yield cluster


def test_a_leader_told_to_end_hands_over_finishes_what_it_has_begun_and_no_request_fails(cluster: Cluster) -> None:
    with load_on(cluster, "one") as load:
        for _ in range(2):
            load.wait_answers(20)
            leader = cluster.leader()
            slow = Connection(cluster.members[leader].http_port)
            whole = Request("PUT", "/kv/slow?forward", b"abcd").encoded(slow.port)
            slow.send_bytes(whole[:-2])
            time.sleep(0.2)
            cluster.tell_to_end(leader)
            new = cluster.leader_among(cluster.others(leader))
            slow.send_bytes(whole[-2:])
            assert slow.receive().status == 200
            slow.close()
            assert cluster.wait_end(leader) == 0
            load.wait_answers(20)
            assert cluster.members[new].ask("GET", "/kv/slow").body == b"abcd"
            cluster.start(leader)
            cluster.wait_ready(leader)
        record = load.finish()
        assert record.errors == []
        assert record.broken == []
        assert_nothing_lost(cluster, record.written)


@pytest_twisted.ensureDeferred
async def test_a_rolling_restart_fails_no_operation_of_a_client_that_retries(cluster: Cluster) -> None:
    client = Client([f"http://127.0.0.1:{port}" for port in cluster.ports], reactor=reactor)
    running = [True]
    users = [Deferred.fromCoroutine(use(client, f"user{number}", running)) for number in range(3)]
    await deferToThread(restart_each, cluster)
    running.clear()
    counts = await gatherResults(users, consumeErrors=True)
    await client.close()
    assert all(count > 10 for count in counts), counts


def restart_each(cluster: Cluster) -> None:
    for name in NAMES:
        assert cluster.terminate(name) == 0
        cluster.start(name)
        cluster.wait_ready()
        cluster.wait_caught_up(name)


async def use(client: Client, name: str, running: list[bool]) -> int:
    """Put, get and delete; each must do what it says. Returns how often."""
    count = 0
    while running:
        count += 1
        value = b"%d" % count
        written = await client.put(name, value)
        found = await client.get(name)
        assert (found.value, found.revision) == (value, written.revision)
        if count % 5 == 0:
            assert (await client.delete(name)).deleted
        await pause()
    return count


def pause() -> Deferred[None]:
    waiting: Deferred[None] = Deferred()
    reactor.callLater(0.01, waiting.callback, None)
    return waiting


def test_every_node_told_to_end_at_once_ends_with_status_0_and_comes_back(cluster: Cluster) -> None:
    with load_on(cluster, "each") as load:
        load.wait_answers(50)
        cluster.tell_to_end(*NAMES)
        assert [cluster.wait_end(name) for name in NAMES] == [0, 0, 0]
        cluster.start(*NAMES)
        cluster.wait_ready()
        load.wait_answers(10)
        assert_nothing_lost(cluster, load.finish().written)
        wait_for(lambda: json.loads(cluster.members["node1"].ask("GET", "/cluster/members").body)["leader"], "a leader")
