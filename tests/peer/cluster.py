"""Nodes with real links over connections in memory, each with a driver that takes notes."""

from __future__ import annotations

import random

from twisted.internet.task import Clock
from twisted.logger import Logger

from minicloud.peer.identity import LocalPeer
from minicloud.peer.interface import PeerAddress
from minicloud.peer.links import PeerLinks
from tests.peer.memory import MemoryNet

SECRET = b"a secret of the cluster"


class Notes:
    """A driver that writes down what it is told."""

    def __init__(self):
        self.all = []
        self.received = []
        self.cluster_id = "c1"
        self.joins = True
        self.is_inside_network = False

    def note(self, *what):
        assert not self.is_inside_network, "an event from inside a call to Network"
        self.all.append(what)

    def message_received(self, sender, message):
        assert not self.is_inside_network
        self.received.append((sender, message))

    def link_up(self, node_id, instance_id):
        self.note("up", node_id, instance_id)

    def link_lost(self, node_id):
        self.note("lost", node_id)

    def told_removed(self, node_id, configuration_index):
        self.note("removed", node_id, configuration_index)

    def cluster_offered(self, cluster_id):
        self.note("offered", cluster_id)
        if self.joins:
            self.cluster_id = cluster_id
        return self.joins

    def wrong_instance(self, node_id, instance_id):
        self.note("wrong instance", node_id, instance_id)

    def count(self, *what):
        return sum(each[: len(what)] == what for each in self.all)


class Node:
    """One node; its host has its name."""

    def __init__(self, world, node_id, instance_id="", secret=SECRET, cluster_id="c1", index=1):
        self.world = world
        self.node_id = node_id
        self.instance_id = instance_id or f"{node_id}-disk"
        self.index = index
        """Of the newest configuration in its log."""
        self.driver = Notes()
        self.driver.cluster_id = cluster_id
        self.logged = []
        local = LocalPeer(node_id, self.instance_id, lambda: self.driver.cluster_id, lambda: self.index)
        self.links = PeerLinks(
            world.clock,
            local,
            secret,
            self.driver,
            random.Random(7),
            log=Logger(observer=self.logged.append),
            endpoints=world.net.endpoints(node_id),
        )
        self.links.listen(f"{node_id}:1")

    @property
    def address(self):
        return PeerAddress(f"{self.node_id}:1", self.instance_id)

    def warnings(self):
        return [event["text"] for event in self.logged if event["log_level"].name == "warn"]

    def knows(self, *others, committed=1, **addresses):
        """Set its peers: nodes, or addresses by node id."""
        peers = {other.node_id: other.address for other in others} | addresses
        self.driver.is_inside_network = True
        self.links.set_peers(peers, committed)
        self.driver.is_inside_network = False

    def send(self, to, message):
        self.driver.is_inside_network = True
        sent = self.links.send(to, message)
        self.driver.is_inside_network = False
        return sent


class World:
    """A clock, a network, and the nodes on it."""

    def __init__(self):
        self.clock = Clock()
        self.net = MemoryNet(self.clock)

    def node(self, node_id, **how):
        return Node(self, node_id, **how)

    def pair(self, **how):
        """Two nodes that are linked both ways."""
        nodes = self.node("n1", **how), self.node("n2", **how)
        self.link(*nodes)
        return nodes

    def link(self, *nodes):
        for node in nodes:
            node.knows(*(other for other in nodes if other is not node))
        self.advance(0.5)

    def restart(self, node, **how):
        """End a node's process without a word from it, and start it anew; nobody is its peer yet."""
        node.links.stop()
        self.net.die(node.node_id)
        return self.node(node.node_id, instance_id=node.instance_id, **how)

    def advance(self, seconds, step=0.01):
        self.net.advance(seconds, step)
