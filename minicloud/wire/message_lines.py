"""The shape of each line that carries a message, as wire.messages reads and writes it.

Fields stand in the order of the class that is mirrored, but where large data is better read after what it is checked
against. What a single field cannot express is checked in ``__post_init__``.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

from msgspec import Meta

from minicloud.wire.entries import EntryLine
from minicloud.wire.fields import Count, Position, TaggedLine
from minicloud.wire.limits import MAX_CHUNK_BYTES
from minicloud.wire.members import SnapshotMetaLine


def _check_log_position(index: int, term: int, sender_term: int) -> None:
    """Refuse what no log holds: only index 0 has term 0, and no entry's term is ahead of its holder's."""
    if (index == 0) != (term == 0):
        raise ValueError(f"a log position at index {index} with term {term}")
    if term > sender_term:
        raise ValueError(f"a log position of term {term} in a message of term {sender_term}")


class PreVoteRequestLine(TaggedLine, frozen=True, tag="pre_vote_request"):
    """Mirror of PreVoteRequest."""

    term: Position
    last_log_index: Count
    last_log_term: Count

    def __post_init__(self) -> None:
        """Check the end of the sender's log."""
        _check_log_position(self.last_log_index, self.last_log_term, self.term)


class PreVoteReplyLine(TaggedLine, frozen=True, tag="pre_vote_reply"):
    """Mirror of PreVoteReply."""

    term: Count
    granted: bool


class VoteRequestLine(TaggedLine, frozen=True, tag="vote_request"):
    """Mirror of VoteRequest."""

    term: Position
    last_log_index: Count
    last_log_term: Count
    transfer: bool = False

    def __post_init__(self) -> None:
        """Check the end of the sender's log."""
        _check_log_position(self.last_log_index, self.last_log_term, self.term)


class VoteReplyLine(TaggedLine, frozen=True, tag="vote_reply"):
    """Mirror of VoteReply."""

    term: Count
    granted: bool


class AppendEntriesLine(TaggedLine, frozen=True, tag="append_entries"):
    """Mirror of AppendEntries."""

    term: Position
    prev_log_index: Count
    prev_log_term: Count
    commit_index: Count
    round: Count = 0
    entries: tuple[EntryLine, ...] = ()

    def __post_init__(self) -> None:
        """Check where the entries go."""
        _check_log_position(self.prev_log_index, self.prev_log_term, self.term)


class AppendReplyLine(TaggedLine, frozen=True, tag="append_reply"):
    """Mirror of AppendReply."""

    term: Count
    success: bool
    match_index: Count
    hint_index: Count = 0
    hint_term: Count = 0
    round: Count = 0


class HeartbeatLine(TaggedLine, frozen=True, tag="heartbeat"):
    """Mirror of Heartbeat."""

    term: Position
    commit_index: Count
    round: Count = 0


class HeartbeatReplyLine(TaggedLine, frozen=True, tag="heartbeat_reply"):
    """Mirror of HeartbeatReply."""

    term: Count
    round: Count


class InstallSnapshotLine(TaggedLine, frozen=True, tag="install_snapshot"):
    """Mirror of InstallSnapshot. ``data`` is base64."""

    term: Position
    snapshot: SnapshotMetaLine
    offset: Count
    total_bytes: Position
    data: Annotated[bytes, Meta(max_length=MAX_CHUNK_BYTES)]

    def __post_init__(self) -> None:
        """Refuse a chunk that sticks out of its snapshot, and a snapshot of a later term than the leader's."""
        if self.offset + len(self.data) > self.total_bytes:
            raise ValueError(f"a chunk up to {self.offset + len(self.data)} of {self.total_bytes} bytes")
        if self.snapshot.term > self.term:
            raise ValueError(f"a snapshot of term {self.snapshot.term} in a message of term {self.term}")


class InstallSnapshotReplyLine(TaggedLine, frozen=True, tag="install_snapshot_reply"):
    """Mirror of InstallSnapshotReply."""

    term: Count
    snapshot_index: Count
    next_offset: Count


class TimeoutNowLine(TaggedLine, frozen=True, tag="timeout_now"):
    """Mirror of TimeoutNow."""

    term: Position


class ReadIndexRequestLine(TaggedLine, frozen=True, tag="read_index_request"):
    """Mirror of ReadIndexRequest."""

    term: Count
    request_id: Count


class ReadIndexReplyLine(TaggedLine, frozen=True, tag="read_index_reply"):
    """Mirror of ReadIndexReply."""

    term: Count
    request_id: Count
    read_index: Count


MessageLine: TypeAlias = (
    PreVoteRequestLine
    | PreVoteReplyLine
    | VoteRequestLine
    | VoteReplyLine
    | AppendEntriesLine
    | AppendReplyLine
    | HeartbeatLine
    | HeartbeatReplyLine
    | InstallSnapshotLine
    | InstallSnapshotReplyLine
    | TimeoutNowLine
    | ReadIndexRequestLine
    | ReadIndexReplyLine
)
