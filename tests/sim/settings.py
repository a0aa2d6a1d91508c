"""What is set for one simulated run."""

from __future__ import annotations

from attrs import frozen


@frozen
class SimSettings:
    """Nodes, and what their configs say. Defaults are small where that makes rare things frequent."""

    voters: int = 3
    """Voters that found the cluster together, 1 to 7."""
    election_timeout_ms: tuple[int, int] = (250, 500)
    heartbeat_ms: int = 50
    snapshot_entries: int = 20
    snapshot_trailing_entries: int = 5
    segment_bytes: int = 2048
    """Size of a log segment: small, so that there are several."""
    keys: int = 4
    small_messages: bool = False
    """Whether entries travel one by one, so that a leader can be lost between any two of them."""
    large_values: bool = False
    """Whether some values are so large that a snapshot takes several chunks."""

    @property
    def election_timeout_s(self) -> float:
        """The longest election timeout."""
        return self.election_timeout_ms[1] / 1000
