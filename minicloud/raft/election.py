"""Terms, votes and timers (paper, section 5.2 and 5.4.1; thesis, sections 4.2.3 and 9.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft import membership, reads, transfer
from minicloud.raft.entries import EntryKind
from minicloud.raft.messages import (
    AppendEntries,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    InstallSnapshotReply,
    Message,
    PreVoteReply,
    PreVoteRequest,
    TimeoutNow,
    VoteReply,
    VoteRequest,
)
from minicloud.raft.role import Role

if TYPE_CHECKING:
    from minicloud.raft.core import Raft

_FROM_LEADER = (AppendEntries, Heartbeat, InstallSnapshot, TimeoutNow)
"""Only the leader of its term sends these. (A ReadIndexReply also comes from who is not, as a refusal.)"""


# Time


def reset_timer(raft: Raft) -> None:
    """Begin a new election timeout, drawn at random so that split votes are rare (paper, section 5.2)."""
    raft.election_elapsed = 0
    raft.election_timeout = raft.random.randint(*raft.settings.election_timeout_ticks)


def tick(raft: Raft) -> None:
    """Count a tick; when the timeout has passed, ask who would vote for this server."""
    raft.election_elapsed += 1
    if raft.election_elapsed >= raft.election_timeout and may_campaign(raft):
        begin_pre_vote(raft)


def may_campaign(raft: Raft) -> bool:
    """Return whether this server may lead: a voter of the configuration in force, or of one that may still have to be.

    A leader that removes itself may be the only one that has the configuration without it, and then the only one whose log
    others may vote for. It leads, without counting itself, until that configuration is committed (thesis, section 4.2.2).
    """
    return raft.may_begin_elections and any(
        configuration.is_voter(raft.node_id) for configuration in raft.log.configurations_from(raft.commit_index)
    )


def leader_may_be_dead(raft: Raft) -> None:
    """Shorten the timeout: the leader's links have closed. Who still hears it will refuse the pre-vote."""
    raft.leader_link_lost = True
    delay = raft.random.randint(*raft.settings.hint_delay_ticks)
    raft.election_timeout = min(raft.election_timeout, raft.election_elapsed + delay)


def hears_leader(raft: Raft) -> bool:
    """Return whether a leader is alive as far as this server can tell; then it helps nobody to replace it.

    A leader hears itself: check-quorum makes it step down when others may have stopped hearing it.
    """
    if raft.role is Role.LEADER:
        return True
    silence_limit = raft.settings.election_timeout_ticks[0]
    return raft.leader_id is not None and not raft.leader_link_lost and raft.leader_elapsed < silence_limit


# Terms


def accept_term(raft: Raft, sender: str, message: Message) -> bool:
    """Compare a message's term with ours (paper, figure 2, "Rules for Servers"); return whether to react to it."""
    if isinstance(message, PreVoteRequest) or (isinstance(message, PreVoteReply) and message.granted):
        return True  # the term in these is one that nobody has begun
    if message.term > raft.current_term:
        if isinstance(message, VoteRequest) and not message.transfer and hears_leader(raft):
            return False  # a server that cannot hear the leader must not disturb those who can (thesis, section 4.2.3)
        become_follower(raft, message.term, sender if isinstance(message, _FROM_LEADER) else None)
    elif message.term < raft.current_term:
        _answer_stale(raft, sender, message)
        return False
    return True


def _answer_stale(raft: Raft, sender: str, message: Message) -> None:
    """Tell the sender of an old request which term it is; old replies need no answer."""
    term = raft.current_term
    if isinstance(message, VoteRequest):
        raft.send(sender, VoteReply(term, granted=False))
    elif isinstance(message, AppendEntries):
        raft.send(sender, AppendReply(term, success=False, match_index=message.prev_log_index))
    elif isinstance(message, Heartbeat):
        raft.send(sender, HeartbeatReply(term, round=0))
    elif isinstance(message, InstallSnapshot):
        raft.send(sender, InstallSnapshotReply(term, message.snapshot.index, next_offset=0))


def become_follower(raft: Raft, term: int, leader_id: str | None) -> None:
    """Follow, in that term; a new term begins without a vote."""
    assert term >= raft.current_term, (term, raft.current_term)
    if term > raft.current_term:
        raft.current_term = term
        raft.voted_for = ""
    raft.role = Role.FOLLOWER
    raft.votes = {}
    raft.progress = {}
    raft.leader_link_lost = False
    transfer.end(raft)
    reset_timer(raft)
    set_leader(raft, leader_id)


def set_leader(raft: Raft, leader_id: str | None) -> None:
    """Take note of who leads; what waits for the old leader's answer will not get it."""
    if leader_id != raft.leader_id:
        reads.abort_all(raft)
        raft.leader_id = leader_id


def hear_leader(raft: Raft, sender: str) -> None:
    """Take note that the leader of the current term is alive."""
    if raft.role is not Role.FOLLOWER or raft.leader_id != sender:
        become_follower(raft, raft.current_term, sender)
    raft.leader_elapsed = 0
    raft.has_heard_leader = True
    raft.leader_link_lost = False
    reset_timer(raft)


# Campaigns


def begin_pre_vote(raft: Raft) -> None:
    """Ask who would vote for this server, without a new term (thesis, section 9.6)."""
    raft.role = Role.PRE_CANDIDATE
    set_leader(raft, None)
    reset_timer(raft)
    raft.votes = {}
    request = PreVoteRequest(raft.current_term + 1, raft.log.last_index, raft.log.last_term)
    for voter in _other_voters(raft):
        raft.send(voter, request)
    _count_pre_vote(raft, raft.node_id, granted=True)


def begin_election(raft: Raft, transferred: bool = False) -> None:
    """Begin a new term and ask for votes. Our own counts once it is on disk, see ``count_own_vote``."""
    become_follower(raft, raft.current_term + 1, None)
    raft.role = Role.CANDIDATE
    raft.voted_for = raft.node_id
    request = VoteRequest(raft.current_term, raft.log.last_index, raft.log.last_term, transferred)
    for voter in _other_voters(raft):
        raft.send(voter, request)


def count_own_vote(raft: Raft) -> None:
    """Count a candidate's vote for itself, now that it is on disk: no leader ever acts in a term that it could forget."""
    if raft.role is Role.CANDIDATE and raft.node_id not in raft.votes:
        _count_vote(raft, raft.node_id, granted=True)


def on_pre_vote_request(raft: Raft, sender: str, message: PreVoteRequest) -> None:
    """Say whether we would vote for the sender, and bind nobody."""
    granted = (
        message.term > raft.current_term
        and not hears_leader(raft)
        and raft.log.is_up_to_date(message.last_log_index, message.last_log_term)
    )
    raft.send(sender, PreVoteReply(message.term if granted else raft.current_term, granted))


def on_pre_vote_reply(raft: Raft, sender: str, message: PreVoteReply) -> None:
    """Count an answer to the pre-vote of this very term."""
    if not message.granted or message.term == raft.current_term + 1:
        _count_pre_vote(raft, sender, message.granted)


def on_vote_request(raft: Raft, sender: str, message: VoteRequest) -> None:
    """RequestVote, receiver's part (paper, figure 2): first come, first served, to a log that lacks nothing of ours."""
    granted = raft.voted_for in ("", sender) and raft.log.is_up_to_date(message.last_log_index, message.last_log_term)
    granted = granted and raft.role is Role.FOLLOWER and raft.leader_id is None
    if granted:
        raft.voted_for = sender
        reset_timer(raft)
    raft.send(sender, VoteReply(raft.current_term, granted))


def on_vote_reply(raft: Raft, sender: str, message: VoteReply) -> None:
    """Count an answer to our RequestVote."""
    _count_vote(raft, sender, message.granted)


def _count_pre_vote(raft: Raft, voter: str, granted: bool) -> None:
    raft.votes.setdefault(voter, granted)
    if raft.configuration.has_quorum(_in_favour(raft)):
        begin_election(raft)


def _count_vote(raft: Raft, voter: str, granted: bool) -> None:
    raft.votes.setdefault(voter, granted)
    if raft.node_id in raft.votes and raft.configuration.has_quorum(_in_favour(raft)):
        _become_leader(raft)


def _become_leader(raft: Raft) -> None:
    """Lead: assert it to everybody with an entry of this term (paper, section 8)."""
    raft.role = Role.LEADER
    raft.leader_elapsed = 0
    raft.has_heard_leader = True
    set_leader(raft, raft.node_id)
    raft.heartbeat_elapsed = 0
    raft.progress = {}
    membership.follow_configuration(raft)
    raft.term_start_index = raft.append(EntryKind.NO_OP)


def _in_favour(raft: Raft) -> list[str]:
    return [voter for voter, granted in raft.votes.items() if granted]


def _other_voters(raft: Raft) -> list[str]:
    return [voter for voter in raft.configuration.voters if voter != raft.node_id]
