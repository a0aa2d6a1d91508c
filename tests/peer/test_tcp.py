"""Links over real sockets of this machine."""

import random

import pytest
import pytest_twisted
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.error import CannotListenError, DNSLookupError
from twisted.internet.interfaces import IHostnameResolver
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import Logger
from zope.interface import implementer

from minicloud.peer.endpoints import TcpEndpoints
from minicloud.peer.identity import LocalPeer
from minicloud.peer.interface import PeerAddress
from minicloud.peer.links import PeerLinks
from minicloud.peer.tls import PeerTls, PeerTlsError
from minicloud.raft.entries import Entry
from minicloud.raft.messages import AppendEntries, Heartbeat
from tests.harness.ports import free_ports
from tests.peer.authority import START, Authority
from tests.peer.cluster import SECRET, Notes

HEARTBEAT = Heartbeat(3, 7)
PATIENCE_S = 10.0


class TcpNode:
    def __init__(self, node_id, host="127.0.0.1", port=0, tls=None, secret=SECRET):
        self.node_id = node_id
        self.driver = Notes()
        self.logged = []
        self.addr = f"{f'[{host}]' if ':' in host else host}:{port or free_ports(1, host)[0]}"
        local = LocalPeer(node_id, f"{node_id}-disk", lambda: self.driver.cluster_id, lambda: 1)
        log = Logger(observer=self.logged.append)
        self.links = PeerLinks(reactor, local, secret, self.driver, random.Random(1), tls, log)

    async def listen(self):
        await self.links.listen(self.addr)
        return self

    def knows(self, *others):
        self.links.set_peers({other.node_id: PeerAddress(other.addr, "") for other in others}, 1)

    def said(self, text):
        return any(text in event.get("text", "") for event in self.logged)


async def until(condition, what):
    for _ in range(round(PATIENCE_S / 0.01)):
        if condition():
            return
        await deferLater(reactor, 0.01)
    raise AssertionError(f"in vain: {what}")


async def linked(*nodes):
    for node in nodes:
        node.knows(*(other for other in nodes if other is not node))
    await until(lambda: all(node.driver.count("up") >= 1 for node in nodes), "linked")


async def stopped(*nodes):
    for node in nodes:
        await node.links.stop()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
@pytest_twisted.ensureDeferred
async def test_nodes_link_and_talk_over_ipv4_ipv6_and_host_names(host):
    try:
        (port,) = free_ports(1, host)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    one, other = await TcpNode("n1", host).listen(), await TcpNode("n2", host, port).listen()
    await linked(one, other)
    big = AppendEntries(1, 0, 0, (Entry(1, 1, data=b'"' + b"x" * 8_000_000 + b'"'),), 0)
    for message in (HEARTBEAT, big, HEARTBEAT):
        assert one.links.send("n2", message)
    await until(lambda: len(other.driver.received) == 3, "received")
    assert other.driver.received == [("n1", HEARTBEAT), ("n1", big), ("n1", HEARTBEAT)]
    await stopped(one, other)
    assert one.driver.count("lost") <= 2


@implementer(IHostnameResolver)
class Names:
    """Knows every name."""

    def resolveHostName(self, receiver, hostName, portNumber=0, *_, **__):
        receiver.resolutionBegan(None)
        receiver.addressResolved(IPv4Address("TCP", "192.0.2.7", portNumber))
        receiver.resolutionComplete()


@pytest.mark.parametrize("name", ["node_1", "my_kv_node-1.internal", "node1"])
def test_a_peer_is_reached_by_any_name_that_an_address_may_have(name):
    clock = MemoryReactorClock()
    clock.installNameResolver(Names())
    TcpEndpoints(clock).client(f"{name}:9011").connect(Factory.forProtocol(Protocol))
    clock.advance(0.0)
    assert [client[:2] for client in clock.tcpClients] == [("192.0.2.7", 9011)]


@pytest_twisted.ensureDeferred
async def test_a_restarted_node_is_linked_again():
    one, other = await TcpNode("n1").listen(), await TcpNode("n2").listen()
    await linked(one, other)
    await other.links.stop()
    await until(lambda: one.driver.count("lost", "n2") == 2, "lost")
    other = await TcpNode("n2", port=int(other.addr.rpartition(":")[2])).listen()
    other.knows(one)
    await until(lambda: one.driver.count("up", "n2") >= 2 and other.driver.count("up") >= 1, "linked again")
    assert one.links.send("n2", HEARTBEAT)
    await until(lambda: other.driver.received == [("n1", HEARTBEAT)], "received")
    await stopped(one, other)


@pytest_twisted.ensureDeferred
async def test_a_port_in_use_and_a_name_without_address_fail_clearly():
    one = await TcpNode("n1").listen()
    with pytest.raises(CannotListenError):
        await PeerLinks(reactor, one, b"", one.driver, random.Random(1)).listen(one.addr)
    port = one.addr.rpartition(":")[2]
    with pytest.raises(CannotListenError):
        await PeerLinks(reactor, one, b"", one.driver, random.Random(1)).listen(f"localhost:{port}")
    with pytest.raises(DNSLookupError, match="no-such-host"):
        await PeerLinks(reactor, one, b"", one.driver, random.Random(1)).listen("no-such-host.invalid:9011")
    await stopped(one)


@pytest_twisted.inlineCallbacks
def test_listening_on_an_ip_address_is_done_at_once():
    ports = []
    TcpEndpoints(reactor).listen(f"127.0.0.1:{free_ports(1)[0]}", Factory.forProtocol(Protocol)).addCallback(
        ports.append
    )
    assert len(ports) == 1
    yield ports[0].stopListening()


@pytest_twisted.ensureDeferred
async def test_with_tls_too_a_factory_may_turn_connections_away(tmp_path):
    class Closed(Factory):
        noisy = False

        def buildProtocol(self, addr):
            return None

    tls = Authority(tmp_path).peer_tls("n2")
    addr = f"127.0.0.1:{free_ports(1)[0]}"
    port = await TcpEndpoints(reactor, tls).listen(addr, Closed())
    one = TcpNode("n1", tls=tls)
    one.links.set_peers({"n2": PeerAddress(addr, "")}, 1)
    await until(lambda: one.said("cannot reach node n2"), "closed")
    await stopped(one)
    await port.stopListening()


@pytest_twisted.ensureDeferred
async def test_with_tls_both_sides_show_certificates_that_name_them(tmp_path):
    authority = Authority(tmp_path)
    one = await TcpNode("n1", tls=authority.peer_tls("n1", "localhost")).listen()
    other = await TcpNode("n2", tls=authority.peer_tls("host.example", "n2")).listen()
    await linked(one, other)
    big = AppendEntries(1, 0, 0, (Entry(1, 1, data=b'"' + b"x" * 8_000_000 + b'"'),), 0)
    assert one.links.send("n2", big) and one.links.send("n2", HEARTBEAT)
    await until(lambda: len(other.driver.received) == 2, "received")
    assert other.driver.received == [("n1", big), ("n1", HEARTBEAT)]
    await stopped(one, other)


@pytest_twisted.ensureDeferred
async def test_with_tls_nobody_comes_in_with_another_s_name(tmp_path):
    authority = Authority(tmp_path)
    one = await TcpNode("n1", tls=authority.peer_tls("n1")).listen()
    liar = await TcpNode("n2", tls=authority.peer_tls("n3")).listen()
    one.knows(liar)
    liar.knows(one)
    await until(lambda: one.said("the certificate does not name n2"), "refused as dialler")
    await until(lambda: liar.said("wrong_certificate"), "refused as acceptor")
    assert one.driver.all == liar.driver.all == []
    await stopped(one, liar)


@pytest.mark.parametrize("kind", ["another authority", "expired", "nameless", "none", "plain"])
@pytest_twisted.ensureDeferred
async def test_with_tls_other_certificates_get_no_link(tmp_path, kind):
    authority = Authority(tmp_path)
    one = await TcpNode("n1", tls=authority.peer_tls("n1")).listen()
    tls = {
        "another authority": lambda: Authority(tmp_path, "another").peer_tls("n2"),
        "expired": lambda: authority.peer_tls("n2", end=START.replace(year=2021)),
        "nameless": lambda: authority.peer_tls(),
        "none": lambda: None,
        "plain": lambda: None,
    }[kind]()
    other = await TcpNode("n2", tls=tls).listen()
    if kind != "none":
        one.knows(other)
    other.knows(one)
    await until(lambda: one.said("no link with") or other.said("cannot reach node n1"), "a refusal")
    assert one.driver.all == other.driver.all == []
    assert not one.links.send("n2", HEARTBEAT)
    await stopped(one, other)


def test_tls_files_that_do_not_fit_are_named(tmp_path):
    authority = Authority(tmp_path)
    n1, n2 = authority.issue("n1"), authority.issue("n2")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "locked").write_bytes(_pem(ec.generate_private_key(ec.SECP256R1()), b"passphrase"))
    (tmp_path / "x25519").write_bytes(_pem(x25519.X25519PrivateKey.generate()))
    locked, not_for_tls = str(tmp_path / "locked"), str(tmp_path / "x25519")
    empty, missing = str(tmp_path / "empty"), str(tmp_path / "missing")
    for files, named in (
        (PeerTls(missing, n1.key, authority.file), missing),
        (PeerTls(n1.certificate, empty, authority.file), empty),
        (PeerTls(n1.certificate, n2.key, authority.file), n2.key),
        (PeerTls(n1.certificate, n1.key, empty), empty),
        (PeerTls(n1.certificate, locked, authority.file), locked),
        (PeerTls(n1.certificate, not_for_tls, authority.file), not_for_tls),
    ):
        with pytest.raises(PeerTlsError) as caught:
            PeerLinks(reactor, None, b"", Notes(), random.Random(1), files)
        assert str(caught.value).startswith(named + ": expected the ")
        assert "\n" not in str(caught.value)


def _pem(key, passphrase=None):
    locked = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)


def test_a_host_name_is_looked_up_at_each_attempt():
    assert isinstance(TcpEndpoints(reactor).client("node2:9011"), HostnameEndpoint)
