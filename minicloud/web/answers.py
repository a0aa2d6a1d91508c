"""What a route returns: an answer, not yet bound to a connection."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from attrs import define

JSON_TYPE = b"application/json"
TEXT_TYPE = b"text/plain; charset=utf-8"

CODES_WITHOUT_BODY = frozenset((204, 304))
"""Answers that have no body, and no Content-Length of one (RFC 9110, sections 15.3.5 and 15.4.5)."""

NO_STORE = b"Cache-Control: no-store\r\n"
"""For what is only true at the moment that it is told."""

STATUS_LINES = {int(status): f"HTTP/1.1 {status:d} {status.phrase}\r\n".encode("ascii") for status in HTTPStatus}


@define
class Answer:
    """One response. Header lines that every response carries are added when it is sent."""

    code: int
    body: bytes = b""
    content_type: bytes = JSON_TYPE
    """Left out where there is no body."""
    header_lines: bytes = b""
    """Further header lines, each with its CRLF. Text from outside only where it can hold no line break."""
    revision: int | None = None
    """For ``Minicloud-Revision``; None stands for what this node has applied."""
    identity_lines: bytes | None = None
    """For a relayed answer: the identity lines of the node that answered, in the place of our own."""


def json_body(value: Any) -> bytes:
    """Return a value as one line of JSON."""
    return msgspec.json.encode(value) + b"\n"


def json_answer(value: Any, code: int = 200, header_lines: bytes = NO_STORE) -> Answer:
    """Return an answer that holds one line of JSON."""
    return Answer(code, json_body(value), JSON_TYPE, header_lines)


def no_content() -> Answer:
    """Return the answer of an admin request that was done."""
    return Answer(204)
