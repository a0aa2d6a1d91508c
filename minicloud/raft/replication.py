"""Getting the leader's log to the others, and knowing what is committed (paper, sections 5.3, 5.4.2 and 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft import election, membership, reads
from minicloud.raft.entries import SnapshotMeta
from minicloud.raft.errors import ProtocolViolation
from minicloud.raft.log import entry_bytes
from minicloud.raft.messages import (
    AppendEntries,
    AppendReply,
    Heartbeat,
    HeartbeatReply,
    InstallSnapshot,
    InstallSnapshotReply,
)
from minicloud.raft.progress import Mode, Progress
from minicloud.raft.ready import ReceivedChunk

if TYPE_CHECKING:
    from minicloud.raft.core import Raft

# The leader


def tick(raft: Raft) -> None:
    """Send heartbeats when they are due, and step down when a majority has gone silent (thesis, section 6.2)."""
    active = [raft.node_id, *(node_id for node_id, progress in raft.progress.items() if is_active(raft, progress))]
    if not raft.configuration.has_quorum(active):
        election.become_follower(raft, raft.current_term, None)
        return
    raft.heartbeat_elapsed += 1
    if raft.heartbeat_elapsed < raft.settings.heartbeat_ticks:
        return
    raft.heartbeat_elapsed = 0
    for node_id, progress in raft.progress.items():
        reads.send_heartbeat(raft, node_id)
        if progress.mode is Mode.PROBE:
            progress.paused = False
        elif progress.inflight and raft.tick_count - progress.last_ack_tick >= raft.settings.election_timeout_ticks[0]:
            progress.become_probe()  # what is in flight was lost, though the link holds


def is_active(raft: Raft, progress: Progress) -> bool:
    """Return whether a follower was heard within the shortest election timeout."""
    return raft.tick_count - progress.last_contact_tick < raft.settings.election_timeout_ticks[0]


def has_work(raft: Raft) -> bool:
    """Return whether a message with entries could leave."""
    return any(_can_send(raft, progress) for progress in raft.progress.values())


def fill(raft: Raft) -> None:
    """Send each follower as much of the log as it may have in flight."""
    for node_id, progress in raft.progress.items():
        while _can_send(raft, progress) and _send_entries(raft, node_id, progress):
            pass


def _can_send(raft: Raft, progress: Progress) -> bool:
    if progress.mode is Mode.SNAPSHOT:
        return False
    if progress.mode is Mode.PROBE:
        return not progress.paused
    return (
        progress.next_index <= raft.log.last_index
        and progress.inflight_bytes < raft.settings.max_inflight_bytes
        and len(progress.inflight) < raft.settings.max_inflight_messages
    )


def _send_entries(raft: Raft, node_id: str, progress: Progress) -> bool:
    """Send the next batch, a probe (with or without entries), or ask for a snapshot; return whether more may follow."""
    prev_index = progress.next_index - 1
    prev_term = raft.log.term_at(prev_index)
    if prev_term is None:
        _need_snapshot(raft, node_id, progress)
        return False
    entries = raft.log.batch(progress.next_index, raft.settings.max_append_bytes)
    message = AppendEntries(raft.current_term, prev_index, prev_term, entries, raft.commit_index, raft.reads.round)
    raft.send(node_id, message)
    last_index = entries[-1].index if entries else prev_index
    progress.sent(last_index, sum(entry_bytes(entry) for entry in entries), raft.tick_count)
    return progress.mode is Mode.REPLICATE


def _need_snapshot(raft: Raft, node_id: str, progress: Progress) -> None:
    """Have the newest snapshot sent to a follower that lacks what is compacted away; but only to one that answers."""
    if raft.snapshot is None or not is_active(raft, progress):
        progress.become_probe()  # only a probe can wait for the next heartbeat
        progress.paused = True
        return
    progress.become_snapshot(raft.snapshot.index)
    raft.want_snapshot(node_id)


def on_contact(raft: Raft, sender: str, message: AppendReply | HeartbeatReply | InstallSnapshotReply) -> None:
    """Take note that a follower answers in our term."""
    progress = raft.progress.get(sender)
    if progress is not None:
        progress.last_contact_tick = raft.tick_count


def on_heartbeat_reply(raft: Raft, sender: str, message: HeartbeatReply) -> None:
    """Take note that a follower still takes us for its leader."""
    on_contact(raft, sender, message)
    _note_round(raft, sender, message.round)


def on_append_reply(raft: Raft, sender: str, message: AppendReply) -> None:
    """Learn how far a follower's log agrees with ours; commit, or back up (paper, section 5.3)."""
    progress = raft.progress.get(sender)
    if progress is None:
        return
    on_contact(raft, sender, message)
    if message.success:
        _note_match(raft, sender, progress, message.match_index)
    else:
        _back_up(raft, progress, message)
    _note_round(raft, sender, message.round)


def _note_match(raft: Raft, sender: str, progress: Progress, match_index: int) -> None:
    if match_index > raft.log.last_index:
        raise ProtocolViolation(f"{sender} acknowledges entry {match_index}, the log ends at {raft.log.last_index}")
    is_news = progress.acknowledged(match_index, raft.tick_count)
    # A snapshot that has arrived may be older than what was compacted meanwhile: then the next one is asked for.
    has_snapshot = match_index >= min(progress.snapshot_index, raft.log.base_index)
    if progress.mode is Mode.PROBE or (progress.mode is Mode.SNAPSHOT and has_snapshot):
        progress.become_replicate()
    membership.note_catch_up(raft, progress)
    if is_news:
        commit(raft)
        membership.step_down_if_removed(raft)


def _back_up(raft: Raft, progress: Progress, message: AppendReply) -> None:
    """Go back to where the logs may agree: the follower's hint skips a term at a time (paper, end of section 5.3)."""
    refused = message.match_index
    if progress.mode is Mode.SNAPSHOT or refused <= progress.match_index:
        return  # an answer that was overtaken
    if progress.mode is Mode.PROBE and refused != progress.next_index - 1:
        return
    agree = raft.log.last_index_at_or_below(min(message.hint_index, refused - 1), message.hint_term)
    if message.hint_index < raft.log.base_index:
        agree = message.hint_index
    progress.become_probe()
    progress.next_index = max(progress.match_index, agree) + 1


def _note_round(raft: Raft, sender: str, round_number: int) -> None:
    progress = raft.progress.get(sender)
    if progress is not None and round_number > progress.round_acked:
        progress.round_acked = round_number
        reads.confirm(raft)


def commit(raft: Raft) -> None:
    """Advance the commit index: a majority has it on disk, and it is of this term (paper, figure 2 and section 5.4.2).

    Entries of earlier terms commit with it, never by counting (figure 8). A leader that is no voter does not count itself.
    """
    index = raft.configuration.quorum_value(
        lambda voter: raft.log.stable_index if voter == raft.node_id else raft.progress[voter].match_index
    )
    if index > raft.commit_index and raft.log.term_at(index) == raft.current_term:
        raft.commit_index = index


# The follower


def on_heartbeat(raft: Raft, sender: str, message: Heartbeat) -> None:
    """Follow; commit what the leader knows to be in this log."""
    election.hear_leader(raft, sender)
    _hear_commit_index(raft, message.commit_index)
    _commit_to(raft, min(message.commit_index, raft.log.last_index))
    raft.send(sender, HeartbeatReply(raft.current_term, message.round))


def on_append_entries(raft: Raft, sender: str, message: AppendEntries) -> None:
    """AppendEntries, receiver's part (paper, figure 2)."""
    election.hear_leader(raft, sender)
    _hear_commit_index(raft, message.commit_index)
    term, log = raft.current_term, raft.log
    last_index = message.prev_log_index + len(message.entries)
    if last_index <= raft.commit_index:
        # All of it is committed here, and so equal: it may even be compacted away.
        raft.send(sender, AppendReply(term, True, raft.commit_index, round=message.round))
        return
    if message.prev_log_index >= raft.commit_index and not log.matches(message.prev_log_index, message.prev_log_term):
        hint = log.last_index_at_or_below(min(message.prev_log_index - 1, log.last_index), message.prev_log_term)
        raft.send(
            sender,
            AppendReply(term, False, message.prev_log_index, hint, log.term_at(hint) or 0, message.round),
        )
        return
    _take_entries(raft, message)
    _commit_to(raft, min(message.commit_index, last_index))
    raft.send(sender, AppendReply(term, True, last_index, round=message.round))


def _take_entries(raft: Raft, message: AppendEntries) -> None:
    """Append what is new; truncate only at a real conflict, never because a message is short or late (figure 2, steps 3 and 4)."""
    for entry in message.entries:
        if entry.index <= raft.commit_index or raft.log.matches(entry.index, entry.term):
            continue
        if entry.index <= raft.log.last_index:
            raft.log.truncate_from(entry.index)
        raft.log.append(entry)


def _hear_commit_index(raft: Raft, index: int) -> None:
    raft.leader_commit_index = max(raft.leader_commit_index, index)


def _commit_to(raft: Raft, index: int) -> None:
    raft.commit_index = max(raft.commit_index, index)


def on_install_snapshot(raft: Raft, sender: str, message: InstallSnapshot) -> None:
    """Hand a chunk to the driver, unless the snapshot holds nothing new (paper, figure 13)."""
    election.hear_leader(raft, sender)
    _hear_commit_index(raft, message.snapshot.index)
    if message.snapshot.index <= raft.commit_index:
        raft.send(sender, AppendReply(raft.current_term, True, raft.commit_index))
    else:
        raft.hand_over_chunk(ReceivedChunk(sender, message))


def take_snapshot(raft: Raft, meta: SnapshotMeta) -> bool:
    """Begin anew from a complete snapshot; return False where the log has what it covers, and only commits that.

    A log that holds the snapshot's last entry stays as it is: what follows may have been acknowledged already (figure 13,
    step 6).
    """
    replaces = meta.index > raft.commit_index and not raft.log.matches(meta.index, meta.term)
    if replaces:
        raft.begin_anew_from(meta)
    elif raft.log.matches(meta.index, meta.term):
        _commit_to(raft, meta.index)
    if raft.leader_id is not None and raft.leader_id != raft.node_id:
        raft.send(raft.leader_id, AppendReply(raft.current_term, True, raft.commit_index))
    return replaces
