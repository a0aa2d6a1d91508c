"""``cloudctl`` against three real nodes: the walkthrough of the README, and what happens when nodes go away."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.real_cluster import CLOUDCTL, PATIENCE_S, Cluster, run_example, start
from tests.harness.processes import environment, nodes_in

UP = b"\x1b[1A"
"""Moves the cursor of a terminal up a line."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster for tests that leave it as it was."""
    with nodes_in(tmp_path_factory.mktemp("shared")) as nodes:
        yield start(nodes)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster to do harm to."""
    with nodes_in(tmp_path) as nodes:
        yield start(nodes)


@pytest.mark.parametrize("node_id", ["node1", "node3"])
def test_the_walkthrough_works_through_every_node(shared: Cluster, node_id: str) -> None:
    server = shared.server(node_id)
    assert "created, revision" in shared.cloudctl("put", "foo", "bar", server=server).stdout
    assert shared.cloudctl("get", "foo", server=server).stdout == "bar"
    assert "deleted, revision" in shared.cloudctl("-server", server, "delete", "foo").stdout
    gone = shared.cloudctl("get", "foo", f"-server={server}")
    assert (gone.returncode, gone.stdout, gone.stderr) == (3, "", "cloudctl: Key not found\n")
    members = shared.cloudctl("members", server=server)
    assert members.returncode == 0
    assert "lag" in members.stdout.splitlines()[0]
    assert "-" not in [line.split()[5] for line in members.stdout.splitlines()[1:]], "the leader knows every lag"
    status = shared.cloudctl("status", server=server).stdout
    assert [line.split()[0] for line in status.splitlines()[1:]] == ["node1", "node2", "node3"]
    assert status.count("Leader") == 1


def test_every_key_can_be_used(shared: Cluster) -> None:
    keys = ["a//b", "a/../b", "%2Fx", "ключ", "..", "-5", "x" * 1024]
    follower = shared.server(shared.followers()[0])
    for key in keys:
        assert shared.cloudctl("put", "--", key, "v", server=follower).returncode == 0
    listed = shared.cloudctl("list", server=follower).stdout.splitlines()
    assert [key for key in keys if key not in listed] == []
    assert shared.cloudctl("get", "--", "-5", server=follower).stdout == "v"


@pytest.mark.parametrize("key", ["x" * 1025, "a\nb"])
def test_a_bad_key_is_an_error_in_words(shared: Cluster, key: str) -> None:
    refused = shared.cloudctl("put", key, "v")
    assert refused.returncode == 1
    assert "a key has" in refused.stderr


def test_conditions(shared: Cluster) -> None:
    revision = shared.document("put", "once", "1", "--if-absent")["revision"]
    assert shared.cloudctl("put", "once", "2", "--if-absent").returncode == 4
    assert shared.cloudctl("put", "once", "2", "--if-revision", str(revision)).returncode == 0
    late = shared.cloudctl("delete", "once", "--if-revision", str(revision))
    assert late.returncode == 4
    assert "the key is at revision" in late.stderr


def test_listing(shared: Cluster) -> None:
    for key in ("list/a", "list/b", "list/ключ"):
        assert shared.cloudctl("put", key, "v").returncode == 0
    listed = shared.cloudctl("list", "list/", server=shared.server(shared.followers()[0]))
    assert (listed.returncode, listed.stdout) == (0, "list/a\nlist/b\nlist/ключ\n")
    assert shared.cloudctl("list", "list/", "--start", "list/b", "--limit", "1").stdout == "list/b\n"
    document = shared.document("list", "list/", "--values", "--limit", "2")
    assert [(item["key"], item["value"]) for item in document["items"]] == [("list/a", "v"), ("list/b", "v")]


def test_bench_measures_and_leaves_nothing(shared: Cluster) -> None:
    small = ("--duration", "0.5", "--keys", "20", "--connections", "4")
    told = shared.document("bench", "mixed", *small, "-s", shared.server(shared.followers()[0]))
    assert (told["errors"], told["keys_left"]) == (0, 0)
    assert all(verb["requests"] > 0 for verb in told["verbs"].values())
    assert shared.cloudctl("list", "bench/").stdout == ""


def running(cluster: Cluster, *arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    settings = environment(MINICLOUD_SERVER=cluster.servers, TERM="xterm", COLUMNS="120")
    return subprocess.Popen([*CLOUDCTL, *arguments], cwd=cluster.nodes.folder, env=settings, **options)


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent Ctrl+C alone there")
def test_an_interrupted_bench_tells_what_it_has_and_deletes_what_it_wrote(shared: Cluster) -> None:
    process = running(shared, "bench", "put", "--duration", "60", "--keys", "10", stdout=subprocess.PIPE)
    deadline = time.monotonic() + PATIENCE_S
    while shared.cloudctl("list", "bench/").stdout.count("\n") < 10:
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGINT)
    out, _nothing = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130
    assert out.splitlines()[1].startswith(b"put\t")
    assert shared.cloudctl("list", "bench/").stdout == ""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_status_is_watched_on_a_terminal_until_ctrl_c(shared: Cluster) -> None:
    import pty

    ours, theirs = pty.openpty()
    process = running(shared, "status", "--watch", "--interval", "0.1", stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    while shown.count(UP) < 8:
        assert process.poll() is None, shown
        shown += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE_S) == 130
    os.close(ours)
    assert b"Leader" in shown
    assert b"Traceback" not in shown


def test_leadership_moves_on_request(shared: Cluster) -> None:
    target = shared.followers()[0]
    moved = shared.cloudctl("transfer", target)
    assert (moved.returncode, moved.stdout) == (0, f"{target}: leads now\n")
    assert shared.leader() == target
    assert shared.cloudctl("transfer", shared.leader(), "--timeout", "5").returncode in (0, 4)
    assert shared.cloudctl("remove", "nobody").returncode == 3


def test_a_node_joins_by_hand_and_leaves(shared: Cluster) -> None:
    config, port = shared.nodes.write_config("node4")
    shared.nodes.start(config, port).wait_for("/livez")
    raft_addr = json.loads((shared.nodes.folder / config).read_text().partition("raft_addr: ")[2].partition("\n")[0])
    joined = shared.cloudctl("join", "node4", raft_addr, "--http-addr", f"127.0.0.1:{port}")
    assert joined.returncode == 0, joined.stderr
    shared.wait_for(lambda members: [m for m in members if m["node_id"] == "node4" and m["suffrage"] == "Voter"])
    assert shared.cloudctl("put", "four", "4", server=f"127.0.0.1:{port}").returncode == 0
    assert shared.cloudctl("remove", "node4").returncode == 0
    assert shared.wait_for(lambda members: len(members) == 3)


def test_the_token_is_asked_for_and_follows_to_the_leader(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        cluster = start(nodes, auth_token="secret")
        follower = cluster.server(cluster.followers()[0])
        refused = cluster.cloudctl("put", "k", "v", server=follower)
        assert refused.returncode == 1
        assert "AUTH_TOKEN" in refused.stderr
        assert cluster.cloudctl("put", "k", "v", server=follower, AUTH_TOKEN="secret").returncode == 0
        assert cluster.cloudctl("get", "k", server=follower).stdout == "v"


def test_a_killed_leader_is_replaced_and_shown_as_unreachable(cluster: Cluster) -> None:
    killed = cluster.leader()
    revision = run_example(cluster)
    cluster.started[killed].process.kill()
    assert run_example(cluster) > revision, "what the README says of the client: it survives that"
    assert cluster.cloudctl("put", "after", "all").returncode == 0
    assert cluster.cloudctl("get", "after").stdout == "all"
    rows = {line.split()[0]: line for line in cluster.cloudctl("status").stdout.splitlines()}
    assert "unreachable" in rows[killed]
    assert "connection refused" in rows[killed]
    assert "Voters: 3. More that may fail before the cluster stops: 0." in cluster.cloudctl("members").stderr


def test_without_a_majority_nothing_is_answered_but_what_is_stale(cluster: Cluster) -> None:
    assert cluster.cloudctl("put", "k", "v").returncode == 0
    survivor, *others = cluster.followers()[0], cluster.followers()[1], cluster.leader()
    server = cluster.server(survivor)
    assert cluster.cloudctl("get", "k", server=server).stdout == "v", "this one has it by now, too"
    for node_id in others:
        cluster.started[node_id].process.kill()
    assert cluster.cloudctl("put", "k", "w", "--timeout", "1.5", server=server).returncode in (5, 6)
    read = cluster.cloudctl("get", "k", "--timeout", "1.5", server=server)
    assert (read.returncode, read.stdout) == (5, "")
    assert "Try:" in read.stderr
    assert cluster.cloudctl("get", "k", "--stale", server=server).stdout == "v"


def test_members_that_advertise_names_from_elsewhere_are_found_where_they_are_named(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        cluster = start(nodes, elsewhere=True)
        followers = [cluster.server(node_id) for node_id in cluster.followers()]
        everyone = ",".join([*followers, cluster.server(cluster.leader())])
        rows = {line.split("\t")[0]: line for line in cluster.cloudctl("status", server=everyone).stdout.splitlines()}
        assert all(cluster.server(name).removeprefix("http://") in rows[name] for name in cluster.started)
        lags = [line.split("\t")[5] for line in cluster.cloudctl("members", server=everyone).stdout.splitlines()[1:]]
        assert (len(lags), "-" in lags) == (3, False), "the leader knows every lag"
        assert "created, revision" in cluster.cloudctl("put", "k", "v", server=everyone).stdout
        alone = cluster.cloudctl("status", server=followers[0]).stdout
        assert (alone.count("Follower"), alone.count("unreachable"), alone.count("no such host")) == (1, 2, 2)
        stuck = cluster.cloudctl("put", "k", "v", "--timeout", "1", server=followers[0])
        assert (stuck.returncode, "The leader could not be reached; nothing was sent" in stuck.stderr) == (5, True)
