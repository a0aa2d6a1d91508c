"""Looking for a planted bug: seed after seed, until some invariant does not hold."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from attrs import frozen

from tests.sim.plan import draw_plan
from tests.sim.planted.patcher import PlantedBug
from tests.sim.run import run_plan

RUN_LIMIT_S = 60
"""A run takes a fifth of a second; one that takes so long will never end."""

ENDLESS = "every run ends"
"""What a bug violates that keeps a node busy for ever, at one moment of its clock."""


@frozen
class Catch:
    """What gave a bug away."""

    seed: int
    invariant: str
    seeds: int
    """How many were run."""
    seconds: float
    detail: str = ""


class _Endless(BaseException):
    """Not to be mistaken for a fault of the process that does not come to an end."""


@contextmanager
def _limit() -> Iterator[None]:
    def ring(*_: Any) -> None:
        raise _Endless

    if not hasattr(signal, "SIGALRM"):  # Windows: there, a bug that never ends is ended by a person
        yield
        return
    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(RUN_LIMIT_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def violation_of(seed: int, nodes: Sequence[int] = (3, 5)) -> tuple[str, str]:
    """Run a seed; return which invariant was violated and how, empty strings where none was."""
    try:
        with _limit():
            result = run_plan(draw_plan(seed, nodes))
    except _Endless:
        return ENDLESS, f"not within {RUN_LIMIT_S} s"
    except Exception as error:
        return type(error).__name__, str(error)
    return result.violation, result.detail


def hunt(bug: PlantedBug, seeds: range, nodes: Sequence[int] = (3, 5)) -> Catch | None:
    """Return the first catch among the seeds, None where there is none.

    A seed that is no good without the bug catches nothing, and is passed over.
    """
    began = time.perf_counter()
    for count, seed in enumerate(seeds, 1):
        with bug.planted():
            violation, detail = violation_of(seed, nodes)
        if violation and not violation_of(seed, nodes)[0]:
            return Catch(seed, violation, count, time.perf_counter() - began, detail)
    return None
