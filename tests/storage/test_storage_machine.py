"""Any sequence of calls, crashes and restarts against the model (model.py)."""

from __future__ import annotations

from random import Random

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from minicloud.raft.entries import HardState
from minicloud.storage.errors import DiskFull, StorageFailed
from minicloud.storage.memory_files import MemoryFiles
from tests.storage.helpers import CLUSTER_ID, crash_before, entry, meta, run_until_crash
from tests.storage.model import Pair

lengths = st.integers(0, 40)
counts = st.integers(1, 6)
seeds = st.integers(0, 2**32)


class StorageMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pair = Pair(MemoryFiles())
        self.term = 1

    @initialize()
    def begin(self) -> None:
        self.pair.open()
        self.pair.set_cluster(CLUSTER_ID)

    def _attempt(self, call, crash_at=None) -> None:
        """Make a call; where it meets a crash or an error, restart."""
        files = self.pair.files
        if crash_at is not None:
            crash_before(files, crash_at[0])
        try:
            crashed = run_until_crash(call)
        except DiskFull:
            crashed = self.pair.storage is None
        except StorageFailed:
            crashed = True
        files.before_step = None
        if crashed:
            self._restart(files.crash(Random(crash_at[1] if crash_at else 1)))

    def _restart(self, files: MemoryFiles) -> None:
        files.capacity = None
        self.pair.files = files
        self.pair.open()

    crashes = st.none() | st.tuples(st.integers(0, 12), seeds)

    @rule(count=counts, length=lengths, crash_at=crashes)
    def append(self, count: int, length: int, crash_at) -> None:
        first = self.pair.model.now.next_index
        new = [entry(first + step, self.term, "x" * length) for step in range(count)]
        self._attempt(lambda: self.pair.append(new), crash_at)

    @rule(back=st.integers(1, 10), count=counts, crash_at=crashes)
    def replace(self, back: int, count: int, crash_at) -> None:
        now = self.pair.model.now
        self.term += 1
        first = max(now.snapshot_index, now.base, now.next_index - 1 - back) + 1
        if first <= now.next_index:
            new = [entry(first + step, self.term) for step in range(count)]
            self._attempt(lambda: self.pair.append(new), crash_at)

    @rule(crash_at=crashes)
    def sync(self, crash_at) -> None:
        self._attempt(self.pair.sync, crash_at)

    @rule(voted_for=st.sampled_from(["", "n1", "n2"]), crash_at=crashes)
    def vote(self, voted_for: str, crash_at) -> None:
        self.term += 1
        self._attempt(lambda: self.pair.save_hard_state(HardState(self.term, voted_for)), crash_at)

    @precondition(lambda self: self.pair.model.now.log)
    @rule(position=st.floats(0, 1), crash_at=crashes)
    def take_snapshot(self, position: float, crash_at) -> None:
        now = self.pair.model.now
        chosen = now.log[int(position * (len(now.log) - 1))]
        self._attempt(lambda: self.pair.take_snapshot(meta(chosen.index, chosen.term)), crash_at)

    @rule(ahead=st.integers(-8, 8), is_other_term=st.booleans(), crash_at=crashes)
    def install(self, ahead: int, is_other_term: bool, crash_at) -> None:
        now = self.pair.model.now
        index = max(1, now.next_index - 1 + ahead)
        present = now.at(index)
        term = self.term if present is None or is_other_term else present.term
        self._attempt(lambda: self.pair.install(meta(index, term)), crash_at)

    @rule(through=st.integers(0, 60), crash_at=crashes)
    def compact(self, through: int, crash_at) -> None:
        self._attempt(lambda: self.pair.compact(through), crash_at)

    @rule(is_killed=st.booleans(), seed=seeds)
    def restart(self, is_killed: bool, seed: int) -> None:
        self._restart(self.pair.files.kill() if is_killed else self.pair.files.crash(Random(seed)))

    @rule(crash_at=crashes)
    def close_and_open(self, crash_at) -> None:
        def call() -> None:
            self.pair.close()
            self.pair.allowed = self.pair.model.possible()
            self.pair.open()

        self._attempt(call, crash_at)

    @rule(after=st.integers(0, 3))
    def fail_a_sync(self, after: int) -> None:
        self.pair.files.fail_sync(after)

    @rule(room=st.none() | st.integers(0, 500))
    def limit_the_disk(self, room: int | None) -> None:
        files = self.pair.files
        files.capacity = 1 << 40
        files.capacity = None if room is None else files.capacity - files.room() + room

    @invariant()
    def knows_its_log(self) -> None:
        if self.pair.storage is not None:
            state = self.pair.model.now
            assert self.pair.storage.log_first_index <= state.snapshot_index + 1
            assert self.pair.storage.snapshot == state.snapshot
            assert self.pair.storage.log_bytes > 0


StorageMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestStorageMachine = StorageMachine.TestCase
