"""GET /kv with a delimiter: keys rolled up into the prefixes that they share, page by page."""

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import gatherResults

from minicloud.kv.commands import Put
from minicloud.kv.ranges import KeyRange
from minicloud.kv.store import Store
from minicloud.web.limits import MAX_PAGE_BYTES
from minicloud.web.rollup import count_below, entries

TIME_LIMIT_S = 30.0

KEYS = [
    "a",
    "a/",
    "a/1",
    "a/2",
    "a//x",
    "a/b/1",
    "a0",
    "b/c/d/e",
    "/",
    "/x",
    "//",
    "ключ/1",
    "ключ/2",
    "\U0010ffff/\U0010ffff",
]


def fill(world, keys):
    done = []
    gatherResults([world.node().propose(Put(key, b"v"), TIME_LIMIT_S) for key in keys]).addBoth(done.append)
    world.cluster.until(lambda: done)
    assert len(done[0]) == len(keys)


def page(world, node="leader", flags="&keys_only", **parameters):
    query = "&".join(f"{name}={quote(str(text), safe='')}" for name, text in {"delimiter": "/", **parameters}.items())
    response = world.ask("GET", f"/kv?{query}{flags}", node=node)
    assert response.code == 200, response
    return response.json


def shown(found):
    """Return the entries of a page in key order: (key, None) or (prefix, count)."""
    items = [(item["key"], None) for item in found["items"]]
    return sorted(items + [(entry["prefix"], entry["count"]) for entry in found["prefixes"]], key=lambda e: e[0])


def walk(world, node="leader", between=lambda: None, **parameters):
    found = page(world, node, **parameters)
    told = shown(found)
    while found["next_cursor"] is not None:
        between()
        found = page(world, node, cursor=found["next_cursor"], **parameters)
        assert shown(found)[0][0] > told[-1][0], "pages are in the order of keys"
        told += shown(found)
    return told


def expected(keys, prefix="", delimiter="/", start=""):
    """Return what a listing holds, by going through all keys."""
    told = {}
    for key in sorted(key for key in keys if key.startswith(prefix) and key >= start):
        head, mark, _rest = key[len(prefix) :].partition(delimiter)
        name = prefix + head + mark
        told[name] = told.get(name, 0) + 1 if mark else None
    return list(told.items())


@pytest.fixture
def odd_world(world):
    fill(world, KEYS)
    return world


def test_what_goes_on_after_the_delimiter_is_rolled_up(odd_world, node):
    found = page(odd_world, node, prefix="a", flags="")
    assert [item["key"] for item in found["items"]] == ["a", "a0"]
    assert found["items"][0]["value"] == "v"
    assert found["prefixes"] == [{"prefix": "a/", "count": 5}]
    assert found["revision"] == odd_world.revision()
    assert found["next_cursor"] is None
    assert list(found) == ["items", "prefixes", "revision", "next_cursor"]


def test_without_a_delimiter_there_are_no_prefixes(odd_world):
    assert list(odd_world.ask("GET", "/kv").json) == ["items", "revision", "next_cursor"]


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_every_key_is_reached_and_every_folder_is_whatever_the_pages(odd_world, limit, node):
    """Empty segments, and keys that are named as folders are, included."""
    waiting, keys = [""], []
    while waiting:
        prefix = waiting.pop()
        told = walk(odd_world, node, prefix=prefix, limit=limit)
        assert told == expected(KEYS, prefix)
        keys += [name for name, count in told if count is None]
        waiting += [name for name, count in told if count is not None]
    assert sorted(keys) == sorted(KEYS)


def test_start_holds_and_counts_tell_of_what_comes_from_there_on(odd_world):
    assert walk(odd_world, start="a/2", limit=1) == expected(KEYS, start="a/2")
    assert ("a/", 2) in walk(odd_world, start="a/2")


@pytest.mark.parametrize("delimiter", ["1", "//", "ключ", "/\U0010ffff", "\U0010ffff"])
def test_other_delimiters_work_as_well(odd_world, delimiter):
    assert walk(odd_world, delimiter=delimiter, limit=1) == expected(KEYS, delimiter=delimiter)


def test_a_cursor_after_a_prefix_goes_on_after_all_that_has_come_and_gone_below(world, node):
    fill(world, ["a/1", "b", "c/1"])
    cursor = page(world, node, limit=1)["next_cursor"]
    assert quote(cursor, safe="") == cursor
    fill(world, ["a/0", "a/2", "a0"])
    assert shown(page(world, node, limit=2, cursor=cursor)) == [("a0", None), ("b", None)]


def test_the_limit_counts_items_and_prefixes(world):
    fill(world, [f"{n:03}/{part}" for n in range(150) for part in "xy"] + [f"{n:03}" for n in range(50)])
    found = page(world)
    assert len(found["items"]) + len(found["prefixes"]) == 100
    assert found["prefixes"][0] == {"prefix": "000/", "count": 2}


def test_a_thousand_of_the_longest_prefixes_fit_a_page(scripted):
    scripted.put("x")
    records = scripted.cluster.store.records
    record = records.pop("x")
    for n in range(1000):
        records[f"{n:03}" + '"' * 1019 + "/x"] = record
    response = scripted.ask("GET", "/kv?delimiter=/&limit=1000")
    assert len(response.json["prefixes"]) == 1000
    assert len(response.body) < MAX_PAGE_BYTES


class CountingStore:
    """A store that counts what is taken of it."""

    def __init__(self, keys):
        self.store = Store()
        for index, key in enumerate(keys, start=1):
            self.store.apply(index, Put(key, b""))
        self.applied_index = self.store.applied_index
        self.taken = 0

    def get(self, key):
        return self.store.get(key)

    def count(self, keys):
        return self.store.count(keys)

    def items(self, keys):
        for entry in self.store.items(keys):
            self.taken += 1
            yield entry


def test_the_cost_grows_with_the_page_and_not_with_the_keys_below_a_prefix():
    store = CountingStore([f"{folder}/{n:04}" for folder in "abc" for n in range(3000)] + ["d"])
    told = [(name, record and record.version) for name, record in entries(store, KeyRange(), "/")]
    assert told == [("a/", None), ("b/", None), ("c/", None), ("d", 1)]
    assert store.taken == 4
    assert count_below(store, KeyRange(), "b/") == 3000
    assert store.taken == 4


@given(
    keys=st.sets(st.text("ab/\U0010ffff", min_size=1, max_size=6), max_size=30),
    prefix=st.text("ab/\U0010ffff", max_size=3),
    start=st.text("ab/\U0010ffff", max_size=3),
    delimiter=st.text("ab/\U0010ffff", min_size=1, max_size=2),
)
@settings(max_examples=200, deadline=None)
def test_rolling_up_is_what_going_through_all_keys_gives(keys, prefix, start, delimiter):
    store, keys_asked = CountingStore(keys), KeyRange(prefix, start)
    told = [
        (name, count_below(store, keys_asked, name) if record is None else None)
        for name, record in entries(store, keys_asked, delimiter)
    ]
    assert told == expected(keys, prefix, delimiter, start)
