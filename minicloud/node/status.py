"""What a node says of itself and of its cluster."""

from __future__ import annotations

from attrs import frozen

from minicloud.raft.configuration import Configuration, Member


@frozen
class NodeStatus:
    """One moment of one node."""

    node_id: str
    state: str
    """``Leader``, ``Follower``, ``Candidate``, ``Learner`` or ``Removed``."""
    leader: Member | None
    term: int
    commit_index: int
    applied_index: int
    last_log_index: int
    snapshot_index: int
    log_entries: int
    last_contact_ms: int | None
    """Since a leader was last heard of, known or not at the moment; 0 on the leader itself, None where there was none yet."""
    pending_proposals: int
    caught_up: bool
    """Whether this node has applied what a leader has said to be committed, and knows a leader."""
    cluster_id: str
    instance_id: str
    configuration: Configuration
    """The one in force: the newest in the log, committed or not."""
    configuration_index: int
    committed_configuration: Configuration
    """The newest that is known to be committed; without members where none is known yet."""

    @property
    def is_leader(self) -> bool:
        """Whether this node leads."""
        return self.state == "Leader"


@frozen
class MemberStatus:
    """One member as the answering node sees it. What it cannot know is None."""

    member: Member
    is_leader: bool
    healthy: bool | None
    """Heard of within an election timeout. Known by the leader for all, by the others for the leader and themselves."""
    match_index: int | None
    lag_entries: int | None
    last_contact_ms: int | None
    round_trip_seconds: float | None
    """Of the newest message that the peer answered."""


@frozen
class JoinRequest:
    """Wish of a node to be a member."""

    node_id: str
    raft_addr: str
    http_addr: str
    voter: bool = True
    """Whether to be promoted to voter once caught up."""
    instance_id: str = ""
    """Which data folder it is; empty where whoever asks does not know."""
