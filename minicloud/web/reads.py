"""GET and HEAD of a key: linearizable on any node, or stale at once, or as new as a revision that is asked for."""

from __future__ import annotations

from functools import partial

from attrs import frozen
from twisted.internet.defer import Deferred

from minicloud.web.answers import Answer, json_body
from minicloud.web.conditions import mismatched, not_modified
from minicloud.web.consistency import (
    CONSISTENCY_PARAMETERS,
    LINEARIZABLE,
    Consistency,
    choice,
    consistency_of,
    read,
)
from minicloud.web.face import NodeFace
from minicloud.web.items import item
from minicloud.web.problems import Problem, condition_failed
from minicloud.web.query import parse_query
from minicloud.web.request import Request
from minicloud.web.settings import WebInstruments

VALUE_TYPE = b"application/octet-stream"
_KNOWN = CONSISTENCY_PARAMETERS | {"format"}
_FORMATS = {"raw": False, "json": True}
_REVALIDATE = b"Cache-Control: no-cache\r\n"
_SANDBOX = b"Content-Security-Policy: sandbox\r\n"
"""A value is whatever somebody stored: a browser that opens it runs nothing of it."""


@frozen
class ReadOptions:
    """What the query string of a read asks for."""

    consistency: Consistency = LINEARIZABLE
    as_json: bool = False


_DEFAULT = ReadOptions()


def read_options(query: bytes) -> ReadOptions:
    """Return what a query string asks for; raises Problem (400)."""
    if not query:
        return _DEFAULT
    parameters = parse_query(query, _KNOWN)
    return ReadOptions(consistency_of(parameters), bool(choice(parameters, "format", _FORMATS)))


class KeyReads:
    """The meaning of GET and HEAD on ``/kv/{key}``."""

    def __init__(self, node: NodeFace, instruments: WebInstruments) -> None:
        self._node = node
        self._instruments = instruments

    def get(self, request: Request) -> Answer | Deferred[Answer]:
        """Answer with the value of a key."""
        options = read_options(request.query)
        return read(self._node, options.consistency, partial(self._answer, request, options.as_json))

    def _answer(self, request: Request, as_json: bool, further_lines: bytes) -> Answer:
        record = self._node.store.get(request.key)
        self._instruments.get_finished()
        if record is None:
            if mismatched(request.headers, None):
                raise condition_failed(None)
            raise Problem(404, "key_not_found", "Key not found", "There is no such key.", header_lines=further_lines)
        lines = b'ETag: "%d"\r\n%b%b' % (record.revision, _REVALIDATE, further_lines)
        if mismatched(request.headers, record.revision):
            raise condition_failed(record.revision)
        if not_modified(request.headers, record.revision):
            return Answer(304, header_lines=lines, revision=record.revision)
        if as_json:
            return Answer(200, json_body(item(request.key, record)), header_lines=lines, revision=record.revision)
        return Answer(200, record.value, VALUE_TYPE, lines + _SANDBOX, record.revision)
