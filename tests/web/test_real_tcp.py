"""The same site over real sockets: what memory transports cannot show."""

import datetime
import ipaddress
import socket

import pytest
import pytest_twisted
import treq
from attrs import evolve
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import reactor, ssl
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater

from minicloud.raft.configuration import Configuration
from minicloud.web.app import make_site
from minicloud.web.settings import WebSettings
from tests.web.memory_http import encode_request, parse_responses
from tests.web.stand_in import StandInCluster

MEGABYTE = 1024 * 1024


class TcpWorld:
    """Sites of a stand-in cluster on free ports of this machine."""

    def __init__(self, tls=None, **settings):
        self.cluster = StandInCluster()
        self.sites, self.ports, self.scheme = {}, {}, "https" if tls else "http"
        for node_id, node in self.cluster.nodes.items():
            site = make_site(node, WebSettings("127.0.0.1:1", tls=tls is not None, **settings), reactor)
            listening = (
                reactor.listenSSL(0, site, tls, interface="127.0.0.1")
                if tls
                else reactor.listenTCP(0, site, interface="127.0.0.1")
            )
            self.sites[node_id], self.ports[node_id] = site, listening
        moved = {}
        for node_id, node in self.cluster.nodes.items():
            moved[node_id] = evolve(node.member, http_addr=f"127.0.0.1:{self.port(node_id)}")
            node.member = moved[node_id]
        self.cluster.members = tuple(moved.values())
        self.cluster.configuration = Configuration(self.cluster.members)
        self.cluster.leader = moved["node1"]

    def port(self, node_id="node1"):
        return self.ports[node_id].getHost().port

    def url(self, path, node="node1"):
        return f"{self.scheme}://127.0.0.1:{self.port(node)}{path}"

    async def stop(self):
        for node_id, listening in self.ports.items():
            await maybeDeferred(listening.stopListening)
            await self.sites[node_id].shut_down(0.2)


@pytest.fixture
def make_tcp_world():
    worlds = []

    def make(**settings):
        worlds.append(TcpWorld(**settings))
        return worlds[-1]

    yield make
    for world in worlds:
        pytest_twisted.blockon(ensureDeferred(world.stop()))


class RawClient(Protocol):
    """Keeps what it receives, tells when it is closed."""

    def __init__(self):
        self.received = b""
        self.closed = Deferred()
        self._waiting = []

    def dataReceived(self, data):
        self.received += data
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    def connectionLost(self, reason):
        self.closed.callback(None)
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    async def responses(self, count, methods=()):
        while True:
            responses, _ = parse_responses(self.received, list(methods))
            if len(responses) >= count or self.closed.called:
                return responses
            more = Deferred()
            self._waiting.append(more)
            await more.addTimeout(10, reactor)


async def dial(world, node="node1"):
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", world.port(node))
    return await endpoint.connect(Factory.forProtocol(RawClient))


async def pause(seconds=0.05):
    await deferLater(reactor, seconds, lambda: None)


@pytest_twisted.ensureDeferred
async def test_treq_puts_and_gets(make_tcp_world):
    world = make_tcp_world()
    put = await treq.put(world.url("/kv/a%2Fb"), data=b"value", persistent=False)
    assert put.code == 200
    get = await treq.get(world.url("/kv/a%2Fb"), persistent=False)
    assert await get.content() == b"value"


@pytest_twisted.ensureDeferred
async def test_a_follower_forwards_over_its_own_pool(make_tcp_world):
    world = make_tcp_world(forward_writes=True)
    value = b"v" * MEGABYTE
    puts = [treq.put(world.url(f"/kv/k{n}", "node2"), data=value, persistent=False) for n in range(8)]
    for _, response in await DeferredList(puts):
        assert response.code == 200
        assert response.headers.getRawHeaders("Minicloud-Forwarded-By") == ["node2"]
        await response.content()
    assert {record.value for record in world.cluster.store.records.values()} == {value}
    assert len(world.sites["node1"]._channels) <= 8


@pytest_twisted.ensureDeferred
async def test_a_dead_leader_got_nothing(make_tcp_world):
    world = make_tcp_world(forward_writes=True)
    await world.ports["node1"].stopListening()
    response = await treq.put(world.url("/kv/a", "node2"), data=b"x", persistent=False)
    assert response.code == 503
    assert (await response.json())["code"] == "leader_unreachable"


@pytest_twisted.ensureDeferred
async def test_a_leader_killed_after_it_got_the_request_leaves_the_outcome_unknown(make_tcp_world):
    world = make_tcp_world(forward_writes=True)
    leader = world.cluster.nodes["node1"]
    for method in ("PUT", "DELETE"):
        # First a request that succeeds, so that the second one goes over a kept connection: what pools like to retry.
        response = await treq.request(method, world.url("/kv/a", "node2"), data=b"x", persistent=False)
        assert response.code == 200
        await response.content()
        leader.calls.clear()
        leader.script.append(Deferred())
        pending = treq.request(method, world.url("/kv/a", "node2"), data=b"x", persistent=False)
        while not leader.calls:
            await pause(0.01)
        for channel in list(world.sites["node1"]._channels):
            channel.transport.abortConnection()
        response = await pending
        assert response.code == 504
        assert (await response.json())["code"] == "outcome_unknown"
        assert len(leader.calls) == 1


@pytest_twisted.ensureDeferred
async def test_a_client_that_sends_its_body_first_still_reads_the_refusal(make_tcp_world):
    world = make_tcp_world(auth_token="t", max_value_bytes=8 * MEGABYTE)
    for size, code in ((4 * MEGABYTE, 401), (12 * MEGABYTE, 401)):
        client = await dial(world)
        client.transport.write(encode_request("PUT", "/kv/a", body=b"x" * size))
        responses = await client.responses(1, ["PUT"])
        assert [response.code for response in responses] == [code]
        client.transport.loseConnection()
        await client.closed


@pytest_twisted.ensureDeferred
async def test_a_client_that_never_reads_cannot_fill_the_memory(make_tcp_world):
    world = make_tcp_world()
    await treq.put(world.url("/kv/a"), data=b"x" * MEGABYTE, persistent=False)
    greedy = socket.create_connection(("127.0.0.1", world.port()))
    try:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.sendall(encode_request("GET", "/kv/a") * 200)
        await pause(0.3)
        (channel,) = [channel for channel in world.sites["node1"]._channels if channel.phase.value != "closing"]
        transport = channel.transport
        buffered = len(transport.dataBuffer) - transport.offset + sum(map(len, transport._tempDataBuffer))
        assert buffered <= 2 * MEGABYTE
        assert world.cluster.nodes["node1"].calls.count(("read_barrier", 10.0)) < 20
    finally:
        greedy.close()


@pytest_twisted.ensureDeferred
async def test_a_slow_reader_gets_every_pipelined_answer(make_tcp_world):
    world = make_tcp_world()
    await treq.put(world.url("/kv/a"), data=b"x" * 100_000, persistent=False)
    client = await dial(world)
    client.transport.write(encode_request("GET", "/kv/a") * 20)
    client.transport.pauseProducing()
    await pause(0.2)
    client.transport.resumeProducing()
    responses = await client.responses(20)
    assert [len(response.body) for response in responses] == [100_000] * 20


@pytest_twisted.ensureDeferred
async def test_clients_that_hang_up_leave_nothing_behind(make_tcp_world):
    world = make_tcp_world()
    node = world.cluster.nodes["node1"]
    done = Deferred()
    node.script.append(done)
    client = await dial(world)
    client.transport.write(encode_request("PUT", "/kv/a", body=b"x"))
    while not node.calls:
        await pause(0.01)
    client.transport.abortConnection()
    while world.sites["node1"]._channels:
        await pause(0.01)
    assert not done.called
    done.callback(world.cluster.apply(node.calls[0][1]))
    assert world.cluster.store.get("a").value == b"x"


def _certificate(issuer=None, issuer_key=None, name="127.0.0.1"):
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(issuer_key or key, hashes.SHA256()), key


def _pem(certificate):
    return certificate.public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def authority():
    return _certificate(name="minicloud test authority")


@pytest.fixture
def tls(authority):
    certificate, key = _certificate(*authority)
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return ssl.PrivateCertificate.loadPEM(_pem(certificate) + key_pem).options()


@pytest_twisted.ensureDeferred
async def test_forwarding_speaks_https_to_members_of_the_same_authority(make_tcp_world, authority, tls):
    ca = _pem(authority[0])
    world = make_tcp_world(tls=tls, tls_ca=ca, forward_writes=True)
    trusting = treq.client.HTTPClient(_agent(ca))
    response = await trusting.put(world.url("/kv/a", "node2"), data=b"x")
    assert response.code == 200
    assert response.headers.getRawHeaders("Minicloud-Forwarded-By") == ["node2"]
    await response.content()
    redirect = await trusting.put(world.url("/kv/a?redirect", "node2"), data=b"x", allow_redirects=False)
    assert redirect.headers.getRawHeaders("Location") == [world.url("/kv/a?redirect")]
    await redirect.content()


@pytest_twisted.ensureDeferred
async def test_forwarding_trusts_no_other_authority(make_tcp_world, authority, tls):
    stranger, _ = _certificate(name="another authority")
    world = make_tcp_world(tls=tls, tls_ca=_pem(stranger), forward_writes=True)
    trusting = treq.client.HTTPClient(_agent(_pem(authority[0])))
    response = await trusting.put(world.url("/kv/a", "node2"), data=b"x")
    assert response.code in (503, 504)
    await response.content()
    assert world.cluster.store.get("a") is None


def _agent(ca):
    from minicloud.web.forwarding import make_agent, make_pool

    pool = make_pool(reactor)
    pool.persistent = False
    return make_agent(reactor, WebSettings("127.0.0.1:1", tls_ca=ca), pool)
