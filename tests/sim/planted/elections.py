"""Bugs in terms, votes and timers."""

from __future__ import annotations

from minicloud.node.driver import Driver
from minicloud.raft import core, election
from minicloud.raft.configuration import Configuration
from minicloud.raft.entries import HardState
from minicloud.raft.log import RaftLog
from minicloud.raft.messages import VoteReply
from minicloud.storage.storage import Storage
from tests.sim.planted.patcher import Patcher, bug


@bug("It votes for candidates whose log lacks entries that its own has.")
def votes_for_any_log(patcher: Patcher) -> None:
    patcher.set(RaftLog, "is_up_to_date", lambda log, last_index, last_term: True)


@bug("It votes for whoever asks, however often it has voted in the term.")
def votes_twice(patcher: Patcher) -> None:
    original = election.on_vote_request

    def on_vote_request(raft, sender, message):
        raft.voted_for = ""
        original(raft, sender, message)

    patcher.react(original, on_vote_request)


@bug("The term is saved, the vote is not.")
def vote_not_saved(patcher: Patcher) -> None:
    original = Storage.save_hard_state
    patcher.set(Storage, "save_hard_state", lambda storage, state: original(storage, HardState(state.current_term, "")))


@bug("Neither term nor vote is saved.")
def hard_state_not_saved(patcher: Patcher) -> None:
    patcher.set(Driver, "_save_hard_state", lambda driver, ready: None)


@bug("A term without a vote is not worth saving.")
def term_saved_only_with_a_vote(patcher: Patcher) -> None:
    original = Storage.save_hard_state
    patcher.set(
        Storage, "save_hard_state", lambda storage, state: original(storage, state) if state.voted_for else None
    )


@bug("Votes are sent before they are on disk.")
def vote_reply_before_disk(patcher: Patcher) -> None:
    patcher.set(core, "_PROMISES_NOTHING", (*core._PROMISES_NOTHING, VoteReply))


@bug("A candidate does not take note that it voted for itself.")
def forgets_own_vote(patcher: Patcher) -> None:
    original = election.begin_election

    def begin_election(raft, transferred=False):
        original(raft, transferred)
        raft.voted_for = ""

    patcher.set(election, "begin_election", begin_election)


@bug("Who said yes to the question before the election is counted as a vote in it.")
def pre_votes_counted_as_votes(patcher: Patcher) -> None:
    original = election.begin_election

    def begin_election(raft, transferred=False):
        votes = {voter: granted for voter, granted in raft.votes.items() if voter != raft.node_id}
        original(raft, transferred)
        raft.votes.update(votes)

    patcher.set(election, "begin_election", begin_election)


@bug("A refused vote is counted like any other.")
def refusals_counted_as_votes(patcher: Patcher) -> None:
    patcher.set(election, "_in_favour", lambda raft: list(raft.votes))


@bug("One vote less than a majority elects a leader.")
def minority_elects(patcher: Patcher) -> None:
    patcher.set(
        Configuration,
        "has_quorum",
        lambda self, node_ids: sum(map(frozenset(node_ids).__contains__, self.voters)) >= self.quorum - 1,
    )


@bug("A new leader appends no entry of its own term, and takes for known what is committed.")
def no_entry_at_the_start_of_a_term(patcher: Patcher) -> None:
    original = election._become_leader

    def become_leader(raft):
        append, raft.append = raft.append, lambda kind: 0
        original(raft)
        raft.append = append

    patcher.set(election, "_become_leader", become_leader)


@bug("Messages of newer terms are dropped, without a look at the term.")
def newer_terms_ignored(patcher: Patcher) -> None:
    original = election.accept_term

    def accept_term(raft, sender, message):
        return message.term <= raft.current_term and original(raft, sender, message)

    patcher.set(election, "accept_term", accept_term)


@bug("A leader that hears of a newer term goes on leading in that term.")
def leads_on_in_a_newer_term(patcher: Patcher) -> None:
    original = election.become_follower

    def become_follower(raft, term, leader_id):
        if raft.role is core.Role.LEADER and term > raft.current_term and leader_id is None:
            raft.current_term, raft.voted_for = term, ""
        else:
            original(raft, term, leader_id)

    patcher.set(election, "become_follower", become_follower)


@bug("The end of an election timeout is not noticed.")
def no_elections(patcher: Patcher) -> None:
    patcher.set(election, "tick", lambda raft: None)
