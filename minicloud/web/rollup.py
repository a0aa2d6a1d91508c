"""Listings by delimiter: keys that go on after one are rolled up into the prefix that they share, as folders are.

With the delimiter ``/`` and the prefix ``users/``, the key ``users/ann`` stands for itself, and all keys that begin with
``users/ops/`` are one entry, ``users/ops/``. A key that equals such a prefix is one of those below it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from attrs import evolve

from minicloud.kv.commands import Record
from minicloud.kv.ranges import KeyRange, end_of_prefix
from minicloud.web.face import StoreFace

Entry: TypeAlias = tuple[str, Record | None]
"""A key and what is stored under it, or a prefix that stands for the keys below it, and None."""


def entries(store: StoreFace, keys: KeyRange, delimiter: str) -> Iterator[Entry]:
    """Go through a range in order, each rolled-up prefix once; without a delimiter (""), each key stands for itself.

    Past a rolled-up prefix, the next entry is searched for anew, in O(log n): how many keys are below it costs nothing.
    The store must not change before the last one is taken.
    """
    rest: KeyRange | None = keys
    while rest is not None:
        rolled_up = None
        for key, record in store.items(rest):
            rolled_up = _rolled_up(key, keys.prefix, delimiter)
            yield (key, record) if rolled_up is None else (rolled_up, None)
            if rolled_up is not None:
                break
        rest = None if rolled_up is None else beyond(keys, rolled_up)


def _rolled_up(key: str, prefix: str, delimiter: str) -> str | None:
    """Return the prefix into which a key is rolled up, None where it stands for itself."""
    place = key.find(delimiter, len(prefix)) if delimiter else -1
    return None if place < 0 else key[: place + len(delimiter)]


def beyond(keys: KeyRange, rolled_up: str) -> KeyRange | None:
    """Return what of a range comes after all keys below a prefix, None where nothing can."""
    end = end_of_prefix(rolled_up)
    return None if end is None else evolve(keys, start=max(keys.start, end))


def count_below(store: StoreFace, keys: KeyRange, rolled_up: str) -> int:
    """Return how many keys of a range a rolled-up prefix stands for, without going through them."""
    return store.count(evolve(keys, prefix=rolled_up))
