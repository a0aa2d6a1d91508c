"""The messages between peers, one frozen class each.

The sender is known from the authenticated link and is no field. ``term`` is the sender's ``current_term``, but in the two
pre-vote messages (see there).
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from minicloud.raft.entries import Entry, SnapshotMeta


@frozen
class PreVoteRequest:
    """Would you vote for me? (thesis, section 9.6)."""

    term: int
    """The term that the sender would start, one above its own. Nobody adopts it from this message."""
    last_log_index: int
    last_log_term: int


@frozen
class PreVoteReply:
    """Answer to a PreVoteRequest. It binds nobody."""

    term: int
    """When granted, the term asked for; otherwise the voter's own ``current_term``."""
    granted: bool


@frozen
class VoteRequest:
    """RequestVote RPC (paper, figure 2)."""

    term: int
    last_log_index: int
    last_log_term: int
    transfer: bool = False
    """The leader itself asked for this election, so voters need not wait for its silence (thesis, section 4.2.3)."""


@frozen
class VoteReply:
    """Answer to a VoteRequest."""

    term: int
    granted: bool


@frozen
class AppendEntries:
    """AppendEntries RPC with entries, or a probe without any (paper, figure 2)."""

    term: int
    prev_log_index: int
    prev_log_term: int
    entries: tuple[Entry, ...]
    commit_index: int
    """The leader's. The follower commits no further than the last entry that this message has verified."""
    round: int = 0
    """Newest ReadIndex round of the leader, see Heartbeat."""


@frozen
class AppendReply:
    """Answer to AppendEntries, and to a snapshot that was installed."""

    term: int
    success: bool
    match_index: int
    """On success: the log agrees with the leader's up to here and is on disk. On failure: the ``prev_log_index`` refused."""
    hint_index: int = 0
    """On failure: the largest index at which this log can still agree with the leader's (paper, section 5.3, fast back-up)."""
    hint_term: int = 0
    """On failure: the term of this log's entry at ``hint_index``."""
    round: int = 0
    """The round of the message that is answered."""


@frozen
class Heartbeat:
    """The leader is alive. Apart from AppendEntries so that it needs no agreement on the log, whatever the follower lacks."""

    term: int
    commit_index: int
    """Never beyond what the leader knows to be in this follower's log."""
    round: int = 0
    """ReadIndex round (thesis, section 6.4): a majority that echoes it proves that no newer leader had been elected when it began."""


@frozen
class HeartbeatReply:
    """Answer to a Heartbeat."""

    term: int
    round: int


@frozen
class InstallSnapshot:
    """InstallSnapshot RPC: one chunk of a snapshot (paper, figure 13)."""

    term: int
    snapshot: SnapshotMeta
    offset: int
    """Position of ``data`` in the snapshot, in bytes."""
    data: bytes
    total_bytes: int
    """Size of the whole snapshot, in bytes; the chunk that reaches it is the last."""


@frozen
class InstallSnapshotReply:
    """Answer to InstallSnapshot."""

    term: int
    snapshot_index: int
    """``snapshot.index`` of the transfer that is answered."""
    next_offset: int
    """How many bytes from the start the receiver holds: where the sender goes on."""


@frozen
class TimeoutNow:
    """Start an election at once: the sender hands its leadership over (thesis, section 3.10)."""

    term: int


@frozen
class ReadIndexRequest:
    """A follower asks the leader up to where it must have applied before it may answer its reads (thesis, section 6.4)."""

    term: int
    request_id: int
    """Chosen by the follower, never used twice in the life of its process."""


@frozen
class ReadIndexReply:
    """Answer to a ReadIndexRequest, once a round has confirmed the leader."""

    term: int
    request_id: int
    read_index: int
    """The leader's commit index when it took the request; 0 where it could not serve it."""


Message: TypeAlias = (
    PreVoteRequest
    | PreVoteReply
    | VoteRequest
    | VoteReply
    | AppendEntries
    | AppendReply
    | Heartbeat
    | HeartbeatReply
    | InstallSnapshot
    | InstallSnapshotReply
    | TimeoutNow
    | ReadIndexRequest
    | ReadIndexReply
)


@frozen
class Envelope:
    """A message and where it goes."""

    to: str
    """Node id of the receiver."""
    message: Message
