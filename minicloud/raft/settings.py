"""What can be set about consensus, each with its unit and its bounds."""

from __future__ import annotations

from typing import Protocol

from attrs import field, frozen, validators


class RandomSource(Protocol):
    """The part of ``random.Random`` that consensus draws from."""

    def randint(self, a: int, b: int) -> int:
        """Return a number from ``a`` to ``b``, both included."""


def _is_range(_: object, attribute: object, value: tuple[int, int]) -> None:
    if not 1 <= value[0] <= value[1]:
        raise ValueError(f"{attribute} must be a range of at least one tick")


@frozen
class RaftSettings:
    """Time is counted in ticks, whose length the driver chooses."""

    election_timeout_ticks: tuple[int, int] = field(default=(50, 100), validator=_is_range)
    """Range from which each election timeout is drawn (paper, section 5.2). The lower end is also how long a leader lives
    without hearing from a majority, and how long a voter that has heard the leader refuses others."""
    heartbeat_ticks: int = field(default=10, validator=validators.ge(1))
    """Between two heartbeats. Well below the election timeout, so that one lost heartbeat costs no election."""
    hint_delay_ticks: tuple[int, int] = field(default=(1, 12), validator=_is_range)
    """After the leader's links have closed, how long until a pre-vote: drawn at random, so that two followers that lost
    the same leader at the same moment seldom split the vote."""
    max_append_bytes: int = field(default=1 << 20, validator=validators.ge(1))
    """Entries in one AppendEntries, in bytes; a single larger entry goes alone. Bounds what one message costs in time."""
    max_inflight_bytes: int = field(default=8 << 20, validator=validators.ge(1))
    """Sent to one follower and not acknowledged, in bytes: bounds the memory that a slow follower takes."""
    max_inflight_messages: int = field(default=256, validator=validators.ge(1))
    """Sent to one follower and not acknowledged, in messages: the same bound for small ones."""
    max_apply_entries: int = field(default=1024, validator=validators.ge(1))
    """Committed entries handed over in one Ready: bounds how long the driver applies before it looks at its links again."""
