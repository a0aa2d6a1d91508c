"""One HTTP request: its head, its bounded body, its one answer, whole or going on."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from minicloud.web.answers import CODES_WITHOUT_BODY, STATUS_LINES, Answer
from minicloud.web.gate import SAFE_METHODS
from minicloud.web.keys import decode_key
from minicloud.web.limits import MAX_JSON_BODY_BYTES, MAX_REQUEST_ID_BYTES
from minicloud.web.problems import Problem, bad_request, explain, internal_error, overloaded
from minicloud.web.routing import UNMATCHED, unknown_path
from minicloud.web.stream import Stream, StreamedAnswer, send_on
from minicloud.web.twisted_types import Request as TwistedRequest

if TYPE_CHECKING:
    from minicloud.web.channel import Channel
    from minicloud.web.site import MinicloudSite

KEY_TEMPLATE = "/kv/{key}"
KEYS_TEMPLATE = "/kv"
"""Many keys: they are protected as one is."""
CLIENT_GONE = 499
"""Counted for a client that hung up before its answer (a code of nginx's; never sent)."""

_METHOD_LABELS = {
    method.encode("ascii"): method for method in ("GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "OPTIONS")
}
OTHER_METHOD = "other"
"""Label for what a client made up: it must not be able to make up metrics."""
_NOT_VISIBLE = re.compile(rb"[^!-~]+")
_VISIBLE = re.compile(rb"[!-~]{1,%d}" % MAX_REQUEST_ID_BYTES)
_SMALL_BODY_BYTES = 16384
"""Head and body up to this size are joined into one write; copying more costs more than a second buffer."""


class Request(TwistedRequest):
    """A request of a MinicloudSite.

    The channel calls, in this order: ``admit``, ``handleContentChunk`` for each piece of a body, ``requestReceived``.
    """

    log = Logger()
    channel: Channel
    site: MinicloudSite

    headers: Mapping[bytes, Sequence[bytes]] = {}
    """Header fields as sent, by canonical name (``X-Request-Id``, ``ETag``)."""
    request_id: bytes = b""
    path_and_query: bytes = b""
    """The target in origin form, exactly as sent."""
    query: bytes = b""
    """What follows the question mark, raw."""
    route: str = UNMATCHED
    endpoint: str = ""
    rest: bytes = b""
    """Raw bytes of the path after the route's prefix."""
    key: str = ""
    """On ``/kv/{key}``: the decoded key."""
    body: bytes = b""
    refusal: Problem | None = None
    """Why this request is not let in."""
    stream: Stream | None = None
    """The answer, as long as it goes on."""
    started_at: float = 0.0
    _body_limit: int = MAX_JSON_BODY_BYTES
    _received_bytes: int = 0
    _chunks: list[bytes] | None = None

    # From the channel

    def admit(self, method: bytes, target: bytes, version: bytes, length: int | None) -> None:
        """Decide, from the header alone, whether this request is let in; sets ``refusal`` if not.

        ``length`` is the body's in bytes, None for a chunked one.
        """
        self.method, self.uri, self.clientproto = method, target, version
        site = self.site = self.channel.site
        self.started_at = site.now()
        headers = self.headers = dict(self.requestHeaders.getAllRawHeaders())
        self.request_id = self._choose_request_id(headers.get(b"X-Request-Id"))
        try:
            self._split_target(target)
            self._check(headers, version, length)
        except Problem as problem:
            self.refusal = problem

    def _choose_request_id(self, values: Sequence[bytes] | None) -> bytes:
        if values is None:
            return self.site.new_request_id()
        if _VISIBLE.fullmatch(values[0]):
            return values[0]
        return _NOT_VISIBLE.sub(b"", values[0])[:MAX_REQUEST_ID_BYTES] or self.site.new_request_id()

    def _split_target(self, target: bytes) -> None:
        if not target.startswith(b"/"):
            target = self._origin_form(target)
        if b"#" in target:
            raise bad_request("bad_request", "Bad request", "a request target has no fragment (RFC 9112, section 3.2)")
        self.path_and_query = target
        path, _, self.query = target.partition(b"?")
        self.path = path

    def _origin_form(self, target: bytes) -> bytes:
        """Turn the absolute form, which a server must accept (RFC 9112, section 3.2.2), into path and query."""
        scheme, separator, rest = target.partition(b"://")
        if not separator or scheme.lower() not in (b"http", b"https"):
            raise unknown_path()
        authority, slash, path = rest.partition(b"/")
        self.headers = {**self.headers, b"Host": [authority]}
        return slash + path or b"/"

    def _check(self, headers: Mapping[bytes, Sequence[bytes]], version: bytes, length: int | None) -> None:
        site, method = self.site, self.method
        gate = site.gate
        gate.check_host(self.headers.get(b"Host"), version)
        reading = method in SAFE_METHODS
        if not reading:
            gate.check_origin(self.headers)
        route, self.rest = site.root.routes.split(self.path)
        if route is None:
            raise unknown_path()
        self.route = route.template
        self.endpoint = route.endpoint(method)
        on_key = route.template == KEY_TEMPLATE
        if on_key or not reading or route.template == KEYS_TEMPLATE:
            gate.check_token(headers, reading)
        if on_key:
            self.key = decode_key(self.rest)
            if method == b"PUT":
                self._body_limit = site.settings.max_value_bytes
        if length:
            self._check_length(length)

    def _check_length(self, length: int) -> None:
        if length > self._body_limit:
            raise self._too_large()
        if self.site.body_bytes + length > self.site.max_body_bytes:
            raise overloaded("Too many bodies are being received at the moment.")

    def _too_large(self) -> Problem:
        limit = self._body_limit
        if self.route == KEY_TEMPLATE and self.method == b"PUT":
            detail = f"A value has at most {limit} bytes here (configuration key max_value_bytes)."
            return Problem(413, "value_too_large", "Value too large", detail, extra={"max_value_bytes": limit})
        return Problem(413, "body_too_large", "Body too large", f"A body here has at most {limit} bytes.")

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body, unless it goes over a limit."""
        if self.refusal is not None:
            return
        self._received_bytes += len(data)
        self.site.body_bytes += len(data)
        try:
            self._check_received()
        except Problem as problem:
            self.refusal = problem
            self.channel.refuse(self)
            return
        if self._chunks is None:
            self._chunks = [data]
        else:
            self._chunks.append(data)

    def _check_received(self) -> None:
        if self._received_bytes > self._body_limit:
            raise self._too_large()
        if self.site.body_bytes > self.site.max_body_bytes:
            raise overloaded("Too many bodies are being received at the moment.")

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Run the route: the whole body is here."""
        chunks = self._chunks
        if chunks is not None:
            self.body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
            self._chunks = None
        self.process()

    def process(self) -> None:
        """Answer."""
        if self.refusal is not None:
            self.send(self.refusal.answer())
            return
        try:
            result = self.site.root.respond(self)
        except Exception as error:
            self.send(self._explained(error))
            return
        if isinstance(result, Deferred):
            # Nothing cancels this Deferred: a client that hangs up takes nothing back.
            result.addCallbacks(self.send, self._failed)
            result.addErrback(self._could_not_send)
        else:
            self.send(result)

    def _failed(self, failure: Failure) -> None:
        assert failure.value is not None
        self.send(self._explained(failure.value, failure))

    def _explained(self, error: BaseException, failure: Failure | None = None) -> Answer:
        problem = explain(error)
        if problem is None:
            self.log.failure(
                "Request {request_id} on {route} failed",
                failure=failure or Failure(error),
                request_id=self.request_id.decode("ascii"),
                route=self.route,
            )
            problem = internal_error()
        return problem.answer()

    def _could_not_send(self, failure: Failure) -> None:
        self.log.failure(
            "Could not answer request {request_id}", failure=failure, request_id=self.request_id.decode("ascii")
        )

    def connectionLost(self, reason: Failure) -> None:
        """Take note that nobody waits for the answer. What was asked for goes on."""
        self._release_body()
        super().connectionLost(reason)
        if self.stream is not None:
            self.stream.lost()

    # To the client

    def send(self, answer: Answer) -> None:
        """Send the one answer of this request."""
        self._release_body()
        if self._disconnected:
            self.record(CLIENT_GONE)
            return
        if isinstance(answer, StreamedAnswer):
            send_on(self, answer)
            return
        code, body, channel = answer.code, answer.body, self.channel
        if code in CODES_WITHOUT_BODY:
            head = self.head(answer, b"")
        else:
            head = self.head(answer, b"Content-Type: %b\r\nContent-Length: %d\r\n" % (answer.content_type, len(body)))
        if code in CODES_WITHOUT_BODY or self.method == b"HEAD":
            body = b""
        if len(body) <= _SMALL_BODY_BYTES:
            channel.write(head + body)
        else:
            channel.writeSequence((head, body))
        self.code, self.startedWriting, self.sentLength = code, 1, len(body)
        self.finish()
        self.record(code)

    def head(self, answer: Answer, body_lines: bytes) -> bytes:
        """Return status line and header; ``body_lines`` are the fields that tell of the body."""
        code, site = answer.code, self.site
        return b"".join(
            (
                STATUS_LINES.get(code) or b"HTTP/1.1 %d Other\r\n" % code,
                answer.identity_lines or site.identity_lines(answer.revision),
                site.common_lines,
                b"X-Request-ID: %b\r\n" % self.request_id,
                answer.header_lines,
                body_lines,
                b"\r\n" if self.channel.persistent else b"Connection: close\r\n\r\n",
            )
        )

    def record(self, code: int) -> None:
        """Count this request as answered, with that status."""
        method = _METHOD_LABELS.get(self.method, OTHER_METHOD)
        self.site.instruments.request_finished(method, self.route, code, self.site.now() - self.started_at)

    def _release_body(self) -> None:
        if self._received_bytes:  # without any, the header may not even be complete
            self.site.body_bytes -= self._received_bytes
            self._received_bytes = 0
        self._chunks = None
