"""The links of the simulated world: connections that carry bytes with a delay, lose, repeat and reorder lines, and break.

Below minicloud's own links (``minicloud.peer``) stands this module in the place of TCP. It is harsher: a connection whose
lines are lost goes on. Lines of a handshake are only ever delayed or lost, since a repeated one just ends the attempt.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, TypeAlias

from attrs import define, evolve, frozen
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, TCPTimedOutError
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IListeningPort, IStreamClientEndpoint, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from minicloud.peer.endpoints import CONNECT_TIMEOUT_S
from minicloud.peer.lines import NEWLINE
from minicloud.raft.messages import Message
from minicloud.wire.messages import decode_message
from tests.sim.clock import WorldClock

if TYPE_CHECKING:
    from tests.sim.process import Process
    from tests.sim.world import World

HANDSHAKE_LINES = 2
"""Each side of a link sends so many lines before the messages."""


Script: TypeAlias = Callable[[str, str, Message], float | None]
"""Decides about each message, given source, target and the message: how many seconds late it is (and so overtaken by others
where that is more than 0), or None for lost."""


@frozen
class Weather:
    """What the links do to every line."""

    delay_s: tuple[float, float] = (0.0005, 0.003)
    loss: float = 0.0
    duplication: float = 0.0
    reordering: float = 0.0
    """Share of the lines that wait for ``late_s`` more, and are overtaken."""
    late_s: float = 0.05


CALM = Weather()


@define
class NetworkCounts:
    """What was done to lines."""

    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    reordered: int = 0


class SimNetwork:
    """All connections; hosts are named like their nodes."""

    def __init__(self, world: World, random: Random) -> None:
        self.world = world
        self.clock: WorldClock = world.clock
        self.random = random
        self.weather = CALM
        self.counts = NetworkCounts()
        self.script: Script | None = None
        self._cuts: dict[tuple[str, str], int] = {}
        """From whom to whom nothing passes, and how many faults want it so."""
        self._transports: dict[SimTransport, None] = {}

    # Faults

    def cut(self, source: str, target: str) -> None:
        """Let nothing pass in that direction, until ``mend`` was called as often."""
        self._cuts[source, target] = self._cuts.get((source, target), 0) + 1

    def mend(self, source: str, target: str) -> None:
        """Undo a cut."""
        count = self._cuts.get((source, target), 0) - 1
        if count > 0:
            self._cuts[source, target] = count
        else:
            self._cuts.pop((source, target), None)

    def mend_all(self) -> None:
        """Undo all cuts, and calm the weather.

        Handshakes under way end, so that they begin anew at once: TCP would repeat the lines that a cut has swallowed,
        and the handshake would go on. Here they are gone for good, and both sides would wait out their time limit.
        """
        self._cuts.clear()
        self.weather = CALM
        for transport in list(self._transports):
            if transport.is_in_handshake:
                transport.end(ConnectionLost())

    def worsen(self, **changes: Any) -> None:
        """Change some of the weather."""
        self.weather = evolve(self.weather, **changes)

    def passes(self, source: str, target: str) -> bool:
        """Return whether anything gets from one host to the other."""
        return (source, target) not in self._cuts

    def reset_links(self, one: str, other: str) -> None:
        """Break all connections between two hosts; both ends are told."""
        for transport in list(self._transports):
            if transport.host == one and transport.other.host == other:
                transport.end(ConnectionLost())
                transport.other.end(ConnectionLost())

    def process_ended(self, process: Process, is_told: bool) -> None:
        """Take note that a process is gone: its system closes its connections, unless that has no power either."""
        for transport in list(self._transports):
            if transport.process is process:
                self.forget(transport)
                transport.is_open = False
                if is_told and self.passes(transport.host, transport.other.host):
                    self.clock.call_in(self.delay(), transport.other.end, ConnectionLost())

    # Connections

    def connections(self, process: Process, peer: str) -> int:
        """Return how many connections a process has with a peer's machine."""
        return sum(end.process is process and end.other.host == peer for end in self._transports)

    def delay(self) -> float:
        """Draw the time that a line is under way, in seconds."""
        return self.random.uniform(*self.weather.delay_s)

    def connect(self, process: Process, target: str, factory: Any) -> Deferred[Any]:
        """Open a connection for a process, as an endpoint does."""
        done: Deferred[Any] = Deferred(lambda _: timeout.cancel() if timeout.active() else None)

        def fail(error: Exception) -> None:
            if timeout.active():
                timeout.cancel()
            if not done.called:
                done.errback(Failure(error))

        timeout = process.clock.callLater(CONNECT_TIMEOUT_S, fail, TCPTimedOutError())
        source = process.node_id
        if self.passes(source, target) and self.passes(target, source):
            self.clock.call_in(2 * self.delay(), self._arrive, process, target, factory, done, fail, timeout)
        return done

    def _arrive(self, process: Process, target: str, factory: Any, done: Any, fail: Any, timeout: Any) -> None:
        machine = self.world.machines.get(target)
        if machine is None or not machine.has_power or done.called or not process.is_up:
            return
        acceptor = machine.process
        if acceptor is None or acceptor.acceptor is None:
            process.run("refused", fail, Refused())
            return
        ours, theirs = SimTransport(self, process), SimTransport(self, acceptor)
        ours.other, theirs.other = theirs, ours
        self._transports[ours] = self._transports[theirs] = None
        acceptor.run("accept", theirs.begin, acceptor.acceptor.buildProtocol(None))

        def connected() -> None:
            if not timeout.active() or done.called:
                ours.abortConnection()
                return
            timeout.cancel()
            protocol = factory.buildProtocol(None)
            ours.begin(protocol)
            done.callback(protocol)

        process.run("connect", connected)

    def forget(self, transport: SimTransport) -> None:
        """Take note that one end is closed."""
        self._transports.pop(transport, None)

    def carry(self, transport: SimTransport, data: bytes) -> None:
        """Take a line on its way."""
        weather, chance = self.weather, self.random.random
        source, other = transport.host, transport.other
        transport.lines_sent += 1
        if not self.passes(source, other.host):
            self.counts.lost += 1
            return
        is_message = transport.lines_sent > HANDSHAKE_LINES
        if is_message and weather.loss and chance() < weather.loss:
            self.counts.lost += 1
            return
        arrival = max(self.clock.rightNow, transport.process.busy_until) + self.delay()
        if self.script is not None and is_message and data != NEWLINE:
            late_s = self.script(source, other.host, decode_message(data[:-1]))
            if late_s is None:
                self.counts.lost += 1
            elif late_s:
                self.clock.call_at(arrival + late_s, self._deliver, transport, data)
            if late_s != 0:
                return
        if is_message and weather.reordering and chance() < weather.reordering:
            self.counts.reordered += 1
            arrival += chance() * weather.late_s
        else:
            arrival = transport.last_arrival = max(arrival, transport.last_arrival)
        self.clock.call_at(arrival, self._deliver, transport, data)
        if is_message and weather.duplication and chance() < weather.duplication:
            self.counts.duplicated += 1
            self.clock.call_at(arrival + chance() * weather.late_s, self._deliver, transport, data)

    def _deliver(self, transport: SimTransport, data: bytes) -> None:
        other = transport.other
        if not self.passes(transport.host, other.host):
            self.counts.lost += 1
            return
        if other.is_open:
            self.counts.delivered += 1
            self.world.trace_line(transport.host, other.host, data)
            other.process.run("line", other.receive, data)
        elif self.world.machines[other.host].has_power and self.passes(other.host, transport.host):
            self.clock.call_in(self.delay(), transport.end, ConnectionLost())


@implementer(ITCPTransport)
class SimTransport:
    """One end of a connection."""

    def __init__(self, network: SimNetwork, process: Process) -> None:
        self.network = network
        self.process = process
        self.host = process.node_id
        self.other: SimTransport
        self.protocol: Any = None
        self.is_open = True
        self.lines_sent = 0
        self.last_arrival = 0.0
        self._is_closing = False
        self._has_producer = False

    @property
    def is_in_handshake(self) -> bool:
        """Whether either side has still to say some of what comes before the messages."""
        return min(self.lines_sent, self.other.lines_sent) < HANDSHAKE_LINES

    def begin(self, protocol: Any) -> None:
        """Give the connection to its protocol."""
        self.protocol = protocol
        protocol.makeConnection(self)

    def receive(self, data: bytes) -> None:
        """Give a line to the protocol."""
        if self.is_open and self.protocol is not None:
            self.protocol.dataReceived(data)

    def end(self, error: Exception) -> None:
        """Close this end, for that reason."""
        if not self.is_open:
            return
        self.is_open = False
        self.network.forget(self)
        self.process.run("closed", self._tell_end, error)

    def _tell_end(self, error: Exception) -> None:
        if self.protocol is not None:
            self.protocol.connectionLost(Failure(error))

    # ITCPTransport

    def write(self, data: bytes) -> None:
        if self.is_open and not self._is_closing:
            self.network.carry(self, data)

    def writeSequence(self, parts: Any) -> None:
        self.write(b"".join(parts))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming and not self._has_producer
        self._has_producer = True

    def unregisterProducer(self) -> None:
        assert self._has_producer
        self._has_producer = False

    def loseConnection(self) -> None:
        assert not self._has_producer, "a transport with a producer never closes"
        self._close(ConnectionDone(), ConnectionDone())

    def abortConnection(self) -> None:
        self._close(ConnectionAborted(), ConnectionLost())

    def _close(self, here: Exception, there: Exception) -> None:
        if not self.is_open or (self._is_closing and isinstance(here, ConnectionDone)):
            return
        self._is_closing = True
        clock = self.network.clock
        clock.call_in(0, self.end, here)
        if self.network.passes(self.host, self.other.host):
            clock.call_at(max(clock.rightNow + self.network.delay(), self.last_arrival), self.other.end, there)

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", self.other.host, 1)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", self.host, 1)

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Every line leaves at once anyway."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Connections last for ever anyway."""

    def getTcpNoDelay(self) -> bool:
        return True

    def getTcpKeepAlive(self) -> bool:
        return True

    def loseWriteConnection(self) -> None:
        raise AssertionError("nobody half-closes here")


class SimEndpoints:
    """What a process connects and listens with (see minicloud.peer.endpoints.Endpoints)."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def client(self, raft_addr: str) -> SimClient:
        return SimClient(self._process, raft_addr.partition(":")[0])

    def listen(self, raft_addr: str, factory: Any) -> Deferred[Any]:
        self._process.acceptor = factory
        return succeed(_SimPort(self._process))


@implementer(IStreamClientEndpoint)
class SimClient:
    """Where to connect to one host."""

    def __init__(self, process: Process, target: str) -> None:
        self._process = process
        self._target = target

    def connect(self, factory: Any) -> Deferred[Any]:
        return self._process.world.network.connect(self._process, self._target, factory)


@implementer(IListeningPort)
class _SimPort:
    def __init__(self, process: Process) -> None:
        self._process = process

    def startListening(self) -> None:
        raise AssertionError("listens already")

    def stopListening(self) -> Deferred[None]:
        self._process.acceptor = None
        return succeed(None)

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", self._process.node_id, 1)
