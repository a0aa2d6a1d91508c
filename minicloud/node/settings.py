"""What can be set about a node, and the lengths and bounds that cannot."""

from __future__ import annotations

from attrs import frozen

from minicloud.raft.settings import RaftSettings

TICK_MS = 10
"""Length of a tick: fine enough for a heartbeat of 20 ms, and a hundred wake-ups a second cost nothing."""

TICK_S = TICK_MS / 1000

LEADER_PATIENCE_S = 1.0
"""How long a request waits while no leader is known. A hand-over takes a few hundredths, and so does replacing a leader
whose connections closed: nobody need hear of it. Where the majority is gone, whoever asks is told within this time."""


@frozen
class NodeSettings:
    """The keys of the configuration that matter here, checked by whoever read them."""

    node_id: str
    election_timeout_ms: tuple[int, int] = (500, 1000)
    """Range from which each election timeout is drawn."""
    heartbeat_ms: int = 100
    """Between two heartbeats of a leader."""
    snapshot_entries: int = 10_000
    """Applied entries between two snapshots."""
    snapshot_trailing_entries: int = 5_000
    """Entries kept behind a snapshot, for followers that are a little late."""

    def raft_settings(self) -> RaftSettings:
        """Return these times in ticks."""
        low, high = (max(1, milliseconds // TICK_MS) for milliseconds in self.election_timeout_ms)
        return RaftSettings(election_timeout_ticks=(low, high), heartbeat_ticks=max(1, self.heartbeat_ms // TICK_MS))
