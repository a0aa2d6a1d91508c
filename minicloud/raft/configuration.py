"""Who takes part: the members of a cluster, and what counts as a majority of them (thesis, chapter 4)."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from operator import attrgetter

from attrs import evolve, field, frozen


class Suffrage(enum.Enum):
    """Whether a member counts towards quorums."""

    VOTER = "Voter"
    LEARNER = "Learner"


@frozen
class Member:
    """One server of the configuration."""

    node_id: str
    raft_addr: str
    """``host:port`` on which it accepts peers."""
    http_addr: str
    """``host:port`` that clients use."""
    suffrage: Suffrage = Suffrage.VOTER
    auto_promote: bool = True
    """Whether the leader makes a learner a voter once it has caught up."""
    instance_id: str = ""
    """Which data folder this member is: made at random with the folder, so that a node which lost its disk, and with it
    its votes, is not taken for the old one. Empty until it is known."""


def _in_order(members: Iterable[Member]) -> tuple[Member, ...]:
    return tuple(sorted(members, key=attrgetter("node_id")))


@frozen
class Configuration:
    """The members in force from one log entry on. Ordered by node id, each id once."""

    members: tuple[Member, ...] = field(default=(), converter=_in_order)

    def get(self, node_id: str) -> Member | None:
        """Return the member of that id, or None."""
        return next((member for member in self.members if member.node_id == node_id), None)

    @property
    def voters(self) -> tuple[str, ...]:
        """Ids of the members that count towards quorums."""
        return tuple(member.node_id for member in self.members if member.suffrage is Suffrage.VOTER)

    def is_voter(self, node_id: str) -> bool:
        """Return whether that member exists and counts towards quorums."""
        member = self.get(node_id)
        return member is not None and member.suffrage is Suffrage.VOTER

    @property
    def quorum(self) -> int:
        """How many voters make a majority: the smallest number of which any two sets overlap."""
        return len(self.voters) // 2 + 1

    def has_quorum(self, node_ids: Iterable[str]) -> bool:
        """Return whether those nodes include a majority of the voters. Nobody is a majority of no voters."""
        present = frozenset(node_ids)
        voters = self.voters
        return bool(voters) and sum(voter in present for voter in voters) >= self.quorum

    def quorum_value(self, value_of: Callable[[str], int]) -> int:
        """Return the largest number that a majority of the voters has reached; 0 where there are no voters.

        With ``match_index`` as the value this is the commit rule of the paper's figure 2 ("a majority of matchIndex[i] ≥ N").
        """
        values = sorted((value_of(voter) for voter in self.voters), reverse=True)
        return values[self.quorum - 1] if values else 0

    def with_member(self, member: Member) -> Configuration:
        """Return this configuration with that member added, or put in the place of the one that has its id."""
        return evolve(self, members=(*self.without(member.node_id).members, member))

    def without(self, node_id: str) -> Configuration:
        """Return this configuration without that member."""
        return evolve(self, members=tuple(member for member in self.members if member.node_id != node_id))
