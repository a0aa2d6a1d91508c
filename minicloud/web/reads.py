"""GET and HEAD of a key: linearizable on any node, or stale at once, or as new as a revision that is asked for."""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from minicloud.kv.commands import Record
from minicloud.web.answers import Answer, json_body
from minicloud.web.conditions import mismatched, not_modified
from minicloud.web.face import NodeFace
from minicloud.web.limits import DEFAULT_TIMEOUT_S
from minicloud.web.problems import Problem, bad_parameter, condition_failed
from minicloud.web.query import flag, parse_query, revision, timeout_seconds
from minicloud.web.request import Request
from minicloud.web.settings import WebInstruments

VALUE_TYPE = b"application/octet-stream"
_KNOWN = frozenset({"stale", "consistency", "min_revision", "timeout", "format"})
_FORMATS = {"raw": False, "json": True}
_CONSISTENCIES = {"linearizable": False, "stale": True}
_REVALIDATE = b"Cache-Control: no-cache\r\n"
_SANDBOX = b"Content-Security-Policy: sandbox\r\n"
"""A value is whatever somebody stored: a browser that opens it runs nothing of it."""


@frozen
class ReadOptions:
    """What the query string of a read asks for."""

    stale: bool = False
    min_revision: int | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S
    as_json: bool = False


_DEFAULT = ReadOptions()


def read_options(query: bytes) -> ReadOptions:
    """Return what a query string asks for; raises Problem (400)."""
    if not query:
        return _DEFAULT
    parameters = parse_query(query, _KNOWN)
    consistency = _choice(parameters.get("consistency"), "consistency", _CONSISTENCIES)
    stale = flag(parameters, "stale") or bool(consistency)
    min_revision = revision(parameters, "min_revision")
    if consistency is not None and (flag(parameters, "stale") and not consistency):
        raise bad_parameter("stale and consistency=linearizable exclude each other")
    if min_revision is not None and (stale or consistency is not None):
        raise bad_parameter("min_revision is a consistency of its own: leave stale and consistency out")
    as_json = _choice(parameters.get("format"), "format", _FORMATS)
    return ReadOptions(stale, min_revision, timeout_seconds(parameters), bool(as_json))


def _choice(text: str | None, name: str, choices: dict[str, bool]) -> bool | None:
    if text is None:
        return None
    if text not in choices:
        raise bad_parameter(f"{name}: expected {' or '.join(choices)}, not {text!r}")
    return choices[text]


class KeyReads:
    """The meaning of GET and HEAD on ``/kv/{key}``."""

    def __init__(self, node: NodeFace, instruments: WebInstruments) -> None:
        self._node = node
        self._instruments = instruments

    def get(self, request: Request) -> Answer | Deferred[Answer]:
        """Answer with the value of a key."""
        options = read_options(request.query)
        if options.stale:
            return self._answer_stale(request, options)
        if options.min_revision is not None:
            waiting = self._node.wait_applied(options.min_revision, options.timeout_s)
        else:
            waiting = self._node.read_barrier(options.timeout_s)
        return waiting.addCallback(partial(self._answer_now, request, options))

    def _answer_stale(self, request: Request, options: ReadOptions) -> Answer:
        last_contact_ms = self._node.status().last_contact_ms
        known = b"" if last_contact_ms is None else b"Minicloud-Last-Contact-Ms: %d\r\n" % last_contact_ms
        return self._answer_now(request, options, None, known)

    def _answer_now(self, request: Request, options: ReadOptions, _: None, further_lines: bytes = b"") -> Answer:
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
        if options.as_json:
            return Answer(200, json_body(item(request.key, record)), header_lines=lines, revision=record.revision)
        return Answer(200, record.value, VALUE_TYPE, lines + _SANDBOX, record.revision)


def item(key: str, record: Record) -> dict[str, Any]:
    """Return a key as ``format=json`` shows it: the value as text where it is UTF-8, else in base64."""
    shown: dict[str, Any] = {"key": key}
    try:
        shown["value"] = record.value.decode("utf-8")
    except UnicodeDecodeError:
        shown["value_base64"] = b64encode(record.value).decode("ascii")
    shown["revision"] = record.revision
    shown["create_revision"] = record.create_revision
    shown["version"] = record.version
    shown["expires_in"] = None
    return shown
