"""Bugs in linearizable reads."""

from __future__ import annotations

from minicloud.node.reads import Reads as NodeReads
from minicloud.raft import reads, replication
from minicloud.raft.reads import PendingRead, Reads
from minicloud.raft.ready import ReadState
from minicloud.raft.role import Role
from tests.sim.planted.patcher import Patcher, bug


@bug("A leader answers reads without asking anybody whether it leads still.")
def reads_without_a_round(patcher: Patcher) -> None:
    original = reads.begin_round

    def begin_round(raft):
        original(raft)
        for read in raft.reads.pending:
            if read.round:
                reads._answer(raft, read)
        raft.reads.pending = [read for read in raft.reads.pending if not read.round]

    patcher.set(reads, "begin_round", begin_round)


@bug("A leader answers reads before an entry of its term is committed.")
def reads_before_the_first_commit(patcher: Patcher) -> None:
    def has_work(raft):
        waiting = bool(raft.reads.pending) and raft.reads.pending[-1].round == 0
        return waiting and raft.reads.confirmed_round == raft.reads.round

    patcher.set(reads, "has_work", has_work)


@bug("A follower answers reads by its own commit index.")
def follower_asks_nobody(patcher: Patcher) -> None:
    original = reads.ask

    def ask(raft, request_id):
        if raft.role is Role.LEADER or raft.leader_id is None:
            return original(raft, request_id)
        raft.reads.done.append(ReadState(request_id, raft.commit_index))
        return True

    patcher.set(reads, "ask", ask)


@bug("A reader does not wait until the index that the leader names is applied here.")
def reads_before_it_is_applied(patcher: Patcher) -> None:
    original = NodeReads.applied
    patcher.set(NodeReads, "applied", lambda self, applied_index: original(self, 1 << 60))


@bug("A read whose question came to nothing is answered all the same.")
def aborted_reads_are_answered(patcher: Patcher) -> None:
    patcher.set(NodeReads, "aborted", lambda self, request_id: self.confirmed(request_id, 0))


@bug("The leader's refusal of a read is taken for an index.")
def refusal_taken_for_an_index(patcher: Patcher) -> None:
    def on_reply(raft, sender, message):
        if raft.reads.asked.pop(message.request_id, None) is not None:
            raft.reads.done.append(ReadState(message.request_id, message.read_index))

    patcher.react(reads.on_reply, on_reply)


@bug("A server that leads no more refuses no reads, but answers them by its own commit index.")
def follower_answers_others(patcher: Patcher) -> None:
    def refuse(raft, sender, message):
        reads._answer(raft, PendingRead(sender, message.request_id, 0, raft.commit_index))

    patcher.react(reads.refuse, refuse)


@bug("A leader's reads are confirmed by one echo, its own, and it leads on when nobody hears it any more.")
def leads_and_reads_alone(patcher: Patcher) -> None:
    patcher.set(replication, "is_active", lambda raft, progress: True)
    original = reads.confirm

    def confirm(raft):
        for progress in raft.progress.values():
            progress.round_acked = max(progress.round_acked, raft.reads.round)
        original(raft)

    patcher.set(reads, "confirm", confirm)


@bug("A reader waits for the entry before the one that was committed last.")
def read_index_one_too_low(patcher: Patcher) -> None:
    original = Reads.take_news

    def take_news(state):
        done, aborted = original(state)
        return tuple(ReadState(each.request_id, each.read_index - 1) for each in done), aborted

    patcher.set(Reads, "take_news", take_news)
