"""When a node says that it is caught up: not before it has applied what the cluster had committed when it came."""

from tests.harness.cluster import Cluster


def never_says_so_before(cluster, node_id, index):
    """Let time pass until the node says that it is caught up, which it may from that index on only."""
    node = cluster.node(node_id)
    cluster.until(lambda: node.status().caught_up)
    assert node.status().applied_index >= index


def grown(cluster):
    """Write so much that what is behind needs several messages, each on its way for a while; returns the commit index."""
    for n in range(45):
        cluster.put(f"k{n:03}", b"v" * 100_000)
    return cluster.leader().status().commit_index


def test_a_node_that_comes_back():
    cluster = Cluster()
    behind = cluster.followers()[0].node_id
    files = cluster.kill(behind)
    index = grown(cluster)
    cluster.start(behind, files)
    never_says_so_before(cluster, behind, index)


def test_a_node_that_comes_back_to_another_leader():
    cluster = Cluster(snapshot_entries=20)
    grown(cluster)
    cluster.converge()
    behind = cluster.followers()[0].node_id
    files = cluster.kill(behind)
    index = grown(cluster)
    cluster.result(cluster.leader().transfer(None, 10.0))
    cluster.start(behind, files)
    never_says_so_before(cluster, behind, index)


def test_a_node_that_joins():
    cluster = Cluster()
    index = grown(cluster)
    cluster.start("n4")
    cluster.join("n4", voter=False)
    never_says_so_before(cluster, "n4", index)


def test_a_node_that_needs_a_snapshot():
    cluster = Cluster(snapshot_entries=20, snapshot_trailing_entries=0)
    index = grown(cluster)
    cluster.start("n4")
    cluster.join("n4", voter=False)
    never_says_so_before(cluster, "n4", index)
    assert cluster.network.by_type["InstallSnapshot"] > 1


def test_a_leader_waits_for_its_own_first_entry():
    cluster = Cluster()
    index = grown(cluster)
    cluster.kill(cluster.leader().node_id)
    candidates = [process.node for process in cluster.processes.values() if process.is_up]
    cluster.until(lambda: any(node.status().is_leader for node in candidates))
    (leader,) = (node for node in candidates if node.status().is_leader)
    assert not leader.status().caught_up
    never_says_so_before(cluster, leader.node_id, index + 1)


def test_a_single_node():
    cluster = Cluster(1)
    index = grown(cluster)
    cluster.restart("n1")
    never_says_so_before(cluster, "n1", index)


def test_nobody_is_caught_up_without_a_leader():
    cluster = Cluster()
    follower = cluster.followers()[0]
    cluster.until(lambda: follower.status().caught_up)
    cluster.isolate(follower.node_id)
    cluster.until(lambda: not follower.status().caught_up)
