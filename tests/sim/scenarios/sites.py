"""The HTTP side of simulated nodes: their real sites, over connections in memory."""

from __future__ import annotations

from typing import Any

from minicloud.web.app import make_site
from minicloud.web.settings import WebSettings
from tests.sim.world import World
from tests.web.memory_http import Connection, MemoryNetwork, Response

TURN_S = 0.001


class Sites:
    """A site for each node that runs now, and what is between a follower's and the leader's."""

    def __init__(self, world: World, **settings: Any) -> None:
        self.world = world
        self.network = MemoryNetwork()
        self.loses_answers = False
        """Whether nothing of what a leader answers gets to the follower that forwarded the request."""
        self._sites = {}
        for process in world.up:
            address = process.machine.http_addr
            self._sites[process.node_id] = self.network.sites[address] = make_site(
                process.node,
                WebSettings(advertise_addr=address, **settings),
                process.clock,
                agent=self.network.agent(process.clock),
                request_id_prefix=process.node_id,
                wall_clock=lambda: 0.0,
            )

    def send(self, node_id: str, method: str, target: str, body: bytes | None = None) -> Connection:
        """Send a request to a node. Nothing goes on before the next turn."""
        connection = Connection(self._sites[node_id], self.turn)
        connection.request(method, target, body=body)
        return connection

    def turn(self) -> None:
        """Carry what is between the sites, and let a moment pass."""
        for pump in self.network.pumps if self.loses_answers else ():
            pump.serverIO.getOutBuffer()
        self.network.pump()
        self.world.run(TURN_S)

    def ask(self, node_id: str, method: str, target: str, body: bytes | None = None) -> Response:
        """Send a request and wait for its answer."""
        return self.send(node_id, method, target, body).answer()
