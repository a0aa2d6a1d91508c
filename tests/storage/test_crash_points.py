"""Scenarios 21, 22, 37, 38: a crash before every single operation of everything that Storage does."""

from __future__ import annotations

from random import Random

import pytest

from minicloud.raft.entries import HardState
from minicloud.storage.memory_files import MachineStopped, MemoryFiles
from tests.storage.helpers import (
    CLUSTER_ID,
    KeepNothing,
    crash_before,
    entries,
    entry,
    every_outcome,
    meta,
    run_until_crash,
)
from tests.storage.model import Pair

SEEDS = range(4)
MAX_STEPS = 400


def _new_cluster(pair: Pair) -> None:
    pair.open()
    pair.set_cluster(CLUSTER_ID)
    pair.append([entry(1)])
    pair.sync()


def writing(pair: Pair) -> None:
    """Terms, batches, a conflict that is overwritten, several segments."""
    _new_cluster(pair)
    pair.save_hard_state(HardState(1, "n1"))
    pair.append(entries(2, 4))
    pair.sync()
    pair.append(entries(5, 6))
    pair.append(entries(7, 12))
    pair.sync()
    pair.save_hard_state(HardState(2, ""))
    pair.append(entries(9, 10, term=2))
    pair.sync()
    pair.append(entries(11, 20, term=2))
    pair.sync()
    pair.append(entries(15, 16, term=3))
    pair.append(entries(16, 18, term=4))
    pair.sync()
    pair.close()


def compacting(pair: Pair) -> None:
    """Two snapshots, the log behind each of them dropped, writes in between."""
    _new_cluster(pair)
    pair.append(entries(2, 10))
    pair.sync()
    pair.append(entries(11, 20))
    pair.sync()
    pair.take_snapshot(meta(15))
    pair.compact(12)
    pair.append(entries(21, 30))
    pair.sync()
    pair.take_snapshot(meta(28))
    pair.compact(28)
    pair.append(entries(31, 33))
    pair.sync()
    pair.sync()
    pair.close()


def dropping(pair: Pair) -> None:
    """Many segments that a snapshot covers, dropped one by one."""
    _new_cluster(pair)
    for first in range(2, 50, 8):
        pair.append(entries(first, first + 7))
        pair.sync()
    pair.take_snapshot(meta(49))
    pair.compact(49)
    for _ in range(8):
        pair.sync()


def snapshot_before_sync(pair: Pair) -> None:
    """A snapshot of an entry that others have committed, and that is not on this disk yet."""
    _new_cluster(pair)
    pair.append(entries(2, 9))
    pair.take_snapshot(meta(8))
    pair.append(entries(10, 12))
    pair.sync()


def installing(pair: Pair) -> None:
    """A snapshot far ahead of the log, one in the middle of it, one that contradicts it, and an old one."""
    _new_cluster(pair)
    pair.append(entries(2, 12))
    pair.sync()
    pair.install(meta(20))
    pair.append(entries(21, 30))
    pair.sync()
    pair.install(meta(25))
    pair.append(entries(31, 32))
    pair.sync()
    pair.install(meta(22))
    pair.install(meta(28, term=2))
    pair.append(entries(29, 33, term=2))
    pair.sync()
    pair.compact(28)
    pair.append(entries(34, 36, term=2))
    pair.sync()
    pair.close()


SCRIPTS = [writing, compacting, dropping, snapshot_before_sync, installing]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_crash_before_any_operation_leaves_the_old_state_or_the_new_and_no_gap(script):
    for step in range(MAX_STEPS):
        files = MemoryFiles()
        crash_before(files, step)
        pair = Pair(files)
        crashed = run_until_crash(lambda pair=pair: script(pair))
        for survivor in every_outcome(files, SEEDS):
            _assert_goes_on(pair, survivor)
        if not crashed:
            return
    pytest.fail("the script never came to its end")


def _assert_goes_on(pair: Pair, survivor: MemoryFiles) -> None:
    """Open, lose the power, open, write, lose the power, open."""
    successor = Pair(survivor)
    successor.allowed = pair.allowed
    successor.open()
    survivor = successor.files = survivor.crash(KeepNothing())
    successor.open()  # what was found once is there for good
    next_index = successor.model.now.next_index
    successor.append([entry(next_index, 9)])
    successor.sync()
    successor.files = survivor.crash(KeepNothing())
    successor.open()
    assert successor.model.now.at(next_index) == entry(next_index, 9)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_crash_before_any_operation_of_the_recovery_changes_nothing(script):
    random = Random(7)
    seen = set()
    for step in range(MAX_STEPS):
        files = MemoryFiles()
        crash_before(files, step)
        pair = Pair(files)
        crashed = run_until_crash(lambda pair=pair: script(pair))
        for wreck in (files.kill(), files.crash(random)):
            if (wreck.fingerprint(), str(pair.allowed)) not in seen:
                seen.add((wreck.fingerprint(), str(pair.allowed)))
                _crash_while_opening(pair, wreck)
        if not crashed:
            return
    pytest.fail("the script never came to its end")


def _crash_while_opening(pair: Pair, wreck: MemoryFiles) -> None:
    opened = Pair(wreck.kill())
    opened.allowed = pair.allowed
    opened.open()
    for step in range(MAX_STEPS):
        files = wreck.kill()
        crash_before(files, step)
        again = Pair(files)
        again.allowed = opened.allowed
        try:
            again.open()
        except MachineStopped:
            for survivor in every_outcome(files, [step]):
                last = Pair(survivor)
                last.allowed = pair.allowed
                last.open()
        else:
            return
    pytest.fail("it never opened")
