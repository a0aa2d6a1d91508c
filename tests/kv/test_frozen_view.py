import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from minicloud.kv.commands import Delete, Precondition, Put, Record
from minicloud.kv.store import ITEM_OVERHEAD_BYTES, MAX_SLICE_BYTES, Store, StoreBuilder
from minicloud.wire.limits import MAX_LINE_BYTES
from minicloud.wire.snapshots import encode_items


def store_of(*keys):
    store = Store()
    for index, key in enumerate(keys, start=1):
        store.apply(index, Put(key, b"old"))
    return store


def keys_of(items):
    return "".join(key for key, _record in items)


def rest_of(view):
    items = []
    while some := view.next_items(2):
        items += some
    return items


class Counting(dict):
    """Stands in for the records of a store, to tell what a freeze touches."""

    def __getattribute__(self, name):
        if name not in ("__class__", "__len__"):
            raise AssertionError(f"a freeze used {name}")
        return super().__getattribute__(name)


def test_a_freeze_touches_no_record():
    records = Counting(a=1, b=2)
    view = Store(7, 42, records).freeze()
    assert (view.applied_index, view.count, view.bytes_used) == (7, 2, 42)


def test_a_view_does_not_see_what_is_created_replaced_or_deleted_after_it():
    store = store_of(*"bdfh")
    view = store.freeze()
    index = 10
    for command in [Put("a", b"x"), Put("b", b"x"), Delete("d"), Put("e", b"x"), Delete("h"), Put("z", b"x")]:
        store.apply(index := index + 1, command)
    assert rest_of(view) == [(key, Record(b"old", index, index, 1)) for index, key in enumerate("bdfh", start=1)]
    assert view.applied_index == view.count == 4


def test_a_view_keeps_the_first_of_several_old_records():
    store = store_of("a")
    view = store.freeze()
    for index, command in enumerate([Put("a", b"1"), Delete("a"), Put("a", b"2"), Delete("a")], start=2):
        store.apply(index, command)
    assert rest_of(view) == [("a", Record(b"old", 1, 1, 1))]


def test_a_newcomer_that_goes_again_stays_unseen():
    store = store_of("b")
    view = store.freeze()
    for index, command in enumerate([Put("a", b"1"), Delete("a"), Put("a", b"2"), Put("c", b""), Delete("c")], start=2):
        store.apply(index, command)
    assert keys_of(rest_of(view)) == "b"


def test_what_happens_behind_the_position_of_a_view_costs_it_nothing():
    store = store_of(*"abcd")
    view = store.freeze()
    assert keys_of(view.next_items(2)) == "ab"
    store.apply(5, Delete("a"))
    store.apply(6, Put("b", b"x"))
    store.apply(7, Put("aa", b"x"))
    assert (len(view._kept), len(view._newcomers)) == (0, 0)
    assert keys_of(rest_of(view)) == "cd"


def test_what_a_view_has_returned_it_keeps_no_longer():
    store = store_of(*"abcd")
    view = store.freeze()
    for index, key in enumerate("abcd", start=5):
        store.apply(index, Delete(key))
    assert keys_of(view.next_items(3)) == "abc"
    assert list(view._kept) == ["d"]


def test_a_failed_precondition_or_an_empty_delete_leaves_nothing_with_a_view():
    store = store_of("a")
    view = store.freeze()
    store.apply(2, Put("a", b"x", Precondition(exists=False)))
    store.apply(3, Delete("b"))
    assert (len(view._kept), len(view._newcomers)) == (0, 0)


def test_several_views_each_keep_their_own_moment():
    store = store_of(*"ab")
    first = store.freeze()
    store.apply(3, Put("c", b"new"))
    second = store.freeze()
    store.apply(4, Delete("a"))
    third = store.freeze()
    assert [keys_of(rest_of(view)) for view in (third, first, second)] == ["bc", "ab", "abc"]


def test_a_view_at_its_end_or_closed_makes_no_more_work():
    store = store_of(*"ab")
    read, closed = store.freeze(), store.freeze()
    rest_of(read)
    closed.close()
    closed.close()
    store.apply(3, Delete("a"))
    assert store._views == []
    assert read.next_items(1) == read.next_items(1) == []
    assert (len(closed._kept), len(read._kept)) == (0, 0)


def test_a_view_closed_before_its_end_is_not_taken_for_a_whole_one():
    view = store_of("a").freeze()
    view.close()
    with pytest.raises(AssertionError):
        view.next_items(1)


def test_a_slice_is_bounded_by_number_and_by_bytes():
    store = Store()
    for index, key in enumerate("abcde", start=1):
        store.apply(index, Put(key, b"x" * 99))
    view = store.freeze()
    two_items = 2 * (100 + ITEM_OVERHEAD_BYTES)
    assert keys_of(view.next_items(1, two_items)) == "a"
    assert keys_of(view.next_items(9, two_items)) == "bc"
    assert keys_of(view.next_items(9, 1)) == "d", "one item always goes, or there would be no end"
    assert keys_of(view.next_items(9, two_items)) == "e"
    assert view.next_items(9, two_items) == []
    with pytest.raises(AssertionError):
        view.next_items(0)


def test_a_slice_skips_newcomers_but_is_never_empty_before_the_end():
    store = store_of("a", "z")
    view = store.freeze()
    for index in range(3, 1000):
        store.apply(index, Put(f"m{index}", b""))
    assert [keys_of(view.next_items(1)) for _ in range(3)] == ["a", "z", ""]


@pytest.mark.parametrize("key", ['"' * 1024, "k"])
def test_a_slice_fits_into_one_payload_of_a_snapshot_however_small_or_clumsy_its_items(key):
    item = (key, Record(b"", 2**63 - 1, 2**63 - 1, 2**63 - 1))
    most = MAX_SLICE_BYTES // (len(key) + ITEM_OVERHEAD_BYTES)
    assert len(encode_items([item] * most)) < MAX_LINE_BYTES


SOME_KEYS = st.sampled_from([f"{letter}{number}" for letter in "aé" for number in range(6)])
SOME_VALUES = st.binary(max_size=3)


class StoreAgainstDict(RuleBasedStateMachine):
    """The store and its views against a plain dict, and copies of that dict."""

    def __init__(self):
        super().__init__()
        self.store = Store()
        self.model = {}
        self.index = 0
        self.views = []

    @rule(key=SOME_KEYS, value=SOME_VALUES, gap=st.integers(1, 3))
    def put(self, key, value, gap):
        self.index += gap
        old = self.model.get(key)
        outcome = self.store.apply(self.index, Put(key, value))
        assert outcome.created == (old is None)
        created, version = (self.index, 1) if old is None else (old.create_revision, old.version + 1)
        self.model[key] = Record(value, self.index, created, version)

    @rule(key=SOME_KEYS)
    def delete(self, key):
        self.index += 1
        outcome = self.store.apply(self.index, Delete(key))
        assert outcome.deleted == (self.model.pop(key, None) is not None)

    @rule(key=SOME_KEYS, value=SOME_VALUES, exists=st.booleans())
    def put_if(self, key, value, exists):
        if exists == (key in self.model):
            self.put(key, value, 1)
            return
        self.index += 1
        old = self.model.get(key)
        outcome = self.store.apply(self.index, Put(key, value, Precondition(exists)))
        assert outcome.current_revision == (None if old is None else old.revision)

    @rule()
    def freeze(self):
        self.views.append((self.store.freeze(), sorted(self.model.items()), []))

    @precondition(lambda self: self.views)
    @rule(data=st.data(), limit=st.integers(1, 4), max_bytes=st.integers(1, 300))
    def read_on(self, data, limit, max_bytes):
        number = data.draw(st.integers(0, len(self.views) - 1))
        view, expected, seen = self.views[number]
        items = view.next_items(limit, max_bytes)
        seen += items
        assert len(items) <= limit
        assert seen == expected[: len(seen)]
        if not items:
            assert seen == expected
            del self.views[number]

    @precondition(lambda self: self.views)
    @rule()
    def close(self):
        view, _expected, _seen = self.views.pop()
        view.close()

    @rule()
    def restore(self):
        view, builder = self.store.freeze(), StoreBuilder()
        while items := view.next_items(3):
            builder.add_items(items)
        restored = builder.finish(self.index)
        assert restored.digest() == self.store.digest()
        assert restored.bytes_used == self.store.bytes_used

    @rule()
    def go_on_from_a_snapshot(self):
        """The store is replaced; views of the old one stand."""
        builder = StoreBuilder()
        builder.add_items(sorted(self.model.items()))
        self.store = builder.finish(self.index)

    @invariant()
    def all_is_as_in_the_dict(self):
        assert len(self.store) == len(self.model)
        assert all(self.store.get(key) == record for key, record in self.model.items())
        assert self.store.bytes_used == sum(len(k.encode()) + len(r.value) for k, r in self.model.items())
        assert self.store.applied_index == self.index

    def teardown(self):
        for view, expected, seen in self.views:
            assert seen + rest_of(view) == expected


TestStoreAgainstDict = StoreAgainstDict.TestCase
TestStoreAgainstDict.settings = settings(max_examples=300, stateful_step_count=40)
