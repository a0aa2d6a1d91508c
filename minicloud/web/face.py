"""What the HTTP side asks of the node: the part of its public face that routes use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from twisted.internet.defer import Deferred

from minicloud.kv.commands import Command, Outcome, Record
from minicloud.kv.ranges import KeyRange
from minicloud.node.status import JoinRequest, MemberStatus, NodeStatus


class StoreFace(Protocol):
    """The replicated store, to read from."""

    @property
    def applied_index(self) -> int:
        """Index of the newest entry that the store has seen."""

    @property
    def bytes_used(self) -> int:
        """Bytes of all keys and values."""

    def __len__(self) -> int:
        """Return the number of keys."""

    def get(self, key: str) -> Record | None:
        """Return what is stored under that key."""

    def items(self, keys: KeyRange) -> Iterator[tuple[str, Record]]:
        """Go through a range of keys, in order, within this turn of the reactor."""

    def count(self, keys: KeyRange) -> int:
        """Return the number of keys in a range."""


class NodeFace(Protocol):
    """A node. Cancelling a Deferred of it never cancels what was proposed."""

    @property
    def node_id(self) -> str:
        """Id of this node."""

    @property
    def store(self) -> StoreFace:
        """Replicated state, as far as it is applied here."""

    def propose(self, command: Command, timeout_s: float) -> Deferred[Outcome]:
        """Replicate and apply a command."""

    def read_barrier(self, timeout_s: float) -> Deferred[None]:
        """Fire once the store may be read with linearizable results, at once."""

    def wait_applied(self, revision: int, timeout_s: float) -> Deferred[None]:
        """Fire once this node has applied that index."""

    def status(self) -> NodeStatus:
        """Return what this node says of itself."""

    def members(self) -> list[MemberStatus]:
        """Return what this node knows of each member."""

    def join(self, request: JoinRequest, timeout_s: float) -> Deferred[None]:
        """Make a node a member."""

    def remove(self, node_id: str, force: bool, timeout_s: float) -> Deferred[None]:
        """Remove a member."""

    def transfer(self, node_id: str | None, timeout_s: float) -> Deferred[None]:
        """Hand leadership over."""
