"""Handing leadership to another voter (thesis, section 3.10)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft import election
from minicloud.raft.errors import Refused
from minicloud.raft.messages import TimeoutNow

if TYPE_CHECKING:
    from minicloud.raft.core import Raft


def best_voter(raft: Raft) -> str | None:
    """Return the other voter that is heard and lacks least, or None where nobody is heard."""
    heard = [voter for voter in raft.configuration.voters if voter in raft.progress and raft.is_active(voter)]
    return max(heard, key=lambda voter: raft.progress[voter].match_index, default=None)


def begin(raft: Raft, target: str | None) -> str:
    """Stop taking proposals and bring the target up to date; return who it is."""
    target = target or best_voter(raft)
    if target is None:
        raise Refused("no other voter is in contact")
    if target == raft.node_id:
        raise Refused(f"{target} leads already")
    if not raft.configuration.is_voter(target):
        raise Refused(f"{target} is no voter")
    raft.transfer_target = target
    raft.transfer_elapsed = 0
    raft.transfer_sent = False
    return target


def has_work(raft: Raft) -> bool:
    """Return whether the target is up to date and was not told yet."""
    target = raft.transfer_target
    if target is None or raft.transfer_sent:
        return False
    return raft.progress[target].match_index == raft.log.last_index


def urge(raft: Raft) -> None:
    """Tell the target to begin an election, once it has everything."""
    if has_work(raft):
        assert raft.transfer_target is not None
        raft.transfer_sent = True
        raft.send(raft.transfer_target, TimeoutNow(raft.current_term))


def tick(raft: Raft) -> None:
    """Give up after an election timeout: the cluster must not go without writes for longer than for an election."""
    if raft.transfer_target is None:
        return
    raft.transfer_elapsed += 1
    if raft.transfer_elapsed >= raft.settings.election_timeout_ticks[0]:
        end(raft)


def end(raft: Raft) -> None:
    """Take proposals again, or leave it to the new leader."""
    raft.transfer_target = None
    raft.transfer_sent = False


def on_timeout_now(raft: Raft, sender: str, message: TimeoutNow) -> None:
    """Begin an election at once, if we may lead: the leader asked for it, so no pre-vote is needed."""
    if election.may_campaign(raft):
        election.begin_election(raft, transferred=True)
