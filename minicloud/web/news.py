"""What happened to the cluster, as this node saw it: elections, members that come and go, that fall silent and return.

It is seen by looking at the node again and again. What comes and goes between two looks is not seen, and the node's own
code knows nothing of this.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from attrs import define

from minicloud.node.status import MemberStatus, NodeStatus
from minicloud.raft.configuration import Configuration, Member, Suffrage
from minicloud.web.face import NodeFace
from minicloud.web.history import History
from minicloud.web.limits import KEPT_NEWS


class Item(msgspec.Struct, frozen=True):
    """One thing that happened."""

    number: int
    """From 1, growing by one. A restart begins anew."""
    at: float
    """Seconds since the epoch."""
    kind: str
    node_id: str | None = None
    term: int | None = None
    suffrage: str | None = None


@define
class _Reachability:
    """The last that was known of one member; None where nothing was."""

    healthy: bool | None = None
    """Whether the leader hears it."""
    answers: bool | None = None
    """Whether it surely answers over HTTP, or surely does not."""

    @property
    def is_down(self) -> bool:
        return self.healthy is False or self.answers is False

    def learn(self, healthy: bool | None, answers: bool | None) -> str | None:
        """Take what is known now, and return the kind of news that it is, if any.

        Silence about a member leaves things as they were, until the leader says something new: where nobody asks the
        member any more, what it answered to the last question is older than that, and counts no longer.
        """
        was_down = self.is_down
        if answers is None and healthy is not None and healthy is not self.healthy:
            if self.healthy:
                was_down = False  # It was heard until now: this outage is one of its own.
            self.answers = None
        self._take(healthy, answers)
        if self.is_down == was_down:
            return None
        return "unreachable" if self.is_down else "reachable"

    def _take(self, healthy: bool | None, answers: bool | None) -> None:
        if healthy is not None:
            self.healthy = healthy
        elif answers:
            self.healthy = None  # what a leader once said of it is out of date
        if answers is not None:
            self.answers = answers


class News:
    """Looks at a node, and keeps what it finds to have changed.

    ``answers`` tells whether another member answers, None where that is not sure; ``wall_clock`` the time of day in seconds
    since the epoch.
    """

    def __init__(
        self, node: NodeFace, answers: Callable[[Member], bool | None], wall_clock: Callable[[], float]
    ) -> None:
        self._node = node
        self._answers = answers
        self._wall_clock = wall_clock
        self.items: History[Item] = History(KEPT_NEWS)
        self._term = 0
        self._leader_id: str | None = None
        self._leader_term = 0
        self._configuration = Configuration()
        self._reachability: dict[str, _Reachability] = {}

    def begin(self) -> None:
        """Take things as they are: that this node has started is all the news."""
        status = self._node.status()
        self._term = status.term
        self._configuration = status.configuration
        self._add("started", node_id=status.node_id)

    def look(self) -> None:
        """Find out what has changed since the last look."""
        status = self._node.status()
        self._look_for_election(status)
        self._look_for_leader(status)
        if status.configuration != self._configuration:
            self._look_for_members(self._configuration, status.configuration)
            self._configuration = status.configuration
        self._look_for_silence(status, self._node.members())

    def _add(
        self, kind: str, *, node_id: str | None = None, term: int | None = None, suffrage: Suffrage | None = None
    ) -> None:
        at = round(self._wall_clock(), 3)
        self.items.add(Item(self.items.count + 1, at, kind, node_id, term, suffrage and suffrage.value))

    def _look_for_election(self, status: NodeStatus) -> None:
        """See whether this node stands, or stood and won. A candidate of an old term only asks whether it should."""
        stands = status.state in ("Candidate", "Leader")
        if stands and status.term > self._term:
            self._add("election", node_id=status.node_id, term=status.term)
        self._term = status.term

    def _look_for_leader(self, status: NodeStatus) -> None:
        leader_id = None if status.leader is None else status.leader.node_id
        if leader_id is None:
            if self._leader_id is not None:
                self._add("no_leader", term=status.term)
        elif (leader_id, status.term) != (self._leader_id, self._leader_term):
            self._add("leader", node_id=leader_id, term=status.term)
        self._leader_id, self._leader_term = leader_id, status.term

    def _look_for_members(self, before: Configuration, now: Configuration) -> None:
        for member in before.members:
            if now.get(member.node_id) is None:
                self._add("member_removed", node_id=member.node_id, suffrage=member.suffrage)
                self._reachability.pop(member.node_id, None)
        for member in now.members:
            old = before.get(member.node_id)
            if old is None:
                self._add("member_added", node_id=member.node_id, suffrage=member.suffrage)
            else:
                self._compare(old, member)

    def _compare(self, old: Member, new: Member) -> None:
        if (old.raft_addr, old.http_addr) != (new.raft_addr, new.http_addr):
            self._add("member_moved", node_id=new.node_id, suffrage=new.suffrage)
        if old.suffrage is not new.suffrage:
            kind = "member_promoted" if new.suffrage is Suffrage.VOTER else "member_demoted"
            self._add(kind, node_id=new.node_id, suffrage=new.suffrage)

    def _look_for_silence(self, status: NodeStatus, members: list[MemberStatus]) -> None:
        for seen in members:
            member = seen.member
            if member.node_id == status.node_id:
                continue
            known = self._reachability.setdefault(member.node_id, _Reachability())
            kind = known.learn(seen.healthy, self._answers(member))
            if kind is not None:
                self._add(kind, node_id=member.node_id)
