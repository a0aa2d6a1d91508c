"""The way to the leader, for a request that only the leader can serve: a redirect, or one hop."""

from __future__ import annotations

from twisted.internet.defer import Deferred

from minicloud.raft.configuration import Member
from minicloud.web.answers import NO_STORE, Answer, json_answer
from minicloud.web.face import NodeFace
from minicloud.web.forwarding import FORWARDED_FROM, Forwarder
from minicloud.web.problems import no_leader, not_leader
from minicloud.web.request import Request


class LeaderPath:
    """What a node that does not lead does with a request that must be led."""

    def __init__(self, node: NodeFace, forwarder: Forwarder, scheme: str) -> None:
        self._node = node
        self._forwarder = forwarder
        self._scheme = scheme

    def lead(
        self, request: Request, leader: Member | None, forward: bool, timeout_s: float
    ) -> Answer | Deferred[Answer]:
        """Send a request, or the client with it, to the leader.

        ``leader`` is who leads as far as this node knows; ``timeout_s`` is how long the leader may take, in seconds.
        Raises Problem where there is no way.
        """
        if FORWARDED_FROM in request.headers:
            raise not_leader(leader)
        if leader is None or leader.node_id == self._node.node_id or not leader.http_addr:
            raise no_leader()
        base = f"{self._scheme}://{leader.http_addr}"
        if forward:
            return self._forwarder.forward(request, leader, base, timeout_s)
        return self._redirect(base.encode("ascii") + request.path_and_query, leader)

    def _redirect(self, location: bytes, leader: Member) -> Answer:
        """Answer 307, which keeps method and body (RFC 9110, section 15.4.8)."""
        told = {"leader": leader.node_id, "location": location.decode("ascii")}
        return json_answer(told, 307, b"Location: %b\r\n%b" % (location, NO_STORE))
