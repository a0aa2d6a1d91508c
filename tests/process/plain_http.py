"""HTTP as plain as it gets: one connection that stays open, and what was said on it is known to the byte.

No client library: what these tests find out must not depend on one that sends again by itself.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from attrs import frozen

ANSWER_LIMIT_S = 15.0
"""More than the 10 s that a node gives itself to answer a write."""


class NeverSent(Exception):
    """There was no connection: the request has reached nobody."""


class NoAnswer(Exception):
    """The request may have been carried out, or not."""


@frozen
class Answer:
    """What a node has answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def revision(self) -> int:
        """The revision of the key that was read or written."""
        return int(self.headers["etag"].strip('"'))


@frozen
class Request:
    """What to ask. ``target``: path and query, encoded."""

    method: str
    target: str
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def encoded(self, port: int) -> bytes:
        """Return the bytes to send."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        if self.body or self.method in ("PUT", "POST"):
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("ascii") + self.body


class Connection:
    """One connection to one node. Raises NeverSent where there can be none."""

    def __init__(self, port: int, limit_s: float = ANSWER_LIMIT_S) -> None:
        self.port = port
        self.is_ending = False
        """Whether the node has said that it will answer nothing more here."""
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=limit_s)
        except OSError as error:
            raise NeverSent(f"port {port}: {error}") from None
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def send(self, *requests: Request) -> None:
        """Send requests, one behind the other; raises NoAnswer."""
        self.send_bytes(b"".join(request.encoded(self.port) for request in requests))

    def send_bytes(self, data: bytes) -> None:
        """Send a part of a request; raises NoAnswer."""
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise NoAnswer(f"port {self.port}: {error}") from None

    def receive(self) -> Answer:
        """Return the next answer; raises NoAnswer."""
        try:
            return self._read_answer()
        except (OSError, ValueError, IndexError) as error:
            raise NoAnswer(f"port {self.port}: {error}") from None

    def ask(self, request: Request) -> Answer:
        """Send one request and return its answer; raises NoAnswer."""
        self.send(request)
        return self.receive()

    def ask_all(self, requests: Iterable[Request], at_once: int = 64) -> list[Answer]:
        """Return the answers to many requests, with up to ``at_once`` of them on their way."""
        answers: list[Answer] = []
        waiting = list(requests)
        for first in range(0, len(waiting), at_once):
            part = waiting[first : first + at_once]
            self.send(*part)
            answers += [self.receive() for _ in part]
        return answers

    def close(self) -> None:
        """Close it; closing twice does nothing."""
        self._file.close()
        self._socket.close()

    def _read_answer(self) -> Answer:
        status = int(self._line().split(" ", 2)[1])
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if status in (204, 304) else int(headers["content-length"])
        body = self._file.read(length)
        if len(body) < length:
            raise ValueError("the connection ended within an answer")
        self.is_ending = headers.get("connection", "").lower() == "close"
        return Answer(status, headers, body)

    def _line(self) -> str:
        line = self._file.readline()
        if not line.endswith(b"\n"):
            raise ValueError("the connection ended without an answer")
        return line.decode("latin-1").rstrip("\r\n")


def ask_once(port: int, method: str, target: str, body: bytes = b"", *, limit_s: float = ANSWER_LIMIT_S) -> Answer:
    """Ask on a connection of its own; raises NeverSent and NoAnswer."""
    headers = (("Content-Type", "application/json"),) if method == "POST" else ()
    connection = Connection(port, limit_s)
    try:
        return connection.ask(Request(method, target, body, headers))
    finally:
        connection.close()
