"""GET and HEAD of ``/kv``: the keys in order, page by page, and how many there are.

Each page is a read of its own, as new as it asks for, and shows the store at one revision. The next page may show a
later one: a key that is there all the time comes exactly once.
"""

from __future__ import annotations

from functools import partial

import msgspec
from attrs import frozen
from twisted.internet.defer import Deferred

from minicloud.kv.commands import prefix_problem
from minicloud.kv.ranges import KeyRange
from minicloud.web.answers import NO_STORE, Answer, json_body
from minicloud.web.consistency import CONSISTENCY_PARAMETERS, Consistency, consistency_of, read
from minicloud.web.cursors import key_of_cursor, make_cursor
from minicloud.web.face import NodeFace, StoreFace
from minicloud.web.items import item, item_without_value
from minicloud.web.limits import DEFAULT_PAGE_ITEMS, MAX_LIST_QUERY_BYTES, MAX_PAGE_BYTES, MAX_PAGE_ITEMS
from minicloud.web.problems import bad_parameter
from minicloud.web.query import flag, number, parse_query
from minicloud.web.request import Request

_OF_A_PAGE = ("limit", "keys_only", "cursor")
"""Parameters that mean nothing where keys are only counted."""
_KNOWN = CONSISTENCY_PARAMETERS | {"prefix", "start", "count", *_OF_A_PAGE}

_encode = msgspec.json.Encoder().encode


@frozen
class ListOptions:
    """What the query string of a listing asks for."""

    keys: KeyRange
    limit: int
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
    return KeyRange(prefix, start, key_of_cursor(cursor, prefix) if cursor else None)


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
            items, next_cursor = _page(store, options)
            told = {"items": items, "revision": store.applied_index, "next_cursor": next_cursor}
        return Answer(200, json_body(told), header_lines=NO_STORE + further_lines)


def _page(store: StoreFace, options: ListOptions) -> tuple[list[msgspec.Raw], str | None]:
    """Return the items of a page, each as JSON, and the cursor of the next page (None: there is none).

    The next item is always looked at, so that the last page is known to be the last.
    """
    show = item_without_value if options.keys_only else item
    items: list[msgspec.Raw] = []
    room_bytes, last_key = MAX_PAGE_BYTES, ""
    for key, record in store.items(options.keys):
        # JSON is never shorter than the value in it: what cannot fit need not be encoded to be seen not to.
        least_bytes = 0 if options.keys_only else len(record.value)
        if items and (len(items) == options.limit or least_bytes > room_bytes):
            break
        shown = _encode(show(key, record))
        room_bytes -= len(shown) + len(b",")
        if items and room_bytes < 0:
            break
        items.append(msgspec.Raw(shown))
        last_key = key
    else:
        return items, None
    return items, make_cursor(options.keys.prefix, last_key)
