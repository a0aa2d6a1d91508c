"""GET and HEAD of ``/kv``: the keys in order, page by page, and how many there are.

Each page is a read of its own, as new as it asks for, and shows the store at one revision. The next page may show a
later one: a key that is there all the time comes exactly once. With a delimiter, keys that go on after it come as the
prefix that they share, among the others in the order of keys; a page has so many items and prefixes together.
"""

from __future__ import annotations

from functools import partial

import msgspec
from attrs import evolve, frozen
from twisted.internet.defer import Deferred

from minicloud.kv.commands import Record, prefix_problem
from minicloud.kv.ranges import KeyRange
from minicloud.web.answers import NO_STORE, Answer, json_body
from minicloud.web.consistency import CONSISTENCY_PARAMETERS, Consistency, consistency_of, read
from minicloud.web.cursors import Place, make_cursor, place_of_cursor
from minicloud.web.face import NodeFace, StoreFace
from minicloud.web.items import item, item_without_value
from minicloud.web.limits import (
    DEFAULT_PAGE_ITEMS,
    MAX_DELIMITER_BYTES,
    MAX_LIST_QUERY_BYTES,
    MAX_PAGE_BYTES,
    MAX_PAGE_ITEMS,
)
from minicloud.web.problems import bad_parameter
from minicloud.web.query import flag, number, parse_query
from minicloud.web.request import Request
from minicloud.web.rollup import beyond, count_below, entries

_OF_A_PAGE = ("limit", "keys_only", "cursor", "delimiter")
"""Parameters that mean nothing where keys are only counted."""
_KNOWN = CONSISTENCY_PARAMETERS | {"prefix", "start", "count", *_OF_A_PAGE}

_encode = msgspec.json.Encoder().encode


@frozen
class ListOptions:
    """What the query string of a listing asks for."""

    keys: KeyRange
    delimiter: str
    """What keys below the prefix are rolled up by, "" where each stands for itself."""
    limit: int
    """Most items and prefixes of a page."""
    keys_only: bool
    counts: bool
    """Whether only the number of keys is wanted."""
    consistency: Consistency


def list_options(query: bytes) -> ListOptions:
    """Return what a query string asks for; raises Problem (400)."""
    parameters = parse_query(query, _KNOWN, MAX_LIST_QUERY_BYTES)
    counts = flag(parameters, "count")
    unwanted = [name for name in _OF_A_PAGE if name in parameters]
    if counts and unwanted:
        raise bad_parameter(f"count counts all keys of the prefix: leave {' and '.join(unwanted)} out")
    return ListOptions(
        keys=_key_range(parameters),
        delimiter=_delimiter(parameters),
        limit=number(parameters, "limit", DEFAULT_PAGE_ITEMS, MAX_PAGE_ITEMS),
        keys_only=flag(parameters, "keys_only"),
        counts=counts,
        consistency=consistency_of(parameters),
    )


def _key_range(parameters: dict[str, str]) -> KeyRange:
    for name in ("prefix", "start"):
        problem = prefix_problem(name, parameters.get(name, ""))
        if problem is not None:
            raise bad_parameter(problem)
    prefix, start = parameters.get("prefix", ""), parameters.get("start", "")
    # An empty cursor is none, so that a loop over pages can send the same request each time.
    cursor = parameters.get("cursor", "")
    return _after_cursor(KeyRange(prefix, start), cursor) if cursor else KeyRange(prefix, start)


def _after_cursor(keys: KeyRange, cursor: str) -> KeyRange:
    place = place_of_cursor(cursor, keys.prefix)
    if not place.rolled_up:
        return evolve(keys, after=place.name)
    rest = beyond(keys, place.name)
    if rest is None:
        raise bad_parameter("cursor: expected the next_cursor of the page before; nothing comes after this one")
    return rest


def _delimiter(parameters: dict[str, str]) -> str:
    delimiter = parameters.get("delimiter")
    if delimiter is None:
        return ""
    if not 1 <= len(delimiter.encode("utf-8")) <= MAX_DELIMITER_BYTES:
        raise bad_parameter(
            f"delimiter: expected 1 to {MAX_DELIMITER_BYTES} bytes, such as /; without it, leave it out"
        )
    problem = prefix_problem("delimiter", delimiter)
    if problem is not None:
        raise bad_parameter(problem)
    return delimiter


class KeyListing:
    """The meaning of GET and HEAD on ``/kv``."""

    def __init__(self, node: NodeFace) -> None:
        self._node = node

    def get(self, request: Request) -> Answer | Deferred[Answer]:
        """Answer with a page of keys, or with their number."""
        options = list_options(request.query)
        return read(self._node, options.consistency, partial(self._answer, options))

    def _answer(self, options: ListOptions, further_lines: bytes) -> Answer:
        store = self._node.store
        if options.counts:
            told: dict[str, object] = {"count": store.count(options.keys), "revision": store.applied_index}
        else:
            told = _page(store, options)
        return Answer(200, json_body(told), header_lines=NO_STORE + further_lines)


def _page(store: StoreFace, options: ListOptions) -> dict[str, object]:
    """Return what is told of a page.

    The next entry is always looked at, so that the last page is known to be the last.
    """
    items: list[msgspec.Raw] = []
    prefixes: list[msgspec.Raw] = []
    room_bytes, last, next_cursor = MAX_PAGE_BYTES, None, None
    for name, record in entries(store, options.keys, options.delimiter):
        # JSON is never shorter than the value in it: what cannot fit need not be encoded to be seen not to.
        least_bytes = 0 if record is None or options.keys_only else len(record.value)
        full = len(items) + len(prefixes) == options.limit or least_bytes > room_bytes
        shown = b"" if full and last else _shown(store, options, name, record)
        room_bytes -= len(shown) + len(b",")
        if last and (full or room_bytes < 0):
            next_cursor = make_cursor(options.keys.prefix, last)
            break
        (prefixes if record is None else items).append(msgspec.Raw(shown))
        last = Place(name, rolled_up=record is None)
    told: dict[str, object] = {"items": items}
    if options.delimiter:
        told["prefixes"] = prefixes
    return told | {"revision": store.applied_index, "next_cursor": next_cursor}


def _shown(store: StoreFace, options: ListOptions, name: str, record: Record | None) -> bytes:
    """Return an entry of a page as JSON."""
    if record is None:
        return _encode({"prefix": name, "count": count_below(store, options.keys, name)})
    return _encode(item_without_value(name, record) if options.keys_only else item(name, record))
