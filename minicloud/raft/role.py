"""What a server can be (paper, figure 4; the pre-candidate is the thesis's, section 9.6)."""

from __future__ import annotations

import enum


class Role(enum.Enum):
    """A server is in exactly one of these. Whether a follower may vote is a matter of the configuration, not of its role."""

    FOLLOWER = "follower"
    PRE_CANDIDATE = "pre-candidate"
    """Asks who would vote for it, before it disturbs anybody with a new term."""
    CANDIDATE = "candidate"
    LEADER = "leader"
