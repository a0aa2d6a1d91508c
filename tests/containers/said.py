"""What the check says: each thing that it has seen, and at the end what it could not see here."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SETTLE_LIMIT_S = 60.0
"""For whatever happens by itself. Most of it takes a second; a machine that is busy with other things takes longer."""

_unchecked: list[str] = []


class NotSoError(Exception):
    """Something is not as it must be."""


def say(line: str) -> None:
    print(line, flush=True)


def so(what: str, holds: object, seen: object = "") -> None:
    """Print one thing that was checked, or end with it."""
    if not holds:
        raise NotSoError(f"{what}{f': {seen}' if seen != '' else ''}")
    say(f"  ok  {what}")


def until(what: str, holds: Callable[[], Any], limit_s: float = SETTLE_LIMIT_S) -> Any:
    """Wait for something, and return it."""
    began = time.monotonic()
    while not (found := holds()):
        if time.monotonic() - began > limit_s:
            raise NotSoError(f"{what}, within {limit_s:g} s")
        time.sleep(0.05)
    say(f"  ok  {what} (after {time.monotonic() - began:.1f} s)")
    return found


def unchecked(what: str, why: str) -> None:
    """Say what can't be checked here, now and once more at the end."""
    _unchecked.append(f"{what}: not checked, {why}")
    say(f"  --  {_unchecked[-1]}")


def closing(passed: bool, took_s: float) -> str:
    """Return the last lines: what was not checked, and how it went."""
    if not passed:
        went = "failed"
    elif _unchecked:
        went = f"all that was checked is as it must be, {len(_unchecked)} not checked"
    else:
        went = "all is as it must be"
    return "\n".join([*_unchecked, f"{went}, after {took_s:.0f} s"])
