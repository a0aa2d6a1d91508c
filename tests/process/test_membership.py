"""Nodes that join, leave, and come back to a running cluster. Real processes."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.processes import TWISTD, run
from tests.process.cluster import NAMES, Cluster, cluster_in, wait_for
from tests.process.writers import assert_nothing_lost, load_on

QUIET_S = 3.0
"""Three of the longest election timeouts: who would start an election does it within that time."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose tests leave it with its first three members, all up."""
    with cluster_in(tmp_path_factory.mktemp("members")) as cluster:
        yield cluster


def base_url(cluster: Cluster, name: str) -> str:
    return f"http://127.0.0.1:{cluster.members[name].http_port}"


def join_by_hand(cluster: Cluster, asked: str, name: str) -> None:
    member = cluster.members[name]
    addresses = {"raft_addr": f"127.0.0.1:{member.raft_port}", "http_addr": f"127.0.0.1:{member.http_port}"}
    answer = cluster.post(asked, "/raft/join", node_id=name, **addresses)
    assert answer.status == 204, answer


def remove(cluster: Cluster, asked: str, name: str, **wish: object) -> None:
    answer = cluster.post(asked, "/raft/remove", node_id=name, **wish)
    assert answer.status == 204, answer


def test_a_fourth_node_joins_by_its_join_url_and_is_removed(shared: Cluster) -> None:
    with load_on(shared, "by-url") as load:
        load.wait_answers(20)
        shared.add_config("node4", join_url=[base_url(shared, name) for name in NAMES])
        shared.start("node4")
        shared.wait_voters(*NAMES, "node4")
        shared.wait_ready("node4")
        load.wait_answers(20)
        written = load.finish().written
        assert_nothing_lost(shared, written)
        assert shared.members["node4"].ask("PUT", "/kv/from-the-fourth?forward", b"4").status == 200
        remove(shared, shared.others(shared.leader(), "node4")[0], "node4")
        shared.wait_voters(*NAMES)
        wait_for(lambda: shared.members["node4"].status()["state"] == "Removed", "node4 knows that it is removed")
        assert shared.members["node1"].ask("GET", "/kv/from-the-fourth").body == b"4"
    restart_removed(shared, "node4")


def restart_removed(shared: Cluster, name: str) -> None:
    """A removed node that comes back with its old data disturbs nobody, and is told."""
    leader = shared.leader_among(NAMES)
    term = shared.members[leader].status()["term"]
    assert shared.terminate(name) == 0
    shared.start(name)
    member = shared.members[name]
    wait_for(lambda: member.status()["state"] == "Removed", f"{name} is told after its restart that it is removed")
    time.sleep(QUIET_S)
    assert shared.leader_among(NAMES) == leader
    assert [shared.members[each].status()["term"] for each in NAMES] == [term] * 3
    assert member.status()["state"] == "Removed"
    readiness = member.ask("GET", "/readyz")
    assert readiness.status == 503
    assert json.loads(readiness.body)["checks"]["member"] is False
    shared.wait_voters(*NAMES)
    shared.terminate(name)
    del shared.members[name]


def test_a_node_that_was_told_nothing_joins_by_hand_ten_times_and_is_one_member(shared: Cluster) -> None:
    shared.add_config("node5")
    shared.start("node5")
    wait_for(lambda: shared.members["node5"].ask("GET", "/livez").status == 200, "node5 is up")
    assert shared.members["node5"].ask("GET", "/kv/x?stale").status in (404, 503)
    for number in range(10):
        join_by_hand(shared, NAMES[number % 3], "node5")
    shared.wait_voters(*NAMES, "node5")
    shared.wait_ready("node5")
    assert shared.members["node1"].ask("PUT", "/kv/by-hand?forward", b"5").status == 200
    assert shared.members["node5"].ask("GET", "/kv/by-hand").body == b"5"
    remove(shared, "node5", "node5")
    shared.wait_voters(*NAMES)
    restart_removed(shared, "node5")


def test_a_leader_that_is_removed_hands_over_and_may_come_back(shared: Cluster) -> None:
    leader = shared.leader()
    rest = [name for name in NAMES if name != leader]
    remove(shared, leader, leader)
    shared.leader_among(rest)
    shared.wait_voters(*rest)
    wait_for(lambda: shared.members[leader].status()["state"] == "Removed", f"{leader} knows that it is removed")
    assert shared.members[rest[0]].ask("PUT", "/kv/without-it?forward", b"two").status == 200
    join_by_hand(shared, rest[0], leader)
    shared.wait_voters(*NAMES)
    shared.wait_ready(leader)
    assert shared.members[leader].ask("GET", "/kv/without-it").body == b"two"


def test_a_removal_that_would_break_the_quorum_is_refused(shared: Cluster) -> None:
    leader = shared.leader()
    down, stays = (name for name in NAMES if name != leader)
    shared.kill(down)

    def is_refused() -> bool:
        answer = shared.post(leader, "/raft/remove", node_id=stays)
        assert answer.status == 409, answer
        return json.loads(answer.body)["code"] != "change_in_progress"

    members = shared.members[leader]
    wait_for(
        lambda: {m["node_id"]: m["healthy"] for m in members.json("/cluster/members")["members"]}[down] is False,
        f"{leader} knows that {down} is down",
    )
    wait_for(is_refused, "the removal is refused for the quorum's sake")
    assert set(shared.suffrages(leader)) == set(NAMES)
    assert shared.post(leader, "/raft/remove", node_id="nobody").status == 404
    shared.start(down)
    shared.wait_ready()


def test_a_node_that_is_not_there_joins_as_a_learner_and_costs_no_quorum(shared: Cluster) -> None:
    shared.add_config("ghost")
    leader = shared.leader()
    down = next(name for name in NAMES if name != leader)
    join_by_hand(shared, down, "ghost")
    shared.kill(down)
    assert shared.members[leader].ask("PUT", "/kv/two-of-three", b"enough").status == 200
    assert shared.suffrages(leader)["ghost"] == "Learner"
    shared.start(down)
    shared.wait_ready()
    remove(shared, down, "ghost")
    del shared.members["ghost"]
    shared.wait_voters(*NAMES)


def test_a_node_of_another_cluster_is_neither_swallowed_nor_heard(shared: Cluster) -> None:
    stranger = shared.add_config("stranger", bootstrap=True)
    shared.start("stranger")
    shared.wait_ready("stranger")
    assert stranger.ask("PUT", "/kv/ours", b"theirs").status == 200
    of = {name: shared.members[name].json("/cluster/status")["cluster_id"] for name in (*NAMES, "stranger")}
    term = stranger.status()["term"]
    join_by_hand(shared, "node1", "stranger")
    time.sleep(QUIET_S)
    assert shared.suffrages("node1")["stranger"] == "Learner"
    assert shared.members["node1"].ask("PUT", "/kv/mine?forward", b"here").status == 200
    assert (stranger.status()["state"], stranger.status()["term"]) == ("Leader", term)
    assert stranger.ask("GET", "/kv/mine").status == 404
    assert shared.members["node1"].ask("GET", "/kv/ours").status == 404
    remove(shared, "node1", "stranger")
    assert {name: shared.members[name].json("/cluster/status")["cluster_id"] for name in of} == of
    refuse_to_start_with_foreign_folder(shared)
    assert stranger.ask("GET", "/kv/ours").body == b"theirs" if stranger.process else True
    del shared.members["stranger"]


def refuse_to_start_with_foreign_folder(shared: Cluster) -> None:
    shared.terminate("stranger")
    refused = run(shared.folder, TWISTD, "--config", "stranger.yaml", MINICLOUD_JOIN_URL=base_url(shared, "node1"))
    assert refused.returncode == 1
    assert "data_dir: expected a data folder of the cluster that join_url leads to" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_a_second_process_on_the_folder_of_a_member_is_refused_and_changes_nothing(shared: Cluster) -> None:
    shared.add_config("intruder")
    other = {"MINICLOUD_NODE_ID": "node2", "MINICLOUD_DATA_DIR": "data/node2"}
    refused = run(shared.folder, TWISTD, "--config", "intruder.yaml", **other)
    del shared.members["intruder"]
    assert refused.returncode == 1
    assert "data folder data/node2 is in use by another process" in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert shared.members["node2"].ask("PUT", "/kv/still?forward", b"here").status == 200
    assert shared.members["node2"].ask("GET", "/kv/still").body == b"here"


def test_a_member_whose_folder_was_wiped_does_not_vote_from_amnesia_and_is_let_in_again(tmp_path: Path) -> None:
    with cluster_in(tmp_path) as cluster:
        leader = cluster.leader()
        behind, wiped = (name for name in NAMES if name != leader)
        cluster.kill(behind)
        answered = cluster.members[leader].ask("PUT", "/kv/answered", b"by two of three")
        assert answered.status == 200
        cluster.kill(leader, wiped)
        cluster.wipe(wiped)
        cluster.start(behind, wiped)
        wait_for(lambda: all(cluster.members[each].status() for each in (behind, wiped)), "both are up")
        time.sleep(QUIET_S)
        assert not any(cluster.members[each].status()["is_leader"] for each in (behind, wiped))
        cluster.start(leader)
        assert cluster.leader_among([leader, behind]) == leader
        cluster.wait_voters(*NAMES)
        cluster.wait_ready()
        for name in NAMES:
            assert cluster.members[name].ask("GET", "/kv/answered").body == b"by two of three"
