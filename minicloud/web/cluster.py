"""What a node tells of itself and of its cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minicloud import __version__
from minicloud.node.status import MemberStatus, NodeStatus
from minicloud.raft.configuration import Member, Suffrage
from minicloud.web.answers import NO_STORE, TEXT_TYPE, Answer, json_answer
from minicloud.web.face import NodeFace
from minicloud.web.problems import RETRY_SOON, Problem
from minicloud.web.request import Request


class Cluster:
    """The meaning of the routes that only tell. All of them answer from what this node knows, at once."""

    def __init__(self, node: NodeFace, advertise_addr: str, now: Callable[[], float]) -> None:
        self._node = node
        self._advertise_addr = advertise_addr
        self._now = now
        self._started_at = now()

    def alive(self, request: Request) -> Answer:
        """Answer that the reactor turns."""
        return Answer(200, b"OK", TEXT_TYPE, NO_STORE)

    def ready(self, request: Request) -> Answer:
        """Answer whether requests are served well here: 200, or 503 with what is missing."""
        checks = _checks(self._node.status())
        if all(checks.values()):
            return json_answer({"ready": True, "checks": checks})
        missing = ", ".join(name for name, passed in checks.items() if not passed)
        problem = Problem(
            503,
            "not_ready",
            "Not ready",
            f"Not true at the moment: {missing}.",
            retryable=True,
            header_lines=RETRY_SOON + NO_STORE,
            extra={"ready": False, "checks": checks},
        )
        return problem.answer()

    def raft_status(self, request: Request) -> Answer:
        """Answer with this node's view of consensus."""
        return json_answer(self.raft_status_document())

    def raft_status_document(self) -> dict[str, Any]:
        """Return what ``GET /raft/status`` tells."""
        status = self._node.status()
        leader = status.leader
        return {
            "node_id": status.node_id,
            "state": status.state,
            "is_leader": status.is_leader,
            "leader": None if leader is None else leader.raft_addr,
            "leader_id": None if leader is None else leader.node_id,
            "leader_http": None if leader is None else leader.http_addr,
            "term": status.term,
            "commit_index": status.commit_index,
            "applied_index": status.applied_index,
            "last_log_index": status.last_log_index,
            "snapshot_index": status.snapshot_index,
            "last_contact_ms": status.last_contact_ms,
            "uptime_seconds": round(self._now() - self._started_at, 3),
            "version": __version__,
        }

    def raft_config(self, request: Request) -> Answer:
        """Answer with the configuration in force."""
        status = self._node.status()
        servers = [_server(member) for member in status.configuration.members]
        return json_answer({"servers": servers, "index": status.configuration_index})

    def members(self, request: Request) -> Answer:
        """Answer with each member as this node sees it."""
        status, members = self._node.status(), self._node.members()
        return json_answer(
            {
                "members": [member_document(member) for member in members],
                "leader": None if status.leader is None else status.leader.node_id,
                "failure_tolerance": failure_tolerance(members),
            }
        )

    def status(self, request: Request) -> Answer:
        """Answer with who this node is and whom it knows."""
        status = self._node.status()
        others = [member.http_addr for member in status.configuration.members if member.node_id != status.node_id]
        return json_answer(
            {
                "node_id": status.node_id,
                "address": self._advertise_addr,
                "peers": others,
                "cluster_id": status.cluster_id,
            }
        )


def failure_tolerance(members: list[MemberStatus]) -> int:
    """Return how many more voters may fail before the cluster stops serving; those not known to be down count as up."""
    voters = [member for member in members if member.member.suffrage is Suffrage.VOTER]
    up = sum(voter.healthy is not False for voter in voters)
    return max(0, up - (len(voters) // 2 + 1))


def _checks(status: NodeStatus) -> dict[str, bool]:
    return {
        "leader_known": status.leader is not None,
        "caught_up": status.caught_up,
        "member": status.state != "Removed",
    }


def _server(member: Member) -> dict[str, Any]:
    return {
        "node_id": member.node_id,
        "raft_addr": member.raft_addr,
        "http_addr": member.http_addr,
        "suffrage": member.suffrage.value,
    }


def member_document(status: MemberStatus) -> dict[str, Any]:
    """Return what ``GET /cluster/members`` tells of one member."""
    return {
        **_server(status.member),
        "is_leader": status.is_leader,
        "healthy": status.healthy,
        "match_index": status.match_index,
        "lag_entries": status.lag_entries,
        "last_contact_ms": status.last_contact_ms,
    }
