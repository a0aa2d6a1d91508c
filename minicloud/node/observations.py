"""What a node says of itself and of the other members."""

from __future__ import annotations

from minicloud.node.driver import Driver
from minicloud.node.settings import TICK_MS
from minicloud.node.status import MemberStatus, NodeStatus
from minicloud.raft.configuration import Member
from minicloud.raft.role import Role

_STATES = {
    Role.LEADER: "Leader",
    Role.FOLLOWER: "Follower",
    Role.PRE_CANDIDATE: "Candidate",
    Role.CANDIDATE: "Candidate",
}


def state_of(driver: Driver, node_id: str) -> str:
    """Return the node's state in one word, see NodeStatus."""
    raft = driver.raft
    configuration = raft.log.configuration
    is_out = bool(configuration.members) and configuration.get(node_id) is None
    is_said_to_be_out = not raft.may_begin_elections  # a peer says so, and no leader has denied it since
    if is_said_to_be_out or (is_out and raft.commit_index >= raft.log.configuration_index):
        return "Removed"
    if raft.role is Role.LEADER or configuration.is_voter(node_id):
        return _STATES[raft.role]
    return "Learner"


def status_of(driver: Driver, node_id: str) -> NodeStatus:
    """Return what the node says of itself."""
    raft, applied_index = driver.raft, driver.store.applied_index
    identity, catch_up_index = driver.storage.identity, raft.catch_up_index
    return NodeStatus(
        node_id=node_id,
        state=state_of(driver, node_id),
        leader=driver.leader(),
        term=raft.current_term,
        commit_index=raft.commit_index,
        applied_index=applied_index,
        last_log_index=raft.log.last_index,
        snapshot_index=raft.snapshot.index if raft.snapshot is not None else 0,
        log_entries=raft.log.last_index - raft.log.base_index,
        last_contact_ms=_leader_contact_ms(driver),
        pending_proposals=driver.proposals.pending,
        caught_up=catch_up_index is not None and applied_index >= catch_up_index,
        cluster_id=identity.cluster_id,
        instance_id=identity.instance_id,
        configuration=raft.log.configuration,
        configuration_index=raft.log.configuration_index,
        committed_configuration=raft.committed_configuration[1],
    )


def members_of(driver: Driver, node_id: str) -> list[MemberStatus]:
    """Return what the node knows of each member."""
    leads = driver.raft.role is Role.LEADER
    observe = _seen_by_leader if leads else _seen_by_follower
    return [observe(driver, node_id, member) for member in driver.raft.log.configuration.members]


def _leader_contact_ms(driver: Driver) -> int | None:
    raft = driver.raft
    if raft.role is Role.LEADER:
        return 0
    return raft.leader_elapsed * TICK_MS if raft.has_heard_leader else None


def _seen_by_leader(driver: Driver, node_id: str, member: Member) -> MemberStatus:
    raft = driver.raft
    last_index = raft.log.last_index
    if member.node_id == node_id:
        return MemberStatus(member, True, True, last_index, 0, 0, None)
    progress = raft.progress.get(member.node_id)
    if progress is None:
        return MemberStatus(member, False, None, None, None, None, None)
    was_heard = progress.last_contact_tick > 0
    return MemberStatus(
        member=member,
        is_leader=False,
        healthy=raft.is_active(member.node_id),
        match_index=progress.match_index,
        lag_entries=last_index - progress.match_index,
        last_contact_ms=(raft.tick_count - progress.last_contact_tick) * TICK_MS if was_heard else None,
        round_trip_seconds=driver.round_trips.seconds.get(member.node_id),
    )


def _seen_by_follower(driver: Driver, node_id: str, member: Member) -> MemberStatus:
    raft = driver.raft
    if member.node_id == node_id:
        return MemberStatus(member, False, True, None, None, 0, None)
    if member.node_id != raft.leader_id:
        return MemberStatus(member, False, None, None, None, None, None)
    is_fresh = raft.leader_elapsed < raft.settings.election_timeout_ticks[0]
    return MemberStatus(member, True, is_fresh, None, None, _leader_contact_ms(driver), None)
