"""The parts of consensus by themselves: log, progress, configuration, settings."""

from __future__ import annotations

import pytest

from minicloud.raft.configuration import Configuration, Suffrage
from minicloud.raft.entries import Entry, EntryKind, SnapshotMeta
from minicloud.raft.log import ENTRY_OVERHEAD_BYTES, RaftLog, entry_bytes
from minicloud.raft.progress import Mode, Progress
from minicloud.raft.settings import RaftSettings
from tests.raft.network import learner, member, voters


def entry(index: int, term: int = 1, data: bytes = b"x") -> Entry:
    return Entry(term, index, data=data)


def configuration_entry(index: int, node_ids: str, term: int = 1) -> Entry:
    return Entry(term, index, EntryKind.CONFIGURATION, configuration=voters(node_ids))


def log(*terms: int) -> RaftLog:
    return RaftLog(None, [entry(index, term) for index, term in enumerate(terms, start=1)])


def meta(index: int, term: int = 1, node_ids: str = "abc", configuration_index: int = 1) -> SnapshotMeta:
    return SnapshotMeta(index, term, voters(node_ids), configuration_index)


# Log


def test_an_empty_log_ends_at_zero() -> None:
    """Paper, figure 2: the first index is 1."""
    empty = RaftLog(None, ())
    assert (empty.first_index, empty.last_index, empty.last_term, empty.stable_index) == (1, 0, 0, 0)
    assert empty.matches(0, 0) and empty.term_at(1) is None and empty.configuration == Configuration()
    assert empty.unstable == () and empty.batch(1, 100) == ()


@pytest.mark.parametrize(
    ("index", "term", "expected"), [(3, 2, True), (9, 1, False), (1, 3, True), (2, 2, False), (4, 2, True)]
)
def test_the_later_last_term_wins_then_the_longer_log(index: int, term: int, expected: bool) -> None:
    """Paper, section 5.4.1."""
    assert log(1, 1, 2).is_up_to_date(index, term) is expected


def test_what_is_appended_is_unstable_until_it_is_on_disk() -> None:
    """Thesis, section 10.2.1."""
    some = log(1)
    some.append(entry(2, 3))
    assert some.unstable == (entry(2, 3),) and some.stable_index == 1
    some.stable_index = 2
    assert some.unstable == ()


def test_gaps_and_falling_terms_do_not_get_into_a_log() -> None:
    """Paper, figure 3, Log Matching."""
    for wrong in (entry(3, 2), entry(2, 1), entry(1, 2)):
        with pytest.raises(AssertionError):
            log(2).append(wrong)


def test_truncation_takes_entries_their_size_and_their_configurations() -> None:
    """Paper, figure 2, step 3; thesis, section 4.1."""
    some = RaftLog(None, [configuration_entry(1, "a"), entry(2), configuration_entry(3, "ab"), entry(4)])
    some.append(configuration_entry(5, "abc"))
    assert (some.configuration_index, some.configuration) == (5, voters("abc"))
    some.truncate_from(3)
    assert (some.configuration_index, some.configuration) == (1, voters("a"))
    assert (some.last_index, some.stable_index) == (2, 2)
    assert some.byte_size == ENTRY_OVERHEAD_BYTES + entry_bytes(entry(2))
    with pytest.raises(AssertionError):
        some.truncate_from(0)


def test_compaction_keeps_the_last_term_and_the_configuration_in_force() -> None:
    """Paper, section 7."""
    some = RaftLog(None, [configuration_entry(1, "a"), configuration_entry(2, "ab"), entry(3, 2), entry(4, 3)])
    some.compact(3)
    assert (some.first_index, some.base_term, some.term_at(3), some.term_at(2)) == (4, 2, 2, None)
    assert some.configuration_at(3) == (2, voters("ab"))
    assert some.byte_size == entry_bytes(entry(4))
    some.compact(1)
    assert some.first_index == 4
    with pytest.raises(AssertionError):
        some.between(3, 4)
    with pytest.raises(AssertionError):
        some.compact(9)


def test_configurations_are_known_by_index() -> None:
    """Thesis, section 4.1: which one is committed depends on the commit index."""
    some = RaftLog(None, [configuration_entry(1, "a"), entry(2), configuration_entry(3, "ab")])
    assert [some.configuration_at(index)[0] for index in (0, 1, 2, 3, 4)] == [0, 1, 1, 3, 3]
    behind = RaftLog(meta(5, configuration_index=4), ())
    assert behind.configuration_at(2) == (4, voters("abc"))


def test_a_configuration_kept_behind_a_snapshot_is_older_than_the_one_that_it_brings() -> None:
    """Thesis, section 4.1: the newest configuration in the log is in force."""
    kept = [
        configuration_entry(3, "ab"),
        entry(4),
        configuration_entry(5, "abc"),
        entry(6),
        configuration_entry(7, "bc"),
    ]
    again = RaftLog(meta(6, node_ids="abc", configuration_index=5), [entry(2), *kept])
    assert (again.configuration_index, again.configuration.voters) == (7, ("b", "c"))
    assert [index for index, _ in again._configurations] == [5, 7]
    again.truncate_from(7)
    assert (again.configuration_index, again.configuration.voters) == (5, ("a", "b", "c"))


def test_a_log_begins_behind_its_snapshot_or_with_the_entries_kept() -> None:
    """Paper, section 7: the oldest entry kept lends its index and its term."""
    assert RaftLog(meta(5, 2), ()).last_term == 2
    behind = RaftLog(meta(5, 2), [entry(6, 3)])
    assert (behind.first_index, behind.last_index) == (6, 6)
    kept = RaftLog(meta(5, 2), [entry(index, 2) for index in range(3, 8)])
    assert (kept.first_index, kept.last_index, kept.term_at(3), kept.stable_index) == (4, 7, 2, 7)


def test_an_installed_snapshot_begins_a_new_log() -> None:
    """Paper, figure 13, step 7."""
    some = log(1, 1, 1)
    some.reset_to(meta(9, 4))
    assert (some.first_index, some.last_index, some.last_term, some.byte_size) == (10, 9, 4, 0)
    assert some.stable_index == 9 and some.configuration_index == 1


def test_batches_are_bounded_and_hold_one_entry_at_least() -> None:
    """Thesis, section 10.2.2."""
    some = log(1, 1, 1, 1)
    size = entry_bytes(entry(1))
    assert [item.index for item in some.batch(2, 2 * size)] == [2, 3]
    assert [item.index for item in some.batch(2, 1)] == [2]
    assert [item.index for item in some.batch(2, 100 * size)] == [2, 3, 4]


@pytest.mark.parametrize(
    ("index", "term", "expected"), [(6, 3, 6), (6, 2, 4), (6, 1, 2), (3, 2, 3), (99, 9, 6), (6, 0, 0), (0, 0, 0)]
)
def test_the_last_entry_of_a_term_is_found(index: int, term: int, expected: int) -> None:
    """Paper, end of section 5.3."""
    assert log(1, 1, 2, 2, 3, 3).last_index_at_or_below(index, term) == expected


def test_nothing_is_found_behind_what_is_compacted() -> None:
    """Paper, section 7."""
    some = log(1, 1, 2)
    some.compact(2)
    assert some.last_index_at_or_below(1, 1) == 2


# Progress


def replicating() -> Progress:
    progress = Progress(next_index=4, match_index=3)
    progress.become_replicate()
    return progress


def test_in_replicate_messages_follow_each_other() -> None:
    """Thesis, section 10.2.1."""
    progress = replicating()
    progress.sent(5, 100, 7)
    progress.sent(8, 50, 9)
    assert (progress.next_index, progress.inflight_bytes, progress.last_ack_tick) == (9, 150, 7)
    assert progress.acknowledged(6, 10)
    assert (progress.match_index, progress.inflight_bytes, progress.last_ack_tick) == (6, 50, 10)
    assert not progress.acknowledged(5, 11)
    assert progress.match_index == 6


def test_a_probe_waits_for_its_answer() -> None:
    """Paper, section 5.3."""
    progress = Progress(next_index=4)
    progress.sent(6, 100, 1)
    assert progress.paused and progress.next_index == 4 and not progress.inflight
    assert progress.acknowledged(6, 2) and progress.next_index == 7


def test_to_probe_is_to_go_back_to_what_is_not_acknowledged() -> None:
    """Paper, section 5.3: what was in flight may be lost."""
    progress = replicating()
    progress.sent(9, 100, 1)
    progress.become_probe()
    assert (progress.mode, progress.next_index, progress.inflight_bytes, progress.paused) == (Mode.PROBE, 4, 0, False)
    idle = replicating()
    idle.become_probe()
    assert idle.next_index == 4


def test_after_a_snapshot_that_failed_it_begins_behind_what_matches() -> None:
    """Paper, section 7."""
    progress = replicating()
    progress.next_index = 7
    progress.become_snapshot(20)
    progress.become_probe()
    assert (progress.mode, progress.next_index) == (Mode.PROBE, 4)
    progress.become_snapshot(20)
    progress.acknowledged(20, 1)
    progress.become_probe()
    assert progress.next_index == 21


# Configuration


def test_members_are_ordered_and_each_is_there_once() -> None:
    """Thesis, section 4.1."""
    some = voters("cab").with_member(learner("b")).with_member(learner("d"))
    assert [item.node_id for item in some.members] == ["a", "b", "c", "d"]
    assert some.voters == ("a", "c")
    assert some.get("b") == learner("b") and some.get("z") is None
    assert some.without("b").without("z") == voters("ac").with_member(learner("d"))
    assert member("a").suffrage is Suffrage.VOTER


def test_only_voters_vote() -> None:
    """Thesis, section 4.2.1."""
    some = voters("ab").with_member(learner("c"))
    assert some.is_voter("a") and not some.is_voter("c") and not some.is_voter("z")
    assert some.has_quorum("ab") and not some.has_quorum("ac")


@pytest.mark.parametrize(("node_ids", "quorum"), [("a", 1), ("ab", 2), ("abc", 2), ("abcd", 3), ("abcde", 3)])
def test_a_quorum_is_more_than_half(node_ids: str, quorum: int) -> None:
    """Paper, section 5.2."""
    some = voters(node_ids)
    assert some.quorum == quorum
    assert some.has_quorum(node_ids[:quorum]) and not some.has_quorum(node_ids[: quorum - 1])


def test_nobody_is_a_majority_of_nobody() -> None:
    """Thesis, section 4.4: a server without configuration elects and commits nothing."""
    assert not Configuration().has_quorum("abc") and Configuration().quorum_value(lambda _: 9) == 0


@pytest.mark.parametrize(("values", "expected"), [("9", 9), ("19", 1), ("159", 5), ("1259", 2), ("12599", 5)])
def test_a_majority_has_reached_the_quorum_value(values: str, expected: int) -> None:
    """Paper, figure 2: "a majority of matchIndex[i] ≥ N"."""
    reached = {node_id: int(value) for node_id, value in zip("abcde", values, strict=False)}
    assert voters(reached).quorum_value(reached.__getitem__) == expected


# Settings


@pytest.mark.parametrize(
    "wrong",
    [
        {"election_timeout_ticks": (0, 5)},
        {"election_timeout_ticks": (6, 5)},
        {"hint_delay_ticks": (3, 2)},
        {"heartbeat_ticks": 0},
        {"max_append_bytes": 0},
        {"max_inflight_bytes": 0},
        {"max_inflight_messages": 0},
        {"max_apply_entries": 0},
    ],
)
def test_settings_out_of_their_bounds_are_refused(wrong: dict[str, object]) -> None:
    """Each setting has a least value that makes sense."""
    with pytest.raises(ValueError):
        RaftSettings(**wrong)
