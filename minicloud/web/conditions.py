"""Conditional requests (RFC 9110, section 13). The entity tag of a key is its revision, strong, in decimal digits."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from minicloud.kv.commands import ALWAYS, Precondition
from minicloud.web.limits import MAX_CONDITION_TAGS
from minicloud.web.problems import Problem, bad_request
from minicloud.web.query import MAX_REVISION

Headers = Mapping[bytes, Sequence[bytes]]

_REVISION_TAG = re.compile(rb'"(0|[1-9][0-9]{0,18})"')
_ENTITY_TAG = re.compile(rb'[ \t]*(?:(W/)?"([!#-~\x80-\xff]*)")?[ \t]*(?:,|$)')
"""One element of a list of tags, possibly an empty one (RFC 9110, sections 5.6.1 and 8.8.3)."""

_MUST_EXIST = Precondition(exists=True)
_MUST_NOT_EXIST = Precondition(exists=False)


def write_precondition(headers: Headers) -> Precondition:
    """Return what ``If-Match`` or ``If-None-Match`` of a PUT or DELETE ask for.

    Strict: a tag that could never match, a weak one for example, is a 400 and not a failed condition.
    """
    match = headers.get(b"If-Match")
    none_match = headers.get(b"If-None-Match")
    if match is None and none_match is None:
        return ALWAYS
    if match is not None and none_match is not None:
        raise _bad_condition("If-Match and If-None-Match exclude each other on a write")
    if none_match is not None:
        if _joined(none_match) != b"*":
            raise _bad_condition("If-None-Match on a write is *: the key must not exist")
        return _MUST_NOT_EXIST
    assert match is not None
    if _joined(match) == b"*":
        return _MUST_EXIST
    return Precondition(revisions=_revisions(_joined(match)))


def not_modified(headers: Headers, revision: int) -> bool:
    """Return whether ``If-None-Match`` of a GET names the revision. Tags compare weakly (RFC 9110, section 13.1.2)."""
    values = headers.get(b"If-None-Match")
    return values is not None and _matches(_joined(values), revision, allow_weak=True)


def mismatched(headers: Headers, revision: int | None) -> bool:
    """Return whether ``If-Match`` of a GET fails: 412. ``revision`` is None where the key does not exist."""
    values = headers.get(b"If-Match")
    if values is None:
        return False
    return revision is None or not _matches(_joined(values), revision, allow_weak=False)


def _joined(values: Sequence[bytes]) -> bytes:
    return b",".join(values).strip(b" \t")


def _revisions(text: bytes) -> tuple[int, ...]:
    revisions = []
    for part in text.split(b",", MAX_CONDITION_TAGS):
        tag = _REVISION_TAG.fullmatch(part.strip(b" \t"))
        if tag is None or int(tag[1]) > MAX_REVISION:
            raise _bad_condition(
                'expected a revision in double quotes, such as "7", at most '
                f"{MAX_CONDITION_TAGS} of them with commas between, or *; weak tags never match"
            )
        revisions.append(int(tag[1]))
    return tuple(revisions)


def _matches(text: bytes, revision: int, allow_weak: bool) -> bool:
    if text == b"*":
        return True
    wanted = b"%d" % revision
    position, found = 0, False
    while position < len(text):
        element = _ENTITY_TAG.match(text, position)
        if element is None or element.end() == position:
            raise _bad_condition('expected entity tags such as "7", with commas between, or *')
        found = found or (element[2] == wanted and (allow_weak or not element[1]))
        position = element.end()
    return found


def _bad_condition(detail: str) -> Problem:
    return bad_request("bad_condition", "Bad condition", detail)
