"""Something in the middle between a browser and a node, that may hold streams back, refuse them, or fall silent."""

from typing import Any

from twisted.protocols.portforward import ProxyFactory, ProxyServer

STREAM_LINE = b"GET /events HTTP/1.1\r\n"
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n"


class Middle(ProxyServer):
    """One connection from a browser through something in the middle to a node."""

    def dataReceived(self, data: bytes) -> None:
        if data.startswith(STREAM_LINE) and self.factory.streams != "pass":
            if self.factory.streams == "refuse":
                self.transport.write(REFUSAL)
            return
        super().dataReceived(data)

    def connectionMade(self) -> None:
        self.factory.connections.add(self)
        super().connectionMade()

    def connectionLost(self, reason: Any) -> None:
        self.factory.connections.discard(self)
        super().connectionLost(reason)


class Proxy(ProxyFactory):
    """What it does with streams: "pass", "hold" or "refuse"."""

    noisy = False
    protocol = Middle

    def __init__(self, address: str, streams: str) -> None:
        host, _, port = address.partition(":")
        super().__init__(host, int(port))
        self.streams = streams
        self.connections: set[Middle] = set()

    def mute(self, is_mute: bool) -> None:
        """Let nothing come through from the node, as where it is frozen."""
        for connection in self.connections:
            transport = connection.peer.transport
            transport.stopReading() if is_mute else transport.startReading()
