"""What a cluster promises to its clients, over real nodes on simulated time, disks and links."""

import pytest

from minicloud.kv.commands import Put, PutDone
from minicloud.node.errors import (
    ChangeRefused,
    NodeStopping,
    NotLeader,
    OutcomeUnknown,
    ProposalLost,
    QuorumAtRisk,
    ReadTimeout,
    UnknownMember,
)
from minicloud.node.status import JoinRequest
from minicloud.raft.configuration import Suffrage
from tests.harness.cluster import Cluster


def test_three_nodes_elect_one_leader():
    cluster = Cluster()
    leader = cluster.leader()
    cluster.run(5)
    assert cluster.leaders() == [leader]


def test_a_single_node_serves_alone():
    cluster = Cluster(1)
    assert isinstance(cluster.put("a", b"1"), PutDone)
    assert cluster.read(cluster.leader(), "a") == b"1"


def test_a_put_on_the_leader_is_read_on_every_node():
    cluster = Cluster()
    outcome = cluster.put("a", b"1")
    assert isinstance(outcome, PutDone)
    for process in cluster.processes.values():
        assert cluster.read(process.node, "a") == b"1"


def test_a_put_on_a_follower_names_the_leader():
    cluster = Cluster()
    leader, follower = cluster.leader(), cluster.followers()[0]
    with pytest.raises(NotLeader) as refused:
        cluster.result(follower.propose(Put("a", b"1"), 1))
    assert refused.value.leader.node_id == leader.node_id


def test_a_thousand_puts_of_one_turn_cost_few_syncs():
    cluster = Cluster()
    leader = cluster.leader()
    cluster.run(1)
    syncs = []
    cluster.processes[leader.node_id].instruments.fsync = syncs.append
    outcomes = [leader.propose(Put(f"k{n}", b"v"), 10) for n in range(1000)]
    cluster.result(outcomes[-1])
    assert len(syncs) == 1


def test_a_killed_leader_is_replaced_and_nothing_acknowledged_is_lost():
    cluster = Cluster()
    cluster.put("a", b"1")
    old = cluster.leader().node_id
    files = cluster.kill(old)
    assert cluster.read(cluster.leader(), "a") == b"1"
    cluster.put("b", b"2")
    cluster.start(old, files)
    cluster.converge()
    assert cluster.node(old).store.get("b").value == b"2"


def test_a_whole_cluster_comes_back_from_its_disks():
    cluster = Cluster()
    cluster.put("a", b"1")
    for node_id in ("n1", "n2", "n3"):
        cluster.restart(node_id)
    assert cluster.read(cluster.leader(), "a") == b"1"


def test_a_cut_off_leader_answers_unknown_and_its_entry_is_lost_when_it_returns():
    cluster = Cluster()
    old = cluster.leader()
    cluster.isolate(old.node_id)
    late = old.propose(Put("a", b"old"), 0.3)
    with pytest.raises(OutcomeUnknown):
        cluster.result(late)
    long = []
    cluster.until(lambda: any(node is not old for node in cluster.leaders()))
    cluster.heal()
    new = cluster.leader()
    assert new is not old
    cluster.put("a", b"new")
    cluster.converge()
    assert cluster.read(old, "a") == b"new"
    assert long == []


def test_a_proposal_that_another_leader_replaces_is_lost_for_certain():
    cluster = Cluster()
    old = cluster.leader()
    cluster.isolate(old.node_id)
    lost = old.propose(Put("a", b"old"), 60)
    cluster.until(lambda: any(node is not old for node in cluster.leaders()))
    cluster.heal()
    with pytest.raises(ProposalLost):
        cluster.result(lost)
    assert cluster.read(cluster.leader(), "a") is None


def test_a_cut_off_node_reads_nothing_that_might_be_old():
    cluster = Cluster()
    cluster.put("a", b"1")
    follower = cluster.followers()[0]
    cluster.isolate(follower.node_id)
    with pytest.raises((ReadTimeout, NotLeader)):
        cluster.result(follower.read_barrier(2.0))


def test_a_read_waits_for_a_leader_that_is_yet_to_be_elected():
    cluster = Cluster()
    cluster.put("a", b"1")
    follower = cluster.followers()[0]
    cluster.kill(cluster.leader().node_id)
    assert cluster.read(follower, "a") == b"1"


def test_a_read_without_any_leader_is_refused_before_its_own_time_limit():
    cluster = Cluster()
    for follower in cluster.followers():
        cluster.kill(follower.node_id)
    (alone,) = [process.node for process in cluster.processes.values() if process.is_up]
    cluster.until(lambda: alone.status().leader is None)
    asked = alone.read_barrier(60)
    with pytest.raises(NotLeader) as refused:
        cluster.result(asked, 3)
    assert refused.value.leader is None


def test_a_node_that_lost_its_leader_tells_how_long_ago_it_heard_one():
    cluster = Cluster()
    leader, follower = cluster.leader(), cluster.followers()[0]
    cluster.isolate(follower.node_id)
    cluster.isolate(leader.node_id)
    cluster.run(3)
    assert not cluster.leaders()
    assert 1900 < follower.status().last_contact_ms <= 3100
    assert 1900 < leader.status().last_contact_ms <= 3100


def test_waiting_for_a_revision_ends_with_it_or_with_the_time_limit():
    cluster = Cluster()
    done = cluster.put("a")
    follower = cluster.followers()[0]
    waiting = follower.wait_applied(done.revision + 1, 10)
    cluster.put("b")
    cluster.result(waiting)
    with pytest.raises(ReadTimeout):
        cluster.result(follower.wait_applied(done.revision + 100, 0.5))


def test_a_follower_far_behind_gets_a_snapshot():
    cluster = Cluster(snapshot_entries=50, snapshot_trailing_entries=5)
    behind = cluster.followers()[0].node_id
    files = cluster.kill(behind)
    for n in range(200):
        cluster.put(f"k{n:03}", b"v" * 100)
    assert cluster.leader().status().snapshot_index >= 150
    assert cluster.leader().status().log_entries <= 60
    cluster.start(behind, files)
    cluster.converge()
    assert len(cluster.node(behind).store) == 200
    assert cluster.network.by_type["InstallSnapshot"] >= 1
    cluster.put("after")
    cluster.restart(behind)
    cluster.converge()
    assert len(cluster.node(behind).store) == 201


def test_a_snapshot_of_several_chunks_survives_a_receiver_that_restarts():
    cluster = Cluster(snapshot_entries=20, snapshot_trailing_entries=0)
    behind = cluster.followers()[0].node_id
    files = cluster.kill(behind)
    for n in range(45):
        cluster.put(f"k{n:03}", b"v" * 100_000)
    before = cluster.network.by_type.get("InstallSnapshotReply", 0)
    cluster.start(behind, files)
    cluster.until(lambda: cluster.network.by_type.get("InstallSnapshotReply", 0) > before + 3)
    cluster.restart(behind)
    cluster.converge()
    assert len(cluster.node(behind).store) == 45


def test_a_node_joins_as_learner_is_promoted_and_can_be_removed():
    cluster = Cluster(1)
    cluster.put("a", b"1")
    for node_id in ("n2", "n3"):
        cluster.start(node_id)
        cluster.join(node_id)
        cluster.until(lambda node_id=node_id: cluster.leader().status().configuration.is_voter(node_id))
        cluster.join(node_id)  # harmless
    cluster.converge()
    assert cluster.node("n3").store.get("a").value == b"1"
    configuration = cluster.leader().status().configuration
    assert all(member.instance_id for member in configuration.members if member.node_id != "n1")
    other = cluster.followers()[0].node_id
    cluster.result(cluster.leader().remove(other, False, 10))
    assert cluster.leader().status().configuration.get(other) is None
    cluster.run(5)
    assert cluster.node(other).status().state == "Removed"
    assert len(cluster.leaders()) == 1
    with pytest.raises(UnknownMember):
        cluster.result(cluster.leader().remove(other, False, 10))


def test_a_follower_tells_the_configuration_in_force_from_the_one_that_is_committed():
    cluster = Cluster()
    follower = cluster.followers()[0]
    cluster.put("a")
    cluster.converge()
    before = follower.status().committed_configuration
    cluster.start("n4")
    joined = cluster.leader().join(JoinRequest("n4", "127.0.0.1:9014", "127.0.0.1:9004"), 10.0)
    cluster.until(lambda: follower.status().configuration_index > follower.status().commit_index)
    assert follower.status().configuration.get("n4") is not None
    assert follower.status().committed_configuration == before
    cluster.result(joined)
    cluster.converge()
    assert follower.status().committed_configuration.get("n4") is not None


def test_a_learner_by_wish_stays_one():
    cluster = Cluster(1)
    cluster.start("n2")
    cluster.join("n2", voter=False)
    cluster.run(5)
    assert cluster.leader().status().configuration.get("n2").suffrage is Suffrage.LEARNER
    assert cluster.node("n2").status().state == "Learner"
    assert cluster.read(cluster.node("n2"), "a") is None


def test_a_leader_can_remove_itself():
    cluster = Cluster()
    old = cluster.leader()
    cluster.result(old.remove(old.node_id, False, 10))
    cluster.run(3)
    assert old.status().state == "Removed"
    assert cluster.leader() is not old
    cluster.put("a")


def test_a_removal_that_costs_the_healthy_majority_needs_force():
    cluster = Cluster()
    leader = cluster.leader()
    dead, alive = (node.node_id for node in cluster.followers())
    cluster.kill(dead)
    cluster.until(lambda: not next(m for m in leader.members() if m.member.node_id == dead).healthy)
    with pytest.raises(QuorumAtRisk):
        cluster.result(leader.remove(alive, False, 10))
    cluster.result(leader.remove(dead, False, 10))


def test_the_last_voter_is_never_removed():
    cluster = Cluster(1)
    with pytest.raises(ChangeRefused):
        cluster.result(cluster.leader().remove("n1", True, 10))


def test_two_members_never_have_one_address():
    cluster = Cluster()
    leader = cluster.leader()
    taken = JoinRequest("n9", "127.0.0.1:9012", "127.0.0.1:9009")
    with pytest.raises(ChangeRefused, match="the address of n2"):
        cluster.result(leader.join(taken, 10))
    assert leader.status().configuration.get("n9") is None


def test_a_member_with_a_new_data_folder_takes_its_own_place():
    cluster = Cluster(1)
    for node_id in ("n2", "n3"):
        cluster.start(node_id)
        cluster.join(node_id)
        cluster.until(lambda node_id=node_id: cluster.leader().status().configuration.is_voter(node_id))
    cluster.put("a", b"1")
    victim = cluster.followers()[0].node_id
    old_instance = cluster.processes[victim].storage.identity.instance_id
    cluster.kill(victim)
    cluster.start(victim)
    cluster.run(1)
    cluster.join(victim, instance_id="")
    cluster.until(lambda: cluster.leader().status().configuration.is_voter(victim))
    cluster.converge()
    assert cluster.leader().status().configuration.get(victim).instance_id != old_instance


def test_a_member_that_moved_is_known_by_its_new_address():
    cluster = Cluster()
    cluster.leader()
    mover = cluster.followers()[0].node_id
    files = cluster.kill(mover)
    cluster.move(mover, "127.0.0.1:7777")
    cluster.start(mover, files)
    cluster.join(mover)
    assert cluster.leader().status().configuration.get(mover).raft_addr == "127.0.0.1:7777"
    cluster.put("a")
    cluster.converge()


@pytest.mark.parametrize("is_named", [True, False])
def test_leadership_is_handed_over(is_named):
    cluster = Cluster()
    old = cluster.leader()
    cluster.put("a")
    target = cluster.followers()[0].node_id if is_named else None
    cluster.result(old.transfer(target, 5))
    new = cluster.leader()
    assert new is not old
    assert target in (None, new.node_id)


def test_a_proposal_during_a_transfer_ends_with_the_new_leaders_name():
    cluster = Cluster()
    old = cluster.leader()
    target = cluster.followers()[0].node_id
    transferred = old.transfer(target, 5)
    held = old.propose(Put("a", b"1"), 5)
    held.addErrback(lambda failure: failure.value)
    cluster.result(transferred)
    refused = cluster.result(held)
    assert isinstance(refused, NotLeader)
    assert refused.leader.node_id == target


def test_a_proposal_while_no_leader_is_known_waits_for_one():
    cluster = Cluster()
    cluster.kill(cluster.leader().node_id)
    nodes = [process.node for process in cluster.processes.values() if process.is_up]
    cluster.until(lambda: all(node.status().leader is None for node in nodes))
    held = [node.propose(Put(f"from-{node.node_id}", b"1"), 10) for node in nodes]
    for deferred in held:
        deferred.addErrback(lambda failure: failure.value)
    told = [cluster.result(deferred) for deferred in held]
    leader = cluster.leader()
    for node, result in zip(nodes, told, strict=True):
        if node is leader:
            assert isinstance(result, PutDone)
        else:
            assert (type(result), result.leader.node_id) == (NotLeader, leader.node_id)


def test_a_proposal_without_any_leader_is_refused_before_its_own_time_limit():
    cluster = Cluster()
    for follower in cluster.followers():
        cluster.kill(follower.node_id)
    (alone,) = [process.node for process in cluster.processes.values() if process.is_up]
    cluster.until(lambda: alone.status().leader is None)
    held = alone.propose(Put("a", b"1"), 60)
    with pytest.raises(NotLeader) as refused:
        cluster.result(held)
    assert refused.value.leader is None
    assert alone.status().pending_proposals == 0


def test_a_node_that_stops_hands_over_first_and_refuses_what_comes_after():
    cluster = Cluster()
    old = cluster.leader()
    cluster.put("a")
    cluster.result(old.stop())
    process = cluster.processes[old.node_id]
    process.is_up = False
    with pytest.raises(NodeStopping):
        cluster.result(old.propose(Put("b", b"1"), 1))
    with pytest.raises(NodeStopping):
        cluster.result(old.read_barrier(1))
    assert cluster.leader(0.1) is not old


def test_a_disk_that_fails_stops_the_node_and_is_told_once():
    cluster = Cluster()
    leader = cluster.leader()
    process = cluster.processes[leader.node_id]
    process.files.fail_sync()
    with pytest.raises(OutcomeUnknown):
        cluster.result(leader.propose(Put("a", b"1"), 10))
    assert len(process.failures) == 1
    process.is_up = False
    cluster.put("b")


def test_a_leader_whose_disk_is_full_is_replaced_and_returns_when_there_is_room():
    cluster = Cluster()
    leader = cluster.leader()
    cluster.put("a", b"1")
    process = cluster.processes[leader.node_id]
    process.files.capacity = 0
    unsure = leader.propose(Put("big", b"x" * 100_000), 3)
    unsure.addErrback(lambda failure: failure.value)
    cluster.until(lambda: any(node is not leader for node in cluster.leaders()))
    assert leader.store.get("a").value == b"1"
    assert isinstance(cluster.result(unsure), OutcomeUnknown)
    process.files.capacity = None
    cluster.put("after", node=next(node for node in cluster.leaders() if node is not leader))
    cluster.converge()


def test_a_request_that_nobody_waits_for_any_more_is_carried_out_all_the_same():
    cluster = Cluster()
    leader = cluster.leader()
    given_up = leader.propose(Put("a", b"1"), 10)
    given_up.addErrback(lambda _: None)
    given_up.cancel()
    cluster.run(1)
    assert leader.store.get("a").value == b"1"
    assert leader.status().pending_proposals == 0
