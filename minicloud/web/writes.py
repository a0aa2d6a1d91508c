"""PUT and DELETE of a key: proposed where the leader is, redirected or forwarded where it is not."""

from __future__ import annotations

import msgspec
from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from minicloud.kv.commands import Command, Delete, DeleteDone, Outcome, Put, PutDone
from minicloud.node.errors import NotLeader
from minicloud.web.answers import JSON_TYPE, Answer
from minicloud.web.conditions import write_precondition
from minicloud.web.face import NodeFace
from minicloud.web.leader import LeaderPath
from minicloud.web.limits import DEFAULT_TIMEOUT_S
from minicloud.web.problems import bad_parameter, condition_failed, unsupported
from minicloud.web.query import flag, parse_query, timeout_seconds
from minicloud.web.request import Request
from minicloud.web.settings import WebInstruments

_KNOWN = frozenset({"timeout", "forward", "redirect"})


@frozen
class WriteOptions:
    """What the query string of a write asks for."""

    timeout_s: float = DEFAULT_TIMEOUT_S
    forward: bool | None = None
    """Whether a follower passes the request on; None: as configured."""


_DEFAULT = WriteOptions()


def write_options(query: bytes) -> WriteOptions:
    """Return what a query string asks for; raises Problem (400)."""
    if not query:
        return _DEFAULT
    parameters = parse_query(query, _KNOWN)
    forward, redirect = flag(parameters, "forward"), flag(parameters, "redirect")
    if forward and redirect:
        raise bad_parameter("forward and redirect exclude each other")
    return WriteOptions(timeout_seconds(parameters), True if forward else False if redirect else None)


class PutAnswer(msgspec.Struct):
    """Body of an answered PUT."""

    key: str
    revision: int
    created: bool


class DeleteAnswer(msgspec.Struct):
    """Body of an answered DELETE."""

    key: str
    revision: int
    deleted: bool


_encode = msgspec.json.Encoder().encode


class KeyWrites:
    """The meaning of PUT and DELETE on ``/kv/{key}``."""

    def __init__(
        self, node: NodeFace, leader_path: LeaderPath, forward_writes: bool, instruments: WebInstruments
    ) -> None:
        self._node = node
        self._leader_path = leader_path
        self._forward_writes = forward_writes
        self._instruments = instruments

    def put(self, request: Request) -> Deferred[Answer]:
        """Store the body under the key."""
        return self._write(request, Put(request.key, request.body, write_precondition(request.headers)))

    def delete(self, request: Request) -> Deferred[Answer]:
        """Remove the key."""
        return self._write(request, Delete(request.key, write_precondition(request.headers)))

    def _write(self, request: Request, command: Command) -> Deferred[Answer]:
        if b"Idempotency-Key" in request.headers:
            raise unsupported("Idempotency-Key is not served by this version: the request was not carried out")
        options = write_options(request.query)
        return self._node.propose(command, options.timeout_s).addCallbacks(
            self._done, self._refused, callbackArgs=(request,), errbackArgs=(request, options)
        )

    def _done(self, outcome: Outcome, request: Request) -> Answer:
        if isinstance(outcome, PutDone):
            self._instruments.put_finished()
            body = _encode(PutAnswer(request.key, outcome.revision, outcome.created))
            return Answer(200, body + b"\n", JSON_TYPE, b'ETag: "%d"\r\n' % outcome.revision, outcome.revision)
        if isinstance(outcome, DeleteDone):
            self._instruments.delete_finished()
            body = _encode(DeleteAnswer(request.key, outcome.revision, outcome.deleted))
            return Answer(200, body + b"\n", JSON_TYPE, revision=outcome.revision)
        raise condition_failed(outcome.current_revision)

    def _refused(
        self, failure: Failure, request: Request, options: WriteOptions
    ) -> Answer | Deferred[Answer] | Failure:
        error = failure.value
        if not isinstance(error, NotLeader):
            return failure
        forward = self._forward_writes if options.forward is None else options.forward
        return self._leader_path.lead(request, error.leader, forward, options.timeout_s)
