"""Stand-in nodes whose sites are started, and pages that watch them."""

import json

from attrs import define, field
from twisted.internet.task import Clock

from minicloud.web.app import make_site
from minicloud.web.rates import Rates
from minicloud.web.settings import WebInstruments, WebSettings
from tests.web.memory_http import Connection, MemoryNetwork
from tests.web.stand_in import StandInCluster
from tests.web.world import WALL_CLOCK

STEP_S = 0.01


def split_events(body):
    """The events of a stream's body, as pairs of name and document; anything else fails."""
    assert body.startswith(b"retry: 1000\n\n"), body[:40]
    events = []
    *complete, _ = body.split(b"\n\n")
    for block in complete[1:]:
        name, data = block.split(b"\n")
        assert name.startswith(b"event: ")
        assert data.startswith(b"data: ")
        events.append((name[7:].decode(), json.loads(data[6:])))
    return events


def dechunk(body):
    """The body out of its chunks, and whether the last one has come."""
    pieces = []
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            assert body == b"\r\n"
            return b"".join(pieces), True
        pieces.append(body[:length])
        assert body[length : length + 2] == b"\r\n"
        body = body[length + 2 :]
    return b"".join(pieces), False


@define
class Page:
    """A client that watches."""

    connection: Connection
    clock: Clock
    seen: int = 0

    @property
    def head(self):
        return self.connection.transport.value().partition(b"\r\n\r\n")[0].decode()

    @property
    def body(self):
        body = self.connection.transport.value().partition(b"\r\n\r\n")[2]
        return dechunk(body)[0] if "Transfer-Encoding: chunked" in self.head else body

    @property
    def has_ended(self):
        """Whether the stream was brought to its proper end."""
        return dechunk(self.connection.transport.value().partition(b"\r\n\r\n")[2])[1]

    def events(self, name=None):
        """The documents of all events so far, or of those with that name."""
        return [document for kind, document in split_events(self.body) if name in (None, kind)]

    def names(self):
        return [name for name, _ in split_events(self.body)]

    def fresh(self, name=None):
        """What came since this was asked last."""
        events = split_events(self.body)
        seen, self.seen = self.seen, len(events)
        return [document for kind, document in events[seen:] if name in (None, kind)]

    def stop_reading(self):
        """Bring about what a real transport does when its buffers are full."""
        self.connection.protocol.pauseProducing()

    def read_again(self):
        self.connection.protocol.resumeProducing()


@define
class Stage:
    """Three nodes, of which node1 leads. The time of day goes with the clock, but for a step."""

    cluster: StandInCluster = field(factory=StandInCluster)
    clock: Clock = field(factory=Clock)
    network: MemoryNetwork = field(factory=MemoryNetwork)
    settings: dict = field(factory=dict)
    sites: dict = field(factory=dict)
    rates: dict = field(factory=dict)
    counted: list = field(factory=list)
    time_of_day_step_s: float = 0.0

    def __attrs_post_init__(self):
        for node_id in self.cluster.nodes:
            self.start(node_id)

    def now(self):
        return WALL_CLOCK + self.clock.seconds() + self.time_of_day_step_s

    def start(self, node_id):
        node = self.cluster.nodes[node_id]
        self.rates[node_id] = Rates(self.clock.seconds, self.now)
        site = self.sites[node_id] = self.network.sites[node.member.http_addr] = make_site(
            node,
            WebSettings(advertise_addr=node.member.http_addr, **self.settings),
            self.clock,
            instruments=WebInstruments(request_finished=lambda *labels: self.counted.append(labels)),
            rates=self.rates[node_id],
            agent=self.network.agent(self.clock),
            wall_clock=self.now,
        )
        site.startFactory()

    def address(self, node_id):
        return self.cluster.nodes[node_id].member.http_addr

    def kill(self, node_id):
        """Refuse connections at a node's address, and cut those that are there."""
        site = self.network.sites.pop(self.address(node_id))
        for channel in list(site._channels):
            channel.transport.abortConnection()
        self.network.pump()

    def pass_time(self, seconds):
        for _ in range(round(seconds / STEP_S)):
            self.network.pump()
            self.clock.advance(STEP_S)
        self.network.pump()

    def pump(self):
        self.pass_time(STEP_S)

    def connect(self, node_id="node1"):
        return Connection(self.sites[node_id], self.pump)

    def watch(self, node_id="node1", headers=()):
        connection = self.connect(node_id)
        connection.request("GET", "/events", headers)
        return Page(connection, self.clock)

    def ask(self, target, node_id="node1", method="GET", **options):
        connection = self.connect(node_id)
        connection.request(method, target, **options)
        return connection.answer()
