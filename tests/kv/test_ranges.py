"""Ordered listings: against a sorted list, and what they cost, counted in looks at keys."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicloud.kv.commands import MAX_KEY_BYTES, Delete, Put, Record, prefix_problem
from minicloud.kv.ranges import KeyRange, end_of_prefix
from minicloud.kv.store import Store

EDGES = "a/b~é\ud7ff\ue000\uffff\U00010000\U0010fffe\U0010ffff"
"""Characters of one to four bytes, and those beside the surrogates and at the end, where a wrong bound shows."""

few_texts = st.text(st.sampled_from(EDGES), max_size=4)
any_text = st.text(st.characters(codec="utf-8"), max_size=4)
texts = few_texts | any_text


def store_of(keys):
    store = Store()
    for index, key in enumerate(keys, start=1):
        store.apply(index, Put(key, key.encode()))
    return store


def expected(keys, prefix="", start="", after=None):
    """The dumb version, on bytes: every key is looked at."""
    raw = [key.encode() for key in keys]
    chosen = [key for key in raw if key.startswith(prefix.encode()) and key >= start.encode()]
    return [key.decode() for key in sorted(chosen) if after is None or key > after.encode()]


def listed(store, *args):
    return [key for key, _record in store.items(KeyRange(*args))]


@given(st.sets(texts.filter(bool), max_size=30), texts, texts, st.none() | texts.filter(bool))
def test_a_range_is_what_a_sorted_list_of_bytes_says(keys, prefix, start, after):
    store = store_of(sorted(keys, reverse=True))
    assert listed(store, prefix, start, after) == expected(keys, prefix, start, after)
    assert store.count(KeyRange(prefix, start, after)) == len(expected(keys, prefix, start, after))


@given(st.lists(st.tuples(st.booleans(), few_texts.filter(bool)), max_size=60), few_texts)
def test_ranges_follow_puts_and_deletes(changes, prefix):
    store, keys = Store(), set()
    for index, (deletes, key) in enumerate(changes, start=1):
        store.apply(index, Delete(key) if deletes else Put(key, b""))
        keys = keys - {key} if deletes else keys | {key}
        assert store.count(KeyRange(prefix)) == len(expected(keys, prefix))
    assert listed(store, prefix) == expected(keys, prefix)


def test_every_short_prefix_over_the_edges_is_bounded_exactly():
    keys = ["".join(key) for length in (1, 2, 3) for key in itertools.product(EDGES, repeat=length)]
    store = store_of(keys)
    for prefix in ["", *(key for key in keys if len(key) < 3)]:
        assert listed(store, prefix) == expected(keys, prefix)
        assert store.count(KeyRange(prefix)) == len(expected(keys, prefix))


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("", None),
        ("a", "b"),
        ("users/", "users0"),
        ("a\U0010ffff", "b"),
        ("a\U0010ffff\U0010ffff", "b"),
        ("\U0010ffff", None),
        ("\U0010ffff\U0010ffff", None),
        ("\uffff", "\U00010000"),
        ("\ud7ff", "\ud800"),
    ],
)
def test_the_end_of_a_prefix(prefix, end):
    assert end_of_prefix(prefix) == end


def test_an_item_is_what_get_returns():
    store = Store()
    store.apply(3, Put("k", b"one"))
    store.apply(7, Put("k", b"two"))
    assert list(store.items(KeyRange())) == [("k", Record(b"two", 7, 3, 2))] == [("k", store.get("k"))]


def test_a_start_or_a_cursor_before_the_prefix_changes_nothing():
    store = store_of(["a", "b1", "b2", "c"])
    assert listed(store, "b", "a", "a") == ["b1", "b2"]
    assert listed(store, "b", "b2") == ["b2"]
    assert listed(store, "b", "b1", "b1") == ["b2"]
    assert listed(store, "b", "c") == []
    assert store.count(KeyRange("b", "c")) == 0


@pytest.mark.parametrize("text", ["", "a", "ключ", "k" * MAX_KEY_BYTES, "\U0010ffff", "\u00a0"])
def test_what_keys_can_begin_with_is_a_prefix(text):
    assert prefix_problem("prefix", text) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("k" * 1025, "prefix has at most 1024 bytes, as keys have; this one has 1025"),
        ("ю" * 513, "this one has 1026"),
        ("a\n", "no control characters, this one has U+000A at character 1"),
        ("\x7f", "U+007F"),
        ("\x85", "U+0085"),
    ],
)
def test_what_no_key_can_begin_with_is_no_prefix(text, message):
    assert message in prefix_problem("prefix", text)


# What it costs


class WatchedKey(str):
    """A key that counts how often it is compared."""

    looks = 0

    def __lt__(self, other):
        WatchedKey.looks += 1
        return str.__lt__(self, other)

    def __gt__(self, other):
        WatchedKey.looks += 1
        return str.__gt__(self, other)


def looks_of(call):
    WatchedKey.looks = 0
    result = call()
    return result, WatchedKey.looks


@pytest.fixture(scope="module")
def stores():
    """A small and a large store, of keys that count."""
    return [store_of([WatchedKey(f"key/{n:06}") for n in range(0, size * 2, 2)]) for size in (500, 16_000)]


def taken(store, keys, limit):
    """Take that many items of a range, counting those that the ordered keys gave out for it."""
    given_out, irange = [], store._records.irange

    def counting(*args, **options):
        for key in irange(*args, **options):
            given_out.append(key)
            yield key

    store._records.irange = counting
    try:
        return list(itertools.islice(store.items(keys), limit)), len(given_out)
    finally:
        store._records.irange = irange


@pytest.mark.parametrize("keys", [KeyRange(), KeyRange("key/", "key/000399"), KeyRange("key/", "", "key/000400")])
def test_a_page_costs_the_same_in_a_large_store(stores, keys):
    looks = []
    for store in stores:
        (items, given_out), count = looks_of(lambda store=store: taken(store, keys, 50))
        assert len(items) == given_out == 50
        looks.append(count)
    small, large = looks
    # 32 times the keys are five more halvings, for each end of the range.
    assert large <= small + 2 * 5
    assert large < 50


@pytest.mark.parametrize("keys", [KeyRange("key/"), KeyRange("key/0001"), KeyRange("", "key/000500"), KeyRange("zzz")])
def test_counting_goes_through_no_keys(stores, keys):
    looks = []
    for store in stores:
        store._records.irange = None
        try:
            count, seen = looks_of(lambda store=store: store.count(keys))
        finally:
            store._records.irange = store._records._list.irange
        assert count == len(expected([str(key) for key in store._records], keys.prefix, keys.start))
        looks.append(seen)
    small, large = looks
    assert large <= small + 2 * 5
    assert large < 50
