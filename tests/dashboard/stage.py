"""Three stand-in nodes, each behind the real HTTP site on a real port, for the page to work with."""

import time
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet import reactor

from minicloud.node.status import MemberStatus
from minicloud.raft.configuration import Configuration
from minicloud.web.app import make_site
from minicloud.web.settings import WebSettings
from tests.web.stand_in import StandInCluster

STATIC = Path(__file__).resolve().parents[2] / "static"


class Stage:
    """The cluster, and what the leader knows of its followers."""

    def __init__(self, token: str = "", auth_reads: bool = False) -> None:
        self.cluster = StandInCluster()
        self.down: set[str] = set()
        self.lag: dict[str, int] = {}
        self.clock_step_s = 0.0
        """How far the nodes' time of day is ahead of ours."""
        self.ports = {node_id: self._listen(node_id, token, auth_reads) for node_id in self.cluster.nodes}
        self._announce_ports()

    def _listen(self, node_id: str, token: str, auth_reads: bool) -> Any:
        node = self.cluster.nodes[node_id]
        node.members = lambda: self._members(node)
        settings = WebSettings(advertise_addr="127.0.0.1:1", auth_token=token, auth_reads=auth_reads)
        site = make_site(node, settings, reactor, static_folder=STATIC, wall_clock=self.now)
        return reactor.listenTCP(0, site, interface="127.0.0.1")

    def _announce_ports(self) -> None:
        members = tuple(evolve(member, http_addr=self.address(member.node_id)) for member in self.cluster.members)
        self.cluster.members = members
        self.cluster.configuration = Configuration(members)
        self.cluster.leader = members[0]
        for member in members:
            self.cluster.nodes[member.node_id].member = member

    def _members(self, node: Any) -> list[MemberStatus]:
        leads = self.cluster.leader is node.member
        index = self.cluster.store.applied_index
        return [self._member(member, leads, index) for member in self.cluster.configuration.members]

    def _member(self, member: Any, known: bool, index: int) -> MemberStatus:
        if not known:
            leads = member is self.cluster.leader
            return MemberStatus(member, leads, True if leads else None, None, None, None, None)
        lag = self.lag.get(member.node_id, 0)
        contact = 84_000 if member.node_id in self.down else 12
        is_leader = member is self.cluster.leader
        return MemberStatus(member, is_leader, member.node_id not in self.down, index - lag, lag, contact, None)

    def now(self) -> float:
        """Tell the nodes' time of day, in seconds since the epoch."""
        return time.time() + self.clock_step_s

    def address(self, node_id: str) -> str:
        return f"127.0.0.1:{self.ports[node_id].getHost().port}"

    def url(self, node_id: str = "node1") -> str:
        return f"http://{self.address(node_id)}/dashboard"

    def record(self, key: str) -> Any:
        return self.cluster.store.records.get(key)

    async def stop(self, node_id: str) -> None:
        """Close a node's port and its connections: the process is gone."""
        port = self.ports.pop(node_id)
        await port.stopListening()
        await port.factory.shut_down(0.0)

    async def stop_all(self) -> None:
        for node_id in list(self.ports):
            await self.stop(node_id)
