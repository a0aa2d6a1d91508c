"""Ports that are bound before anything is there to serve them."""

import errno
import socket

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock

from minicloud.addresses import Address
from minicloud.service import ports
from minicloud.service.ports import BoundEndpoints, CannotBind, Door, HttpPort, bind, result_now
from tests.harness.ports import free_ports

HERE = Address("127.0.0.1", 9001)


class Served(Factory):
    protocol = Protocol
    noisy = False

    def __init__(self) -> None:
        self.events: list[str] = []

    def startFactory(self) -> None:
        self.events.append("start")

    def stopFactory(self) -> None:
        self.events.append("stop")


def refusing(number: int):
    def listen(ip: str) -> None:
        raise CannotListenError(ip, 9001, OSError(number, "reason of the system"))

    return listen


def test_a_door_that_nobody_stands_behind_lets_nobody_in() -> None:
    assert Door().buildProtocol(None) is None


def test_an_open_door_leads_to_the_real_factory_until_the_port_closes() -> None:
    door, served = Door(), Served()
    door.doStart()
    door.open_to(served)
    assert isinstance(door.buildProtocol(None), Protocol)
    door.doStop()
    assert served.events == ["start", "stop"]
    assert door.buildProtocol(None) is None


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EADDRINUSE, "a free port, 127.0.0.1:9001 is in use by another process"),
        (errno.EADDRNOTAVAIL, "an address of this machine, 127.0.0.1:9001 is none"),
        (errno.EACCES, "an address to listen on, 127.0.0.1:9001 is refused by the system: reason of the system"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_refused_with_the_reason(number: int, expected: str) -> None:
    with pytest.raises(CannotBind) as caught:
        bind(HERE, refusing(number))
    assert str(caught.value) == expected


def test_a_name_stands_for_the_first_of_its_addresses_that_is_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET6, 1, 6, "", ("fd00::1", 9, 0, 0)), (socket.AF_INET, 1, 6, "", ("10.0.0.7", 9))]
    monkeypatch.setattr(ports.socket, "getaddrinfo", lambda *_, **__: found)
    tried: list[str] = []

    def listen(ip: str) -> str:
        tried.append(ip)
        return refusing(errno.EADDRNOTAVAIL)(ip) if ip == "fd00::1" else f"port on {ip}"

    assert bind(Address("node1", 9), listen) == "port on 10.0.0.7"
    assert tried == ["fd00::1", "10.0.0.7"]


def test_a_name_that_nobody_knows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_, **__) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(ports.socket, "getaddrinfo", unknown)
    with pytest.raises(CannotBind, match="a host name that can be looked up, node9 cannot: Name or service not known"):
        bind(Address("node9", 9), refusing(0))


def test_the_http_port_listens_at_once_and_serves_when_there_is_a_site() -> None:
    memory, site = MemoryReactorClock(), Served()
    port = HttpPort(memory, HERE, None)
    ((number, factory, backlog, interface),) = memory.tcpServers
    assert (number, interface) == (9001, "127.0.0.1")
    assert backlog >= 1024
    assert factory.buildProtocol(None) is None
    port.serve(site)
    assert factory.buildProtocol(None) is not None
    assert result_now(port.close()) is None


class Endpoints:
    """Real endpoints' stand-in: remembers what was asked of it."""

    def __init__(self) -> None:
        self.listened = []

    def client(self, raft_addr: str) -> str:
        return f"way to {raft_addr}"

    def listen(self, raft_addr: str, factory):
        self.listened.append((raft_addr, factory))
        return succeed("a port")


def test_peers_are_served_on_the_port_that_was_bound_before() -> None:
    inner, served = Endpoints(), Served()
    endpoints = BoundEndpoints(inner, Address("::1", 9011))
    ((raft_addr, door),) = inner.listened
    assert raft_addr == "[::1]:9011"
    assert result_now(endpoints.listen("node1:9011", served)) == "a port"
    assert len(inner.listened) == 1
    assert isinstance(door.buildProtocol(None), Protocol)
    assert endpoints.client("node2:9012") == "way to node2:9012"


def test_a_peer_port_that_is_in_use_is_refused() -> None:
    inner = Endpoints()
    inner.listen = lambda *_: fail(CannotListenError("127.0.0.1", 9011, OSError(errno.EADDRINUSE, "in use")))
    with pytest.raises(CannotBind, match=r"a free port, 127\.0\.0\.1:9011 is in use"):
        BoundEndpoints(inner, Address("127.0.0.1", 9011))


@pytest_twisted.ensureDeferred
async def test_a_connection_that_the_system_has_accepted_is_served_although_the_port_closes() -> None:
    (number,) = free_ports(1)
    port, made = HttpPort(reactor, Address("127.0.0.1", number), None), []

    class Counted(Factory):
        def buildProtocol(self, addr):
            made.append(addr)
            return Protocol()

    port.serve(Counted())
    clients = [socket.create_connection(("127.0.0.1", number)) for _ in range(50)]
    await port.close()
    assert len(made) == 50
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", number))
    for client in clients:
        client.close()
