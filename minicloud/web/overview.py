"""One picture of the cluster: what this node knows, and what the other members say of themselves."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import msgspec
from attrs import evolve

from minicloud.node.status import MemberStatus
from minicloud.raft.configuration import Configuration
from minicloud.web.cluster import Cluster, failure_tolerance, member_document
from minicloud.web.face import NodeFace
from minicloud.web.neighbours import Neighbours, Report, Seen


class Overview:
    """Draws the picture. ``wall_clock`` tells the time of day in seconds since the epoch."""

    def __init__(
        self, node: NodeFace, cluster: Cluster, neighbours: Neighbours, wall_clock: Callable[[], float]
    ) -> None:
        self._node = node
        self._cluster = cluster
        self._neighbours = neighbours
        self._wall_clock = wall_clock

    def document(self) -> dict[str, Any]:
        """Return the picture of this moment."""
        status, members = self._node.status(), self._node.members()
        own = self._cluster.raft_status_document()
        seen = {
            each.member.node_id: self._own(own) if each.member.node_id == status.node_id else self._seen(each)
            for each in members
        }
        known = [evolve(each, healthy=_is_up(each, seen[each.member.node_id])) for each in members]
        return {
            "status": own,
            "members": [_member(each, seen[each.member.node_id]) for each in members],
            "leader": own["leader_id"],
            "failure_tolerance": failure_tolerance(known),
            "quorum": _quorum(status.configuration, known),
            "keys": len(self._node.store),
            "key_bytes": self._node.store.bytes_used,
            "pending_proposals": status.pending_proposals,
            "at": round(self._wall_clock(), 3),
        }

    def signature(self) -> Hashable:
        """Return what is to be shown at once when it has changed: two pictures that differ in it differ much."""
        status = self._node.status()
        return (
            status.state,
            status.term,
            status.leader,
            status.configuration,
            tuple((each.healthy, self._seen(each).answers) for each in self._node.members()),
        )

    def _seen(self, status: MemberStatus) -> Seen:
        return self._neighbours.seen(status.member)

    def _own(self, document: dict[str, Any]) -> Seen:
        return Seen(answers=True, answered_ms=0, reported=msgspec.convert(document, Report))


def _member(status: MemberStatus, seen: Seen) -> dict[str, Any]:
    return {
        **member_document(status),
        "answers": seen.answers,
        "answered_ms": seen.answered_ms,
        "reported": seen.reported,
    }


def _is_up(status: MemberStatus, seen: Seen) -> bool | None:
    """Return whether a member is up; None where nobody knows.

    The leader's word counts first, because a quorum is made of whom it hears; where there is none, whether it answers.
    """
    return seen.answers if status.healthy is None else status.healthy


def _quorum(configuration: Configuration, members: list[MemberStatus]) -> dict[str, int]:
    """Count the voters, how many of them decide, and how many are known to be up."""
    voters = configuration.voters
    return {
        "voters": len(voters),
        "needed": configuration.quorum,
        "up": sum(each.healthy is True and each.member.node_id in voters for each in members),
    }
