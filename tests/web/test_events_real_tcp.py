"""GET /events over real sockets: the end of a stream, and a client that never reads."""

import json
import socket

import pytest
import pytest_twisted
import treq
from attrs import evolve
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.task import deferLater

from minicloud.raft.configuration import Member
from minicloud.web.app import make_site
from minicloud.web.settings import WebSettings
from tests.web.event_stage import split_events
from tests.web.memory_http import encode_request
from tests.web.stand_in import StandInCluster

PATIENCE_S = 10.0


class Served:
    """One node of a stand-in cluster on a free port."""

    def __init__(self):
        self.cluster = StandInCluster()
        self.site = make_site(self.cluster.nodes["node1"], WebSettings("127.0.0.1:1"), reactor)
        self._listening = reactor.listenTCP(0, self.site, interface="127.0.0.1")
        self.port = self._listening.getHost().port
        self.cluster.configuration = self.cluster.configuration.without("node2").without("node3")

    def url(self, target):
        return f"http://127.0.0.1:{self.port}{target}"

    async def stop(self):
        await maybeDeferred(self._listening.stopListening)
        await self.site.shut_down(0.2)


@pytest.fixture
def served():
    served = Served()
    yield served
    pytest_twisted.blockon(ensureDeferred(served.stop()))


async def until(condition):
    deadline = reactor.seconds() + PATIENCE_S
    while not condition():
        assert reactor.seconds() < deadline, "it did not come about"
        await deferLater(reactor, 0.01, lambda: None)


@pytest_twisted.ensureDeferred
async def test_a_client_sees_changes_and_the_end(served):
    response = await treq.get(served.url("/events"), unbuffered=True, persistent=False)
    body, ended = b"", Deferred()

    def take(data):
        nonlocal body
        body += data

    treq.collect(response, take).addBoth(ended.callback)
    await until(lambda: b'"kind":"leader"' in body)
    served.cluster.leader = None
    await until(lambda: b"no_leader" in body)
    stopped = served.site.shut_down(5.0)
    assert await ended.addTimeout(PATIENCE_S, reactor) is None  # in good order, not as data that was lost
    await stopped
    name, document = split_events(body)[0]
    assert (name, document["leader"]) == ("cluster", "node1")


@pytest_twisted.ensureDeferred
async def test_json_over_tcp(served):
    response = await treq.get(served.url("/events?format=json"), persistent=False)
    assert list(json.loads(await response.content())) == ["cluster", "rates", "news"]


def _buffered(transport):
    return len(transport.dataBuffer) - transport.offset + sum(map(len, transport._tempDataBuffer))


@pytest_twisted.ensureDeferred
async def test_a_client_that_never_reads_cannot_fill_the_memory(served):
    """Pictures of a megabyte, a new one at each look: what the system's buffers do not take is not made."""
    cluster, node = served.cluster, served.cluster.nodes["node1"]
    for number in range(4000):
        cluster.members += (Member(f"extra{number}", f"127.0.0.1:{number + 1}", ""),)
    cluster.configuration = evolve(
        cluster.configuration, members=(*cluster.configuration.members, *cluster.members[3:])
    )
    status, terms = node.status, iter(range(1_000_000))
    node.status = lambda: evolve(status(), term=next(terms))
    greedy = socket.create_connection(("127.0.0.1", served.port))
    try:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.sendall(encode_request("GET", "/events"))
        await until(lambda: len(served.site._channels) == 1)
        (channel,) = served.site._channels
        await until(lambda: channel.requests and channel.requests[0].stream is not None)
        stream = channel.requests[0].stream
        # Five pictures are due in that second; one may be in our buffer, cut off wherever the system's are full.
        await until(lambda: stream.paused_s is not None and stream.paused_s > 1.0)
        assert _buffered(channel.transport) < 2 * 1024 * 1024
    finally:
        greedy.close()
    await until(lambda: not served.site._channels)
