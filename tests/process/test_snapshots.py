"""A follower far behind, and what the log takes on the disk. Real processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.process.cluster import Cluster, cluster_in, wait_for
from tests.process.plain_http import Connection, Request

BEHIND = 20_000
KEYS = 1_000
VALUE_BYTES = 3_000
CONNECTIONS = 64
SNAPSHOT_ENTRIES = 2_000
TRAILING_ENTRIES = 500

SEGMENT_BYTES = 16 * 1024 * 1024
ENTRY_BYTES = VALUE_BYTES * 3 // 2
"""A little more than an entry takes on the disk."""

LOG_BOUND = 2 * SEGMENT_BYTES + (SNAPSHOT_ENTRIES + TRAILING_ENTRIES) * ENTRY_BYTES
"""A segment that is being filled, one that still holds trailing entries, and what comes until the next snapshot."""

SNAPSHOT_BOUND = 3 * KEYS * ENTRY_BYTES
"""The newest, and one that is being written."""


@pytest.fixture(scope="module")
def far_behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cluster, str, int]]:
    """A cluster with a follower that was down during 20,000 writes; its name, and its last index."""
    keys = {"snapshot_entries": SNAPSHOT_ENTRIES, "snapshot_trailing_entries": TRAILING_ENTRIES}
    with cluster_in(tmp_path_factory.mktemp("behind"), **keys) as cluster:
        leader = cluster.leader()
        follower = cluster.others(leader)[0]
        last = cluster.members[follower].status()["last_log_index"]
        cluster.kill(follower)
        write_in_bulk(cluster.members[leader].http_port)
        yield cluster, follower, last


def value(number: int) -> bytes:
    return (b"%08d" % number).ljust(VALUE_BYTES, b".")


def write_in_bulk(port: int) -> None:
    """Write each key again and again, on many connections that stay open."""
    connections = [Connection(port) for _ in range(CONNECTIONS)]
    for first in range(0, BEHIND, CONNECTIONS):
        numbers = range(first, min(first + CONNECTIONS, BEHIND))
        for number, connection in zip(numbers, connections, strict=False):
            connection.send(Request("PUT", f"/kv/bulk/{number % KEYS}", value(number)))
        for _, connection in zip(numbers, connections, strict=False):
            assert connection.receive().status == 200
    for connection in connections:
        connection.close()


def size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_log_and_the_snapshots_on_disk_stay_bounded(far_behind: tuple[Cluster, str, int]) -> None:
    cluster, follower, _ = far_behind
    for name in cluster.others(follower):
        assert BEHIND * VALUE_BYTES > LOG_BOUND, "what was written is more than the bound, or this shows nothing"
        wait_for(lambda name=name: size(cluster.data(name) / "log") <= LOG_BOUND, f"{name} drops old segments")
        wait_for(lambda name=name: size(cluster.data(name) / "snapshots") <= SNAPSHOT_BOUND, "old snapshots go")
        status = cluster.members[name].status()
        assert status["snapshot_index"] >= status["applied_index"] - 2 * SNAPSHOT_ENTRIES


def test_a_follower_that_is_20000_entries_behind_catches_up_by_snapshot(far_behind: tuple[Cluster, str, int]) -> None:
    cluster, follower, last = far_behind
    leader = cluster.members[cluster.leader()]
    status = leader.status()
    assert status["commit_index"] >= last + BEHIND
    first_of_log = status["last_log_index"] - leader.metric("raft_log_entries") + 1
    assert first_of_log > last + 1, "the leader's log alone would do, then this test shows nothing"
    cluster.start(follower)
    cluster.wait_ready(follower)
    cluster.wait_caught_up(follower)
    behind = cluster.members[follower]
    assert behind.status()["snapshot_index"] >= first_of_log - 1
    newest = {number % KEYS: value(number) for number in range(BEHIND)}
    connection = Connection(behind.http_port)
    answers = connection.ask_all(Request("GET", f"/kv/bulk/{key}?stale") for key in newest)
    connection.close()
    assert [answer.body for answer in answers] == list(newest.values())
    assert leader.ask("PUT", "/kv/after", b"the snapshot").status == 200
    assert behind.ask("GET", "/kv/after").body == b"the snapshot"


def test_nodes_killed_after_snapshots_start_from_them(far_behind: tuple[Cluster, str, int]) -> None:
    cluster, follower, _ = far_behind
    if cluster.members[follower].process is None:
        cluster.start(follower)
        cluster.wait_ready(follower)
    names = [member.name for member in cluster.up]
    cluster.kill(*names)
    cluster.start(*names)
    cluster.wait_ready()
    for name in names:
        member = cluster.members[name]
        assert member.status()["snapshot_index"] > 0
        assert member.ask("GET", f"/kv/bulk/{KEYS - 1}").body == value(BEHIND - 1)
