"""Connections in memory, on one clock: what TCP does to a protocol, without sockets and without waiting."""

from __future__ import annotations

from collections import deque

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import (
    CannotListenError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    TCPTimedOutError,
)
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, ITCPTransport
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

LATENCY_S = 0.001
CONNECT_TIMEOUT_S = 2.0
PAUSE_AT_BYTES = 64 * 1024
"""As Twisted's transports do."""


@implementer(ITCPTransport)
class MemoryTransport:
    """One end of a connection."""

    def __init__(self, net, host, protocol):
        self.net = net
        self.host = host
        self.protocol = protocol
        self.other = None
        self.is_open = True
        self.is_closing = False
        self.is_no_delay = self.is_kept_alive = False
        self.producer = None
        self.is_producer_paused = False
        self.waiting = deque()
        self.stalled = False
        """Set by a test: the other side does not read."""

    def write(self, data):
        if not self.is_open or self.is_closing:
            return
        self.waiting.append(bytes(data))
        if self.producer is not None and sum(map(len, self.waiting)) > PAUSE_AT_BYTES:
            self.is_producer_paused = True
            self.producer.pauseProducing()
        self.net.clock.callLater(LATENCY_S, self.flush)

    def writeSequence(self, parts):
        self.write(b"".join(parts))

    def flush(self):
        while self.waiting and not self.stalled:
            data = self.waiting.popleft()
            if self.net.passes(self.host, self.other.host) and self.other.is_open:
                self.other.protocol.dataReceived(data)
        if self.stalled:
            return
        if self.is_producer_paused and self.producer is not None:
            self.is_producer_paused = False
            self.producer.resumeProducing()
        if self.is_closing and not self.waiting and self.producer is None:
            self.end(ConnectionDone(), ConnectionDone())

    def registerProducer(self, producer, streaming):
        assert streaming and self.producer is None
        self.producer = producer

    def unregisterProducer(self):
        assert self.producer is not None
        self.producer = None

    def loseConnection(self):
        self.is_closing = True
        self.net.clock.callLater(LATENCY_S, self.flush)

    def abortConnection(self):
        self.is_closing = True
        self.net.clock.callLater(0, self.end, ConnectionAborted(), ConnectionLost())

    def end(self, here, there):
        if not self.is_open:
            return
        self.is_open = False
        self.net.open.discard(self)
        self.protocol.connectionLost(Failure(here))
        if self.net.passes(self.host, self.other.host):
            self.net.clock.callLater(LATENCY_S, self.other.end, there, there)

    def getPeer(self):
        return IPv4Address("TCP", self.other.host, 1)

    def getHost(self):
        return IPv4Address("TCP", self.host, 1)

    def setTcpNoDelay(self, enabled):
        self.is_no_delay = enabled

    def setTcpKeepAlive(self, enabled):
        self.is_kept_alive = enabled

    def getTcpNoDelay(self):
        return self.is_no_delay

    def getTcpKeepAlive(self):
        return self.is_kept_alive

    def loseWriteConnection(self):
        raise AssertionError("nobody half-closes here")


class MemoryNet:
    """All hosts; host and port are one name, ``host:port``."""

    def __init__(self, clock: Clock):
        self.clock = clock
        self.listening = {}
        self.open = set()
        self.cut = set()
        """Pairs of hosts between which packets vanish."""
        self.attempts = []
        """(seconds, from host, to address) of each attempt to connect."""

    def passes(self, a, b):
        return frozenset((a, b)) not in self.cut

    def isolate(self, *hosts):
        self.cut.add(frozenset(hosts))

    def heal(self):
        self.cut.clear()

    def endpoints(self, host):
        return MemoryEndpoints(self, host)

    def advance(self, seconds, step=0.01):
        """Let time pass in small steps."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)

    def die(self, host):
        """End a process: its connections close, nobody listens."""
        self.listening.pop(host, None)
        for transport in [each for each in self.open if each.host == host]:
            transport.end(ConnectionLost(), ConnectionLost())

    def vanish(self, host):
        """Cut the power: nobody is told."""
        self.listening.pop(host, None)
        for transport in [each for each in self.open if each.host == host]:
            transport.is_open = False
            self.open.discard(transport)


class MemoryEndpoints:
    def __init__(self, net, host):
        self.net = net
        self.host = host

    def client(self, raft_addr):
        return MemoryClient(self.net, self.host, raft_addr)

    def listen(self, raft_addr, factory):
        host = raft_addr.partition(":")[0]
        if host in self.net.listening:
            return fail(CannotListenError(host, 1, OSError("in use")))
        self.net.listening[host] = factory
        return succeed(MemoryPort(self.net, host))


@implementer(IListeningPort)
class MemoryPort:
    def __init__(self, net, host):
        self.net = net
        self.host = host

    def startListening(self):
        raise AssertionError("listens already")

    def stopListening(self):
        self.net.listening.pop(self.host, None)
        return succeed(None)

    def getHost(self):
        return IPv4Address("TCP", self.host, 1)


@implementer(IStreamClientEndpoint)
class MemoryClient:
    def __init__(self, net, host, raft_addr):
        self.net = net
        self.host = host
        self.to = raft_addr.partition(":")[0]

    def connect(self, factory):
        net = self.net
        net.attempts.append((net.clock.seconds(), self.host, self.to))
        call = None
        done = Deferred(lambda _: call.cancel())
        if not net.passes(self.host, self.to):
            call = net.clock.callLater(CONNECT_TIMEOUT_S, lambda: done.errback(TCPTimedOutError()))
        else:
            call = net.clock.callLater(LATENCY_S, self._connect, factory, done)
        return done

    def _connect(self, factory, done):
        if self.to not in self.net.listening:
            done.errback(Refused())
            return
        ours, theirs = factory.buildProtocol(None), self.net.listening[self.to].buildProtocol(None)
        join(self.net, self.host, ours, self.to, theirs)
        done.callback(ours)


def join(net, host, ours, other_host, theirs):
    """Connect two protocols; return their transports."""
    a, b = MemoryTransport(net, host, ours), MemoryTransport(net, other_host, theirs)
    a.other, b.other = b, a
    net.open |= {a, b}
    theirs.makeConnection(b)
    ours.makeConnection(a)
    return a, b
