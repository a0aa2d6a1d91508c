"""Why the node could not do what it was asked. The web room turns each into one answer."""

from __future__ import annotations

from attrs import define

from minicloud.raft.configuration import Member


class NodeError(Exception):
    """Base of what a caller of the node must expect."""

    def __str__(self) -> str:
        """Return why, where more is known than the class says."""
        return str(getattr(self, "detail", ""))


@define(eq=False)
class NotLeader(NodeError):
    """Only the leader can do this; nothing was proposed. Safe to ask elsewhere."""

    leader: Member | None
    """The leader as far as this node knows."""


@define(eq=False)
class OutcomeUnknown(NodeError):
    """It was proposed, and the time limit passed before it was known whether it committed."""


@define(eq=False)
class ProposalLost(NodeError):
    """Another leader's entry took its place in the log: it was not applied and never will be. Safe to ask again."""

    leader: Member | None


@define(eq=False)
class Overloaded(NodeError):
    """Too many proposals are pending; nothing was proposed."""

    pending: int


@define(eq=False)
class ReadTimeout(NodeError):
    """The read could not be made linearizable (or the revision was not reached) within the time limit."""

    detail: str


@define(eq=False)
class ChangeInProgress(NodeError):
    """One membership change at a time (thesis, section 4.1); the last one is not committed yet."""


@define(eq=False)
class UnknownMember(NodeError):
    """No member has that id."""

    node_id: str


@define(eq=False)
class QuorumAtRisk(NodeError):
    """The change would leave fewer healthy voters than a majority."""

    detail: str


@define(eq=False)
class ChangeRefused(NodeError):
    """The change cannot be made, with or without force."""

    detail: str


@define(eq=False)
class TransferFailed(NodeError):
    """The other member did not take over in time; leadership stays or is decided by an election."""

    detail: str
    timed_out: bool
    """True where it was tried and took too long; False where it could not be tried."""


@define(eq=False)
class NodeStopping(NodeError):
    """The node is shutting down, or its disk failed."""
