"""Who reacts to what: every role against every message. Ignoring is a reaction, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from minicloud.raft import election, reads, replication, transfer
from minicloud.raft.errors import ProtocolViolation
from minicloud.raft.messages import (
    AppendEntries,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    InstallSnapshotReply,
    PreVoteReply,
    PreVoteRequest,
    ReadIndexReply,
    ReadIndexRequest,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from minicloud.raft.role import Role

if TYPE_CHECKING:
    from minicloud.raft.core import Raft

Reaction: TypeAlias = Callable[["Raft", str, Any], None]


def ignore(raft: Raft, sender: str, message: object) -> None:
    """A reply to what this server no longer is."""


def second_leader(raft: Raft, sender: str, message: object) -> None:
    """Two leaders in one term: Election Safety is broken, and not by us (paper, figure 3)."""
    raise ProtocolViolation(f"{sender} claims to lead term {raft.current_term}, in which {raft.node_id} leads")


def _row(follower: Reaction, pre_candidate: Reaction, candidate: Reaction, leader: Reaction) -> dict[Role, Reaction]:
    return {
        Role.FOLLOWER: follower,
        Role.PRE_CANDIDATE: pre_candidate,
        Role.CANDIDATE: candidate,
        Role.LEADER: leader,
    }


_same = election.on_vote_request
_pre = election.on_pre_vote_request
_append = replication.on_append_entries
_heartbeat = replication.on_heartbeat
_install = replication.on_install_snapshot

# fmt: off
_ROWS: dict[type, dict[Role, Reaction]] = {
    # message                    follower            pre-candidate               candidate               leader
    PreVoteRequest:       _row(_pre,               _pre,                       _pre,                   _pre),
    PreVoteReply:         _row(ignore,             election.on_pre_vote_reply, ignore,                 ignore),
    VoteRequest:          _row(_same,              _same,                      _same,                  _same),
    VoteReply:            _row(ignore,             ignore,                     election.on_vote_reply, ignore),
    AppendEntries:        _row(_append,            _append,                    _append,                second_leader),
    AppendReply:          _row(ignore,             ignore,                     ignore,                 replication.on_append_reply),
    Heartbeat:            _row(_heartbeat,         _heartbeat,                 _heartbeat,             second_leader),
    HeartbeatReply:       _row(ignore,             ignore,                     ignore,                 replication.on_heartbeat_reply),
    InstallSnapshot:      _row(_install,           _install,                   _install,               second_leader),
    InstallSnapshotReply: _row(ignore,             ignore,                     ignore,                 replication.on_contact),
    TimeoutNow:           _row(transfer.on_timeout_now, transfer.on_timeout_now, ignore,               ignore),
    ReadIndexRequest:     _row(reads.refuse,       reads.refuse,               reads.refuse,           reads.on_request),
    ReadIndexReply:       _row(reads.on_reply,     ignore,                     ignore,                 ignore),
}
# fmt: on

REACTIONS: dict[tuple[Role, type], Reaction] = {
    (role, message): reaction for message, row in _ROWS.items() for role, reaction in row.items()
}
"""Total: every role has a reaction to every message of its own term."""
