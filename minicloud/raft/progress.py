"""What the leader knows of one follower, and how much it may send to it."""

from __future__ import annotations

import enum
from collections import deque

from attrs import Factory, define


class Mode(enum.Enum):
    """How the leader sends to a follower."""

    PROBE = "probe"
    """It is not known where the logs agree: one message at a time."""
    REPLICATE = "replicate"
    """The logs agree: messages follow each other without waiting (thesis, section 10.2.1)."""
    SNAPSHOT = "snapshot"
    """The entries that it lacks are gone: the driver sends a snapshot, and no entries go out."""


@define
class Progress:
    """Paper, figure 2, "Volatile state on leaders", and flow control.

    Invariant: ``match_index < next_index``; in REPLICATE, everything from ``match_index`` to ``next_index`` is in flight.
    """

    next_index: int
    """Next entry to send."""
    match_index: int = 0
    """Highest entry known to be on the follower's disk. Never decreases in a term."""
    mode: Mode = Mode.PROBE
    paused: bool = False
    """In PROBE: a probe is out; nothing more until an answer or the next heartbeat."""
    inflight: deque[tuple[int, int]] = Factory(deque)
    """In REPLICATE: last index and size in bytes of each message that is not acknowledged, oldest first."""
    inflight_bytes: int = 0
    last_contact_tick: int = 0
    """When the follower last answered anything."""
    last_ack_tick: int = 0
    """When it last acknowledged entries, or the first of those now in flight left."""
    round_acked: int = 0
    """Newest ReadIndex round that it has echoed."""
    snapshot_index: int = 0
    """In SNAPSHOT: which one is on its way."""
    catch_up_target: int = 0
    """For a learner: it has completed a round of catch-up when ``match_index`` gets here (thesis, section 4.2.1)."""
    catch_up_since_tick: int = 0
    caught_up: bool = False
    """For a learner: its last round took less than an election timeout."""

    def become_probe(self) -> None:
        """Find out anew where the logs agree."""
        if self.mode is Mode.SNAPSHOT and self.match_index < self.snapshot_index:
            self.next_index = self.match_index + 1
        self.mode = Mode.PROBE
        self.next_index = max(self.match_index + 1, min(self.next_index, self._oldest_unacknowledged()))
        self._clear_inflight()
        self.paused = False

    def become_replicate(self) -> None:
        """Go on behind the last entry that is known to match."""
        self.mode = Mode.REPLICATE
        self.next_index = self.match_index + 1
        self._clear_inflight()

    def become_snapshot(self, snapshot_index: int) -> None:
        """Send nothing until that snapshot is installed, or has failed."""
        self.mode = Mode.SNAPSHOT
        self.snapshot_index = snapshot_index
        self._clear_inflight()

    def sent(self, last_index: int, size_bytes: int, now_tick: int) -> None:
        """Take note of a message with entries that has left."""
        if self.mode is not Mode.REPLICATE:
            self.paused = True
            return
        if not self.inflight:
            self.last_ack_tick = now_tick
        self.inflight.append((last_index, size_bytes))
        self.inflight_bytes += size_bytes
        self.next_index = last_index + 1

    def acknowledged(self, match_index: int, now_tick: int) -> bool:
        """Take note of how far the follower's log is known to agree; return whether that is news."""
        while self.inflight and self.inflight[0][0] <= match_index:
            self.inflight_bytes -= self.inflight.popleft()[1]
            self.last_ack_tick = now_tick
        self.next_index = max(self.next_index, match_index + 1)
        if match_index <= self.match_index:
            return False
        self.match_index = match_index
        return True

    def _oldest_unacknowledged(self) -> int:
        return self.match_index + 1 if self.inflight else self.next_index

    def _clear_inflight(self) -> None:
        self.inflight.clear()
        self.inflight_bytes = 0
