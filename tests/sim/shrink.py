"""Making a failing plan smaller: as long as it fails in the same way, what is not needed goes (Zeller's ddmin, 2002)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from tests.sim.plan import Plan
from tests.sim.run import run_plan

MAX_RUNS = 300
"""How many smaller plans are tried: a minute or so."""

T = TypeVar("T")


def shrink(plan: Plan, violation: str, max_runs: int = MAX_RUNS) -> Plan:
    """Return the smallest plan found that violates the same invariant."""
    runs = 0

    def still_fails(candidate: Plan) -> bool:
        nonlocal runs
        runs += 1
        return runs <= max_runs and run_plan(candidate).violation == violation

    faults = _fewer(plan.faults, lambda some: still_fails(plan.only(some, plan.requests)))
    smaller = plan.only(faults, plan.requests)
    requests = _fewer(plan.requests, lambda some: still_fails(smaller.only(smaller.faults, some)))
    smaller = smaller.only(smaller.faults, requests)
    faults = _fewer(smaller.faults, lambda some: still_fails(smaller.only(some, smaller.requests)))
    return smaller.only(faults, smaller.requests)


def _fewer(items: Sequence[T], fails: Callable[[Sequence[T]], bool]) -> tuple[T, ...]:
    """Leave out halves, quarters, … down to single items, as long as it still fails."""
    kept = list(items)
    size = max(1, len(kept) // 2)
    while kept:
        start, has_shrunk = 0, False
        while start < len(kept):
            candidate = kept[:start] + kept[start + size :]
            if fails(candidate):
                kept, has_shrunk = candidate, True
            else:
                start += size
        if size == 1 and not has_shrunk:
            break
        size = max(1, size // 2)
    return tuple(kept)
