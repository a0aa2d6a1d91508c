"""Many seeds on all cores: what they come to, and where to go on when it was stopped."""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from attrs import Factory, asdict, define, frozen
from twisted.logger import globalLogBeginner

from tests.sim.plan import draw_plan
from tests.sim.run import run_plan

CHUNK_SEEDS = 25
"""Seeds that a worker takes at once: a few seconds of work, and what is lost where a campaign is stopped."""

PROGRESS_S = 10.0


@frozen
class Campaign:
    """Which seeds, and what of them."""

    first: int
    seeds: int
    nodes: tuple[int, ...]
    kinds: tuple[str, ...]

    @property
    def chunks(self) -> list[int]:
        """First seed of each chunk."""
        return list(range(self.first, self.first + self.seeds, CHUNK_SEEDS))


@define
class Totals:
    """What seeds came to, added up."""

    seeds: int = 0
    steps: int = 0
    processor_s: float = 0.0
    """Time of one core, over all runs of a campaign that went on later."""
    simulated_s: float = 0.0
    operations: int = 0
    answered: int = 0
    slowest_recovery_s: float = 0.0
    faults: Counter[str] = Factory(Counter)
    lines: Counter[str] = Factory(Counter)
    violations: list[tuple[int, str, str]] = Factory(list)
    """Seed, invariant, and what was the matter."""
    hashes: list[tuple[int, str]] = Factory(list)

    def add(self, other: Totals) -> None:
        """Add what a chunk came to."""
        for name in ("seeds", "steps", "processor_s", "simulated_s", "operations", "answered", "faults", "lines"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.slowest_recovery_s = max(self.slowest_recovery_s, other.slowest_recovery_s)
        self.violations += other.violations
        self.hashes += other.hashes

    def to_json(self) -> dict[str, Any]:
        """Return what from_json takes."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Totals:
        """Return what was written down."""
        fields["faults"], fields["lines"] = Counter(fields["faults"]), Counter(fields["lines"])
        fields["violations"] = [tuple(item) for item in fields["violations"]]
        fields["hashes"] = [tuple(item) for item in fields["hashes"]]
        return cls(**fields)


def quiet() -> None:
    """Have Twisted keep no log: nobody reads it, and it takes time."""
    globalLogBeginner.beginLoggingTo([lambda event: None], redirectStandardIO=False, discardBuffer=True)


def run_chunk(work: tuple[Campaign, int]) -> tuple[int, Totals]:
    """Run the seeds of one chunk."""
    campaign, first = work
    totals, began = Totals(), time.process_time()
    for seed in range(first, min(first + CHUNK_SEEDS, campaign.first + campaign.seeds)):
        result = run_plan(draw_plan(seed, campaign.nodes, campaign.kinds))
        totals.seeds += 1
        totals.steps += result.steps
        totals.simulated_s += result.simulated_s
        totals.operations += result.operations
        totals.answered += result.answered
        totals.faults += result.faults
        totals.lines += result.lines
        totals.slowest_recovery_s = max(totals.slowest_recovery_s, result.recovery_s)
        totals.hashes.append((seed, result.trace_hash))
        if result.violation:
            totals.violations.append((seed, result.violation, result.detail))
    totals.processor_s = time.process_time() - began
    return first, totals


def _start_worker() -> None:
    quiet()
    gc.freeze()


def _work(campaign: Campaign, chunks: Iterable[int], jobs: int) -> Iterator[tuple[int, Totals]]:
    """Yield each chunk as it is finished."""
    work = [(campaign, first) for first in chunks]
    if jobs == 1:
        yield from map(run_chunk, work)
        return
    with multiprocessing.get_context("spawn").Pool(jobs, _start_worker) as pool:
        yield from pool.imap_unordered(run_chunk, work)


def run_campaign(campaign: Campaign, *, jobs: int, minutes: float, state: Path | None, talk: TextIO) -> Totals:
    """Run a campaign, or the rest of it.

    Args:
        campaign: the seeds.
        jobs: processes that work at once.
        minutes: after which no more is begun; what is under way is given up.
        state: file of what is done already, a line a chunk; None to remember nothing.
        talk: where progress is told.
    """
    done = dict(_read_state(campaign, state))
    totals = Totals()
    for finished in done.values():
        totals.add(finished)
    began, told, already = time.monotonic(), 0.0, totals.seeds
    for first, finished in _work(campaign, [each for each in campaign.chunks if each not in done], jobs):
        totals.add(finished)
        _write_state(campaign, state, first, finished)
        for seed, violation, detail in finished.violations:
            print(f"seed {seed} violates {violation}: {_first_line(detail)}", file=talk, flush=True)
        passed = time.monotonic() - began
        if passed - told > PROGRESS_S:
            told = passed
            rate = (totals.seeds - already) / passed
            left_s = (campaign.seeds - totals.seeds) / rate
            print(
                f"{totals.seeds:,} of {campaign.seeds:,} seeds, {rate:.1f} a second, "
                f"{len(totals.violations)} violations, {left_s / 60:.0f} minutes left",
                file=talk,
                flush=True,
            )
        if passed > minutes * 60:
            print(f"{minutes:g} minutes are over after {totals.seeds:,} seeds", file=talk, flush=True)
            break
    return totals


def _read_state(campaign: Campaign, state: Path | None) -> Iterator[tuple[int, Totals]]:
    if state is None or not state.exists():
        return
    for line in state.read_text(encoding="utf-8").splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue  # the line that was being written when the campaign was stopped
        if record["campaign"] != json.loads(json.dumps(asdict(campaign))):
            sys.exit(f"{state}: expected the state of this very campaign, found that of {record['campaign']}")
        yield record["first"], Totals.from_json(record["totals"])


def _write_state(campaign: Campaign, state: Path | None, first: int, totals: Totals) -> None:
    if state is not None:
        with state.open("a", encoding="utf-8") as file:
            record = {"campaign": asdict(campaign), "first": first, "totals": totals.to_json()}
            file.write(json.dumps(record) + "\n")


def cores() -> int:
    """Return how many processes can work at once."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def summary(totals: Totals) -> str:
    """Return what a campaign came to, for a person."""
    lines = [
        f"seeds               {totals.seeds:,}, a core does {totals.seeds / max(totals.processor_s, 1e-9):.1f} a second",
        f"steps               {totals.steps:,}",
        f"simulated time      {totals.simulated_s / 3600:,.1f} hours",
        f"operations checked  {totals.operations:,}, of them answered {totals.answered:,}",
        f"slowest recovery    {totals.slowest_recovery_s:.2f} s",
        f"lines               {_counts(totals.lines)}",
        f"faults injected     {sum(totals.faults.values()):,}",
    ]
    lines += [f"  {name:<17} {count:,}" for name, count in sorted(totals.faults.items())]
    lines.append(f"violations          {len(totals.violations)}")
    lines += [f"  seed {seed}: {name}: {_first_line(detail)}" for seed, name, detail in sorted(totals.violations)]
    return "\n".join(lines)


def _first_line(detail: str) -> str:
    return detail.partition("\n")[0]


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))


def parse_nodes(text: str) -> tuple[int, ...]:
    """Return numbers of voters, as ``3,5`` says them. Raises ValueError."""
    nodes = tuple(int(part) for part in text.split(","))
    if not all(1 <= number <= 7 for number in nodes):
        raise ValueError("1 to 7 nodes")
    return nodes


def parse_kinds(text: str, known: Sequence[str]) -> tuple[str, ...]:
    """Return kinds of faults, as ``all``, ``none`` or ``kill,power`` says them. Raises ValueError."""
    if text in ("all", "none"):
        return tuple(known) if text == "all" else ()
    kinds = tuple(text.split(","))
    unknown = [kind for kind in kinds if kind not in known]
    if unknown:
        raise ValueError(f"no fault {unknown[0]}; there are {', '.join(known)}")
    return kinds
