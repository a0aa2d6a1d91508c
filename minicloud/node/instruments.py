"""What of a node is measured."""

from __future__ import annotations

from collections.abc import Callable

from attrs import define


def _ignore() -> None:
    """Record nothing."""


def _ignore_count(count: int) -> None:
    """Record nothing."""


def _ignore_seconds(seconds: float) -> None:
    """Record nothing."""


def _ignore_snapshot(size_bytes: int, seconds: float) -> None:
    """Record nothing."""


@define
class NodeInstruments:
    """What is called when something happens. Each call is made on the reactor and must be quick."""

    election_started: Callable[[], None] = _ignore
    """This node voted for itself in a new term."""
    leader_changed: Callable[[], None] = _ignore
    """This node learned of another leader than the last one."""
    committed: Callable[[int], None] = _ignore_count
    """So many entries were committed, of whatever kind."""
    applied: Callable[[int], None] = _ignore_count
    """So many commands were applied to the store."""
    proposal_failed: Callable[[], None] = _ignore
    """A proposal of this node was not applied, or not in time."""
    commit_seconds: Callable[[float], None] = _ignore_seconds
    """From a proposal to its outcome."""
    snapshot_taken: Callable[[int, float], None] = _ignore_snapshot
    """A snapshot of so many bytes is on disk; taking it took so many seconds."""
    fsync: Callable[[float], None] = _ignore_seconds
    """Bringing the log to the disk took so many seconds."""
