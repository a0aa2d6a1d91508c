"""HTTP in memory: raw connections to a site, and an Agent whose connections are pumps."""

import json as json_module

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectingCancelledError, ConnectionLost, ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.test import iosim
from twisted.web.client import Agent
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from minicloud.web.forwarding import make_pool

HEAD_END = b"\r\n\r\n"


@define
class Response:
    """One response as it came over the wire."""

    code: int
    headers: dict[str, list[str]]
    body: bytes
    head: bytes = b""

    def __getitem__(self, name):
        return self.headers[name.lower()][0]

    def get(self, name):
        values = self.headers.get(name.lower())
        return None if values is None else values[0]

    @property
    def json(self):
        assert self.body.endswith(b"\n"), self.body
        assert self.body.count(b"\n") == 1
        return json_module.loads(self.body)

    @property
    def problem(self):
        """The code of the problem, after a look at everything that each problem must have."""
        assert self["Content-Type"] == "application/problem+json", (self.head, self.body)
        problem = self.json
        assert problem["status"] == self.code
        assert {"type", "title", "status", "detail", "code", "retryable"} <= set(problem)
        assert isinstance(problem["retryable"], bool)
        return problem["code"]


def parse_responses(data, methods):
    """Split what a server sent to requests with these methods (HEAD has no body). Returns responses and the rest."""
    responses = []
    while HEAD_END in data:
        head, rest = data.split(HEAD_END, 1)
        status, *lines = head.decode("latin-1").split("\r\n")
        code = int(status.split(" ")[1])
        headers = {}
        for line in lines:
            name, value = line.split(": ", 1)
            headers.setdefault(name.lower(), []).append(value)
        if code == 100:
            responses.append(Response(code, headers, b"", head))
            data = rest
            continue
        method = methods[sum(response.code != 100 for response in responses)] if methods else "GET"
        length = 0 if method == "HEAD" or code in (204, 304) else int(headers["content-length"][0])
        if len(rest) < length:
            break
        responses.append(Response(code, headers, rest[:length], head))
        data = rest[length:]
    return responses, data


def encode_request(method, target, headers=(), body=None, host="127.0.0.1:9001"):
    """The bytes of a request. ``headers`` is a mapping or a list of pairs."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    names = {name.lower() for name, _ in pairs}
    if host is not None and "host" not in names:
        pairs.insert(0, ("Host", host))
    if body is not None and not {"content-length", "transfer-encoding"} & names:
        pairs.append(("Content-Length", str(len(body))))
    target = target.encode("utf-8") if isinstance(target, str) else target
    lines = [method.encode("ascii") + b" " + target + b" HTTP/1.1"]
    lines += [f"{name}: {value}".encode("latin-1") for name, value in pairs]
    return b"\r\n".join(lines) + HEAD_END + (body or b"")


class Transport(StringTransport):
    """A transport that knows whether it was cut."""

    aborted = False

    def abortConnection(self):
        self.aborted = True
        self.disconnecting = True


class Connection:
    """A client's connection to a site, byte by byte."""

    def __init__(self, site, pump=lambda: None):
        self.pump = pump
        self.transport = Transport(
            hostAddress=IPv4Address("TCP", "127.0.0.1", 9001), peerAddress=IPv4Address("TCP", "127.0.0.1", 50000)
        )
        self.protocol = site.buildProtocol(self.transport.peerAddr)
        self.protocol.makeConnection(self.transport)
        self.methods = []
        self._lost = False

    def send(self, data):
        self.protocol.dataReceived(data)

    def request(self, method, target, headers=(), body=None, **options):
        self.methods.append(method)
        self.send(encode_request(method, target, headers, body, **options))

    @property
    def responses(self):
        return parse_responses(self.transport.value(), self.methods)[0]

    @property
    def closing(self):
        return self.transport.disconnecting

    def answer(self, turns=2000):
        """The answer to the newest request, once it is there."""
        wanted = len(self.methods)
        for _ in range(turns):
            final = [response for response in self.responses if response.code != 100]
            if len(final) >= wanted:
                return final[wanted - 1]
            self.pump()
        raise AssertionError(f"no answer; received {self.transport.value()!r}")

    def hang_up(self):
        if not self._lost:
            self._lost = True
            self.protocol.connectionLost(Failure(ConnectionLost()))


@implementer(IStreamClientEndpoint)
@define
class _Endpoint:
    network: "MemoryNetwork"
    address: str

    def connect(self, factory):
        return self.network.connect(self.address, factory)


@implementer(IAgentEndpointFactory)
@define
class MemoryNetwork:
    """Sites by address, and the connections to them."""

    sites: dict = field(factory=dict)
    pumps: list = field(factory=list)
    dialled: list = field(factory=list)
    silent: set = field(factory=set)
    """Addresses that never answer a connection attempt."""

    def endpointForURI(self, uri):
        return _Endpoint(self, f"{uri.host.decode()}:{uri.port}")

    def connect(self, address, factory):
        self.dialled.append(address)
        if address in self.silent:
            return Deferred(lambda connecting: connecting.errback(ConnectingCancelledError(None)))
        site = self.sites.get(address)
        if site is None:
            return fail(ConnectionRefusedError())
        server, client = site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50001)), factory.buildProtocol(None)
        server_transport = iosim.FakeTransport(server, isServer=True)
        client_transport = iosim.FakeTransport(client, isServer=False)
        self.pumps.append(iosim.connect(server, server_transport, client, client_transport))
        return succeed(client)

    def pump(self):
        for pump in list(self.pumps):
            pump.flush()
            if pump.clientIO.disconnected and pump.serverIO.disconnected:
                self.pumps.remove(pump)

    def agent(self, clock):
        """A real Agent with the production pool over this network."""
        return Agent.usingEndpointFactory(clock, self, pool=make_pool(clock))
