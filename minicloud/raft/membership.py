"""Changing who takes part, one server at a time (thesis, chapter 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft import election, transfer
from minicloud.raft.configuration import Configuration, Member, Suffrage
from minicloud.raft.errors import ChangePending, InvalidChange
from minicloud.raft.messages import TimeoutNow
from minicloud.raft.progress import Progress

if TYPE_CHECKING:
    from minicloud.raft.core import Raft


def change_is_pending(raft: Raft) -> bool:
    """Return whether a leader must wait before it changes the configuration.

    Until the last change is committed (thesis, section 4.1), and until an entry of this term is: otherwise two leaders
    could build on different configurations (Ongaro's correction of July 2015).
    """
    return raft.configuration_index > raft.commit_index or raft.commit_index < raft.term_start_index


def check_change(raft: Raft, configuration: Configuration) -> None:
    """Raise ChangePending or InvalidChange where that configuration may not follow the one in force.

    Any two majorities of the old and the new voters overlap because the two sets differ by one at most (thesis, figure 4.3).
    """
    if change_is_pending(raft):
        raise ChangePending
    old, new = frozenset(raft.configuration.voters), frozenset(configuration.voters)
    if not new or len(old ^ new) > 1:
        raise InvalidChange("one vote changes at a time, and somebody has to keep one")


def follow_configuration(raft: Raft) -> None:
    """Keep a Progress for each other member of the configuration in force."""
    raft.progress = {
        member.node_id: raft.progress.get(member.node_id) or _new_progress(raft)
        for member in raft.configuration.members
        if member.node_id != raft.node_id
    }
    if raft.transfer_target is not None and not raft.configuration.is_voter(raft.transfer_target):
        transfer.end(raft)


def caught_up_learner(raft: Raft) -> Member | None:
    """Return a learner to be made a voter now: it is caught up, it is heard, and no change is under way."""
    if not raft.progress or raft.transfer_target is not None or change_is_pending(raft):
        return None
    for member in raft.configuration.members:
        progress = raft.progress.get(member.node_id)
        if (
            progress is not None
            and member.suffrage is Suffrage.LEARNER
            and member.auto_promote
            and progress.caught_up
            and raft.is_active(member.node_id)
        ):
            return member
    return None


def note_catch_up(raft: Raft, progress: Progress) -> None:
    """Judge a learner by rounds: each brings it to where the leader's log ended when the round began.

    It is caught up when a round took less than an election timeout: then making it a voter costs no availability
    (thesis, section 4.2.1). A round that would begin with nothing to bring is over at once: otherwise a learner that was slow
    to begin would wait for writes, and be judged by how long they were in coming.
    """
    if progress.match_index < progress.catch_up_target:
        return
    took = raft.tick_count - progress.catch_up_since_tick
    in_time = progress.catch_up_target > 0 and took < raft.settings.election_timeout_ticks[0]
    progress.caught_up = in_time or progress.match_index == raft.log.last_index
    progress.catch_up_target = raft.log.last_index
    progress.catch_up_since_tick = raft.tick_count


def step_down_if_removed(raft: Raft) -> None:
    """Stop leading once a configuration without this server is committed (thesis, section 4.2.2).

    The voter that lacks least is asked to go on at once, so that nobody waits for an election timeout.
    """
    if raft.configuration.is_voter(raft.node_id) or raft.configuration_index > raft.commit_index:
        return
    heir = transfer.best_voter(raft)
    if heir is not None and raft.progress[heir].match_index == raft.log.last_index:
        raft.send(heir, TimeoutNow(raft.current_term))
    election.become_follower(raft, raft.current_term, None)


def _new_progress(raft: Raft) -> Progress:
    return Progress(
        next_index=raft.log.last_index + 1,
        last_contact_tick=raft.tick_count,
        catch_up_since_tick=raft.tick_count,
        catch_up_target=raft.log.last_index,
    )
