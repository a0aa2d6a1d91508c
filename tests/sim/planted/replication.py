"""Bugs in getting entries to the followers, in committing them, and in applying them."""

from __future__ import annotations

from attrs import evolve

from minicloud.kv.commands import Put, PutDone
from minicloud.node.driver import Driver
from minicloud.raft import core, election, reads, replication, transfer
from minicloud.raft.configuration import Configuration
from minicloud.raft.core import Raft
from minicloud.raft.entries import EntryKind
from minicloud.raft.log import RaftLog
from minicloud.raft.messages import AppendReply, Heartbeat
from minicloud.raft.progress import Mode, Progress
from minicloud.raft.settings import RaftSettings
from minicloud.wire.commands import decode_command
from tests.sim.planted.patcher import Patcher, bug


def _in_small_messages(patcher: Patcher) -> None:
    """Send entries one by one: otherwise whatever a follower lacks comes in one message, up to the end of the log."""
    original = RaftSettings.__init__

    def init(settings, *args, **kw):
        original(settings, *args, **{"max_append_bytes": 1, "max_inflight_messages": 2, **kw})

    patcher.set(RaftSettings, "__init__", init)


# Sending


@bug("A follower acknowledges entries before they are on its disk.")
def acknowledged_before_disk(patcher: Patcher) -> None:
    patcher.set(core, "_PROMISES_NOTHING", (*core._PROMISES_NOTHING, AppendReply))


@bug("A follower does not look at the term of the entry before those that it takes.")
def no_log_matching(patcher: Patcher) -> None:
    original = replication.on_append_entries

    def on_append_entries(raft, sender, message):
        term = raft.log.term_at(message.prev_log_index)
        original(raft, sender, message if term is None else evolve(message, prev_log_term=term))

    patcher.react(original, on_append_entries)


@bug("A follower cuts its log at the first entry of each message, whether there is a conflict or not.")
def always_truncates(patcher: Patcher) -> None:
    def take_entries(raft, message):
        for entry in message.entries:
            if entry.index > raft.commit_index:
                if entry.index <= raft.log.last_index:
                    raft.log.truncate_from(entry.index)
                raft.log.append(entry)

    patcher.set(replication, "_take_entries", take_entries)


@bug("A follower keeps an entry that conflicts with the leader's.")
def never_truncates(patcher: Patcher) -> None:
    def take_entries(raft, message):
        for entry in message.entries:
            if entry.index > raft.log.last_index:
                raft.log.append(entry)

    patcher.set(replication, "_take_entries", take_entries)


@bug("A leader counts what it has sent as if it had arrived.")
def counts_what_was_sent(patcher: Patcher) -> None:
    original = Progress.sent

    def sent(progress, last_index, size_bytes, now_tick):
        original(progress, last_index, size_bytes, now_tick)
        if progress.mode is Mode.REPLICATE:
            progress.match_index = last_index

    patcher.set(Progress, "sent", sent)


@bug("A leader that is refused sends the same again, and does not go back.")
def never_backs_up(patcher: Patcher) -> None:
    patcher.set(replication, "_back_up", lambda raft, progress, message: None)


@bug("A probe that was lost is not followed by another.")
def lost_probe_not_repeated(patcher: Patcher) -> None:
    original = replication.tick

    def tick(raft):
        paused = [progress for progress in raft.progress.values() if progress.paused]
        original(raft)
        for progress in paused:
            progress.paused = True

    patcher.set(replication, "tick", tick)


@bug("A follower whose next entries are gone waits for a snapshot that nobody sends.")
def snapshot_never_sent(patcher: Patcher) -> None:
    patcher.set(Raft, "want_snapshot", lambda raft, node_id: None)


@bug("A hand-over that does not come about is never given up.")
def transfer_never_ends(patcher: Patcher) -> None:
    patcher.set(transfer, "tick", lambda raft: None)


# The log in memory


@bug("Entries that take the place of others are taken for those on disk.")
def truncation_keeps_stable_index(patcher: Patcher) -> None:
    original = RaftLog.truncate_from

    def truncate_from(log, index):
        stable_index = log.stable_index
        original(log, index)
        log.stable_index = stable_index

    patcher.set(RaftLog, "truncate_from", truncate_from)


@bug("What was compacted away leaves its index behind, and not its term.")
def compaction_forgets_the_term(patcher: Patcher) -> None:
    original = RaftLog.compact

    def compact(log, through_index):
        term = log.base_term
        original(log, through_index)
        log.base_term = term

    patcher.set(RaftLog, "compact", compact)


# Committing


@bug("One voter less than a majority commits an entry.")
def minority_commits(patcher: Patcher) -> None:
    def quorum_value(configuration, value_of):
        values = sorted(map(value_of, configuration.voters), reverse=True)
        return values[max(0, configuration.quorum - 2)] if values else 0

    patcher.set(Configuration, "quorum_value", quorum_value)


@bug("An entry of an earlier term commits as soon as a majority has it (figure 8). Entries travel one by one.")
def counts_entries_of_old_terms(patcher: Patcher) -> None:
    original = replication.commit

    def commit(raft):
        term_at = raft.log.term_at
        index = raft.configuration.quorum_value(
            lambda voter: raft.log.stable_index if voter == raft.node_id else raft.progress[voter].match_index
        )
        if index > raft.commit_index and term_at(index) != raft.current_term:
            raft.commit_index = index
        original(raft)

    _in_small_messages(patcher)
    patcher.set(replication, "commit", commit)


@bug("A heartbeat commits entries of which the leader does not know that the follower has them.")
def heartbeat_commits_unknown_entries(patcher: Patcher) -> None:
    patcher.set(
        reads,
        "send_heartbeat",
        lambda raft, to: raft.send(to, Heartbeat(raft.current_term, raft.commit_index, raft.reads.round)),
    )


@bug("A follower takes over whatever commit index it is told, be it an older one.")
def commit_index_goes_back(patcher: Patcher) -> None:
    patcher.set(replication, "_commit_to", lambda raft, index: setattr(raft, "commit_index", index))


@bug("A client is told that its write is done when it is in the leader's log.")
def answers_before_commit(patcher: Patcher) -> None:
    original = Driver._append

    def append(driver, ready):
        original(driver, ready)
        for entry in ready.entries:
            if entry.kind is EntryKind.COMMAND and isinstance(decode_command(entry.data), Put):
                driver._answers += driver.proposals.applied(entry, PutDone(entry.index, created=False))

    patcher.set(Driver, "_append", append)


@bug("A new leader takes all that it has for committed.")
def new_leader_commits_its_whole_log(patcher: Patcher) -> None:
    original = election._become_leader

    def become_leader(raft):
        raft.commit_index = raft.log.stable_index
        original(raft)

    patcher.set(election, "_become_leader", become_leader)


# Applying


@bug("Entries are applied as soon as they are on disk.")
def applies_before_commit(patcher: Patcher) -> None:
    def to_apply(raft):
        last = raft.log.stable_index
        return tuple(raft.log.between(raft.last_applied + 1, last)) if last > raft.last_applied else ()

    patcher.set(Raft, "_to_apply", to_apply)


@bug("Every command is applied twice, and the second outcome is the answer.")
def applies_twice(patcher: Patcher) -> None:
    original = Driver._apply_one

    def apply_one(driver, entry):
        original(driver, entry)
        driver.store.applied_index -= 1
        return original(driver, entry)

    patcher.set(Driver, "_apply_one", apply_one)


@bug("Where two entries are to be applied at once, the second is passed over.")
def skips_an_entry(patcher: Patcher) -> None:
    original = Driver._apply

    def apply(driver, ready):
        second = [evolve(entry, kind=EntryKind.NO_OP) for entry in ready.committed[1:2]]
        original(driver, evolve(ready, committed=(*ready.committed[:1], *second, *ready.committed[2:])))

    patcher.set(Driver, "_apply", apply)


@bug("After a restart, the entries kept behind the snapshot are applied once more.")
def replays_what_the_snapshot_has(patcher: Patcher) -> None:
    original = Raft.__init__

    def init(raft, *args):
        original(raft, *args)
        raft.last_applied = raft.log.base_index

    patcher.set(Raft, "__init__", init)
