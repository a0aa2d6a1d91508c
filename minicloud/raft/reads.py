"""Linearizable reads without writing to the log: ReadIndex (thesis, section 6.4).

The leader notes its commit index, makes sure by one round of heartbeats that it still led when the read came, and the read
may be answered from any store that has applied that index. One round serves all reads that wait when it begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import Factory, define

from minicloud.raft.messages import Heartbeat, ReadIndexReply, ReadIndexRequest
from minicloud.raft.ready import ReadState
from minicloud.raft.role import Role

if TYPE_CHECKING:
    from minicloud.raft.core import Raft


@define
class PendingRead:
    """A read at the leader. ``round`` is 0 until one has begun for it; only then is ``read_index`` fixed."""

    asked_by: str
    request_id: int
    round: int = 0
    read_index: int = 0


@define
class Reads:
    """All reads that wait for consensus."""

    round: int = 0
    """Newest round of this process. Never goes back, so no echo of an old term counts for a new one."""
    confirmed_round: int = 0
    """Newest round that a majority has echoed."""
    pending: list[PendingRead] = Factory(list)
    """As the leader, in the order in which they came."""
    asked: dict[int, int] = Factory(dict)
    """As a follower: the tick at which each request went to the leader."""
    done: list[ReadState] = Factory(list)
    aborted: list[int] = Factory(list)

    @property
    def has_news(self) -> bool:
        """Whether the driver has something to learn."""
        return bool(self.done or self.aborted)

    def take_news(self) -> tuple[tuple[ReadState, ...], tuple[int, ...]]:
        """Return, once, what is confirmed and what is aborted."""
        done, aborted = tuple(self.done), tuple(self.aborted)
        self.done, self.aborted = [], []
        return done, aborted


def ask(raft: Raft, request_id: int) -> bool:
    """Take a read of this node's own; return False where no leader is known."""
    if raft.role is Role.LEADER:
        raft.reads.pending.append(PendingRead(raft.node_id, request_id))
        return True
    if raft.leader_id is None:
        return False
    raft.reads.asked[request_id] = raft.tick_count
    raft.send(raft.leader_id, ReadIndexRequest(raft.current_term, request_id))
    return True


def on_request(raft: Raft, sender: str, message: ReadIndexRequest) -> None:
    """As the leader, take a follower's read."""
    raft.reads.pending.append(PendingRead(sender, message.request_id))


def refuse(raft: Raft, sender: str, message: ReadIndexRequest) -> None:
    """Tell a follower that takes us for the leader that we are not."""
    raft.send(sender, ReadIndexReply(raft.current_term, message.request_id, read_index=0))


def on_reply(raft: Raft, sender: str, message: ReadIndexReply) -> None:
    """As a follower, take the leader's answer to a read that is still waited for."""
    if raft.reads.asked.pop(message.request_id, None) is None:
        return
    if message.read_index:
        raft.reads.done.append(ReadState(message.request_id, message.read_index))
    else:
        raft.reads.aborted.append(message.request_id)


def has_work(raft: Raft) -> bool:
    """Return whether a round can begin: reads wait, no other round is under way, and this term has committed.

    Before its no-op is committed, a leader may not know the newest commit index (thesis, section 6.4, step 1).
    """
    waiting = bool(raft.reads.pending) and raft.reads.pending[-1].round == 0
    return waiting and raft.reads.confirmed_round == raft.reads.round and raft.commit_index >= raft.term_start_index


def begin_round(raft: Raft) -> None:
    """Begin a round for all reads that wait."""
    if not has_work(raft):
        return
    raft.reads.round += 1
    for read in raft.reads.pending:
        if read.round == 0:
            read.round, read.read_index = raft.reads.round, raft.commit_index
    for voter in raft.configuration.voters:
        if voter != raft.node_id:
            send_heartbeat(raft, voter)
    confirm(raft)  # a single voter is its own majority


def send_heartbeat(raft: Raft, node_id: str) -> None:
    """Send a heartbeat with the newest round; its commit index is one that the follower is known to hold."""
    commit_index = min(raft.commit_index, raft.progress[node_id].match_index)
    raft.send(node_id, Heartbeat(raft.current_term, commit_index, raft.reads.round))


def confirm(raft: Raft) -> None:
    """Answer the reads whose round a majority has echoed."""
    state = raft.reads
    echoed = raft.configuration.quorum_value(
        lambda voter: state.round if voter == raft.node_id else raft.progress[voter].round_acked
    )
    if echoed <= state.confirmed_round:
        return
    state.confirmed_round = echoed
    for read in state.pending:
        if 0 < read.round <= echoed:
            _answer(raft, read)
    state.pending = [read for read in state.pending if read.round == 0 or read.round > echoed]


def tick(raft: Raft) -> None:
    """Give up on answers that are overdue: the request or its answer was lost, and a new one takes a fresh index."""
    limit = raft.settings.election_timeout_ticks[0]
    overdue = [request_id for request_id, since in raft.reads.asked.items() if raft.tick_count - since >= limit]
    for request_id in overdue:
        del raft.reads.asked[request_id]
    raft.reads.aborted.extend(overdue)


def abort_all(raft: Raft) -> None:
    """Answer none of the reads under way: another leader may have committed since."""
    state = raft.reads
    state.aborted.extend(state.asked)
    state.asked = {}
    state.aborted.extend(read.request_id for read in state.pending if read.asked_by == raft.node_id)
    state.pending = []
    state.confirmed_round = state.round


def _answer(raft: Raft, read: PendingRead) -> None:
    if read.asked_by == raft.node_id:
        raft.reads.done.append(ReadState(read.request_id, read.read_index))
    else:
        raft.send(read.asked_by, ReadIndexReply(raft.current_term, read.request_id, read.read_index))
