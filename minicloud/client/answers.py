"""From what servers answer to what callers get: results, members, problems."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from minicloud.client.errors import (
    BadAnswer,
    Conflict,
    ErrorAnswer,
    NotFound,
    NotModified,
    PreconditionFailed,
    Problem,
    Setback,
    Unauthorized,
    Unavailable,
)
from minicloud.client.exchange import Answer

_ERROR_BY_STATUS: Mapping[int, type[ErrorAnswer]] = {
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
}


@frozen
class PutResult:
    """A put that took effect."""

    key: str
    revision: int
    created: bool
    """Whether the key did not exist before."""


@frozen
class DeleteResult:
    """A delete that took effect."""

    key: str
    revision: int
    deleted: bool
    """Whether there was something to delete."""


@frozen
class Value:
    """A key that exists."""

    key: str
    value: bytes
    revision: int


@frozen
class Item:
    """A key in a listing."""

    key: str
    value: bytes | None
    """None in a listing of keys only."""
    revision: int
    create_revision: int
    """Revision at which this life of the key began."""
    version: int
    """How many writes this life has seen, from 1."""
    size_bytes: int
    """Length of the value, whether or not it is there."""


@frozen
class Page:
    """A part of a listing, in the order of the keys' UTF-8 bytes."""

    items: tuple[Item, ...]
    revision: int
    """What the node had applied when it read this page: the page is the state at that revision."""
    next_cursor: str
    """Where the next page goes on; empty at the end."""


@frozen
class Member:
    """A member as the answering node sees it; None is what that node cannot know."""

    node_id: str
    raft_addr: str
    http_addr: str
    suffrage: str
    """``Voter`` or ``Learner``."""
    is_leader: bool
    healthy: bool | None
    match_index: int | None
    lag_entries: int | None
    last_contact_ms: int | None
    document: Mapping[str, Any]
    """The JSON object that all this comes from."""


@frozen
class Members:
    """The cluster as one node sees it."""

    members: tuple[Member, ...]
    leader: str
    """What the node says of the leader; empty where it knows of none."""
    failure_tolerance: int | None
    """How many voters may fail before the cluster stops."""
    server: str
    """Base URL of the node that answered."""
    document: Mapping[str, Any]
    """The JSON object that all this comes from."""


@frozen
class NodeReport:
    """What one member says of itself, or why it says nothing."""

    node_id: str
    server: str
    """Base URL that was asked."""
    status: Mapping[str, Any] | None
    """Its ``/raft/status``; None where it gave no answer."""
    reason: str
    """Why there is no status; empty where there is one."""
    member: Member | None
    """What the others know of it; None where they do not name it as a member."""


def put_result(key: str, answer: Answer) -> PutResult:
    """Return what a PUT came to, or raise what it failed of."""
    document = json_object(succeed_or_raise(answer))
    return PutResult(key, _number(answer, document, "revision"), bool(document.get("created")))


def delete_result(key: str, answer: Answer) -> DeleteResult:
    """Return what a DELETE came to, or raise what it failed of."""
    document = json_object(succeed_or_raise(answer))
    return DeleteResult(key, _number(answer, document, "revision"), bool(document.get("deleted")))


def value(key: str, answer: Answer) -> Value:
    """Return what a GET (or, with no value, a HEAD) came to, or raise what it failed of."""
    succeed_or_raise(answer)
    tag = answer.header("ETag").removeprefix("W/").strip('"')
    if not (tag.isascii() and tag.isdigit()):
        raise BadAnswer(answer.server, "the answer has no ETag with a revision; is that a minicloud node?")
    return Value(key, answer.body, int(tag))


def page(answer: Answer) -> Page:
    """Return the page that an answer to ``GET /kv`` holds, or raise what it failed of."""
    document = json_object(succeed_or_raise(answer))
    listed = document.get("items")
    if not isinstance(listed, list):
        raise BadAnswer(answer.server, "the answer lists no keys; is that a minicloud node?")
    next_cursor = document.get("next_cursor", False)
    if not isinstance(next_cursor, str | None):
        # To take that for the end would be to lose the rest.
        raise BadAnswer(answer.server, "the answer does not say whether more keys follow")
    items = tuple(_item(answer, item) for item in listed)
    return Page(items, _number(answer, document, "revision"), next_cursor or "")


def count(answer: Answer) -> int:
    """Return the number of keys that an answer to ``GET /kv?count`` tells, or raise what it failed of."""
    return _number(answer, json_object(succeed_or_raise(answer)), "count")


def members(answer: Answer) -> Members:
    """Return the members that an answer to ``GET /cluster/members`` names."""
    document = json_object(succeed_or_raise(answer))
    listed = document.get("members")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise BadAnswer(answer.server, "the answer names no members; is that a minicloud node?")
    return Members(
        members=tuple(_member(item) for item in listed),
        leader=_text(document.get("leader")),
        failure_tolerance=_number_or_none(document.get("failure_tolerance")),
        server=answer.server,
        document=document,
    )


def _item(answer: Answer, item: object) -> Item:
    if not isinstance(item, dict) or not isinstance(item.get("key"), str):
        raise BadAnswer(answer.server, "the answer lists something that is no key; is that a minicloud node?")
    content = _value_of(answer, item)
    return Item(
        key=item["key"],
        value=content,
        revision=_number(answer, item, "revision"),
        create_revision=_number(answer, item, "create_revision"),
        version=_number(answer, item, "version"),
        size_bytes=_number(answer, item, "size_bytes") if content is None else len(content),
    )


def _value_of(answer: Answer, item: Mapping[str, Any]) -> bytes | None:
    """Return the value that an item shows as text or in base64, None where it shows none."""
    try:
        if isinstance(item.get("value"), str):
            return str(item["value"]).encode("utf-8")
        if isinstance(item.get("value_base64"), str):
            return b64decode(item["value_base64"], validate=True)
    except ValueError:
        raise BadAnswer(answer.server, f"the value of {item['key']!r} cannot be read") from None
    return None


def _member(item: Mapping[str, Any]) -> Member:
    healthy = item.get("healthy")
    return Member(
        node_id=_text(item.get("node_id")),
        raft_addr=_text(item.get("raft_addr")),
        http_addr=_text(item.get("http_addr")),
        suffrage=_text(item.get("suffrage")),
        is_leader=item.get("is_leader") is True,
        healthy=healthy if isinstance(healthy, bool) else None,
        match_index=_number_or_none(item.get("match_index")),
        lag_entries=_number_or_none(item.get("lag_entries")),
        last_contact_ms=_number_or_none(item.get("last_contact_ms")),
        document=item,
    )


def succeed_or_raise(answer: Answer) -> Answer:
    """Return the answer where it is a success, else raise the ClientError that it stands for."""
    if 200 <= answer.status < 300:
        return answer
    if answer.status == 304:
        raise NotModified
    found = problem(answer)
    if answer.status in (503, 504):
        raise Unavailable((Setback(answer.server, str(found), found),), timed_out=False)
    raise _ERROR_BY_STATUS.get(answer.status, ErrorAnswer)(answer.server, found)


def json_object(answer: Answer) -> dict[str, Any]:
    """Return the JSON object in the body; BadAnswer where there is none."""
    document = _json_object_or_none(answer)
    if document is None:
        raise BadAnswer(answer.server, "the answer is not a JSON object; is that a minicloud node?")
    return document


def is_problem(answer: Answer) -> bool:
    """Return whether the answer is a problem document: whether it is a node that says what happened, not some proxy."""
    return answer.header("Content-Type").partition(";")[0].strip().lower() == "application/problem+json"


def problem(answer: Answer) -> Problem:
    """Return the problem in an answer that is an error. What it does not say is empty."""
    document = (_json_object_or_none(answer) or {}) if is_problem(answer) else {}
    return Problem(
        status=answer.status,
        code=_text(document.get("code")),
        title=_text(document.get("title")),
        detail=_text(document.get("detail")),
        retryable=document.get("retryable") is True,
        leader=_text(document.get("leader")),
        document=document,
    )


def _json_object_or_none(answer: Answer) -> dict[str, Any] | None:
    try:
        document = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _number(answer: Answer, document: Mapping[str, Any], name: str) -> int:
    number = _number_or_none(document.get(name))
    if number is None:
        raise BadAnswer(answer.server, f"the answer has no {name!r}; is that a minicloud node?")
    return number


def _number_or_none(candidate: object) -> int | None:
    return candidate if isinstance(candidate, int) and not isinstance(candidate, bool) else None


def _text(candidate: object) -> str:
    return candidate if isinstance(candidate, str) else ""
