"""Three nodes with their sites, in memory: what each test of a route talks to."""

from attrs import define, field
from twisted.internet.task import Clock

from minicloud.web.app import make_site
from minicloud.web.settings import WebInstruments, WebSettings
from tests.harness.cluster import STEP_S, Cluster
from tests.web.memory_http import Connection, MemoryNetwork
from tests.web.stand_in import StandInCluster

WALL_CLOCK = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110's examples."""

ROLES = ("leader", "follower", "other")


@define
class Counts:
    requests: list = field(factory=list)
    operations: list = field(factory=list)

    def instruments(self):
        return WebInstruments(
            request_finished=lambda *labels: self.requests.append(labels),
            put_finished=lambda: self.operations.append("put"),
            get_finished=lambda: self.operations.append("get"),
            delete_finished=lambda: self.operations.append("delete"),
        )


class World:
    """Sites for nodes that somebody else keeps running.

    A subclass gives ``node``, ``member``, ``id_of``, ``lose_leader`` and ``pass_time`` their meaning.
    """

    def __init__(self, nodes, http_addrs, clock, static_folder=None, metrics_page=None, **settings):
        self.clock = clock
        self.nodes = nodes
        self.network = MemoryNetwork()
        self.counts = Counts()
        self.sites = {}
        options = {} if metrics_page is None else {"metrics_page": metrics_page}
        for node_id, node in nodes.items():
            site = make_site(
                node,
                WebSettings(advertise_addr=http_addrs[node_id], **settings),
                self.clock,
                static_folder=static_folder,
                instruments=self.counts.instruments(),
                agent=self.network.agent(self.clock),
                request_id_prefix=node_id,
                wall_clock=lambda: WALL_CLOCK,
                **options,
            )
            self.sites[node_id] = site
            self.network.sites[http_addrs[node_id]] = site

    def node(self, role="leader"):
        return self.nodes[self.id_of(role)]

    def revision(self, role="leader"):
        return self.node(role).store.applied_index

    def value(self, key, role="leader"):
        record = self.node(role).store.get(key)
        return None if record is None else record.value

    def pump(self):
        self.network.pump()
        self.clock.advance(0.001)

    def connect(self, role="leader"):
        return Connection(self.sites[self.id_of(role)], self.pump)

    def ask(self, method, target, headers=(), body=None, node="leader", **options):
        connection = self.connect(node)
        connection.request(method, target, headers, body, **options)
        return connection.answer()

    def put(self, key, value=b"value", **options):
        response = self.ask("PUT", f"/kv/{key}", body=value, **options)
        assert response.code == 200, response
        return response.json["revision"]


class RealWorld(World):
    """A World of real nodes with their disks and links in memory, once they have elected and agreed."""

    def __init__(self, **options):
        self.cluster = Cluster(3)
        leader = self.cluster.leader().node_id
        self._settle(leader)
        self.roles = dict(zip(ROLES, [leader, *sorted(self.cluster.processes.keys() - {leader})], strict=True))
        nodes = {node_id: process.node for node_id, process in self.cluster.processes.items()}
        http_addrs = {member.node_id: member.http_addr for member in self._configuration(nodes[leader]).members}
        super().__init__(nodes, http_addrs, self.cluster.clock, **options)

    @staticmethod
    def _configuration(node):
        return node.status().configuration

    def _settle(self, leader):
        """Wait until every node has applied all that the leader has: the first entry of its term, too."""
        statuses = [process.node.status for process in self.cluster.processes.values()]
        last_log_index = self.cluster.node(leader).status().last_log_index
        self.cluster.until(lambda: all(status().applied_index == last_log_index for status in statuses))

    def id_of(self, role):
        """The node that had that role at the beginning: leader, follower, or the other follower."""
        return self.roles.get(role, role)

    def member(self, role="leader"):
        return self._configuration(self.node(role)).get(self.id_of(role))

    def lose_leader(self):
        """Cut every cable, and wait until each node has noticed."""
        for node_id in self.nodes:
            self.cluster.isolate(node_id)
        self.cluster.until(lambda: all(node.status().leader is None for node in self.nodes.values()))

    def pass_time(self, seconds):
        self.cluster.run(seconds)

    def pump(self):
        self.network.pump()
        self.cluster.run(STEP_S)

    def check(self):
        """Nothing that was asked may have cost a node its disk."""
        assert [process.failures for process in self.cluster.processes.values()] == [[], [], []]


class ScriptedWorld(World):
    """A World of stand-ins, for what a real cluster cannot be made to do at will."""

    def __init__(self, **options):
        self.cluster = StandInCluster()
        http_addrs = {node_id: node.member.http_addr for node_id, node in self.cluster.nodes.items()}
        super().__init__(self.cluster.nodes, http_addrs, Clock(), **options)

    def id_of(self, role):
        """The node that has that role: leader, follower, or the other follower."""
        return dict(zip(ROLES, self.nodes, strict=True)).get(role, role)

    @property
    def leader(self):
        return self.node("leader")

    @property
    def follower(self):
        return self.node("follower")

    def member(self, role="leader"):
        return self.node(role).member

    def lose_leader(self):
        """Bring about that no node knows of a leader."""
        self.cluster.leader = None

    def pass_time(self, seconds):
        self.clock.advance(seconds)
