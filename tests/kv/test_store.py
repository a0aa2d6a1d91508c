import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicloud.kv.commands import Delete, DeleteDone, Precondition, PreconditionFailed, Put, PutDone, Record
from minicloud.kv.store import Store, StoreBuilder

ABSENT = Precondition(exists=False)
PRESENT = Precondition(exists=True)


def at(*revisions):
    return Precondition(revisions=revisions)


def items_of(store):
    view = store.freeze()
    items = view.next_items(1_000_000, 2**40)
    view.close()
    return items


def test_a_put_creates_and_then_replaces():
    store = Store()
    assert store.apply(3, Put("k", b"one")) == PutDone(3, created=True)
    assert store.get("k") == Record(b"one", 3, 3, 1)
    assert store.apply(5, Put("k", b"two")) == PutDone(5, created=False)
    assert store.get("k") == Record(b"two", 5, 3, 2)
    assert len(store) == 1


def test_a_delete_ends_the_life_of_a_key():
    store = Store()
    store.apply(1, Put("k", b"v"))
    assert store.apply(2, Delete("k")) == DeleteDone(2, deleted=True)
    assert store.get("k") is None
    assert store.apply(3, Delete("k")) == DeleteDone(3, deleted=False)
    store.apply(4, Put("k", b"v"))
    assert store.get("k") == Record(b"v", 4, 4, 1)


@pytest.mark.parametrize(
    ("precondition", "on_key_at_7", "on_no_key"),
    [
        (Precondition(), True, True),
        (PRESENT, True, False),
        (ABSENT, False, True),
        (at(7), True, False),
        (at(3, 7), True, False),
        (at(3), False, False),
        (at(), False, False),
        (Precondition(exists=True, revisions=(7,)), True, False),
        (Precondition(exists=False, revisions=(7,)), False, False),
    ],
)
def test_a_precondition_decides_whether_anything_changes(precondition, on_key_at_7, on_no_key):
    for command in (Put("k", b"new", precondition), Delete("k", precondition)):
        store = Store()
        store.apply(7, Put("k", b"old"))
        outcome = store.apply(8, command)
        assert (outcome != PreconditionFailed(7)) == on_key_at_7
        assert (store.get("k") != Record(b"old", 7, 7, 1)) == on_key_at_7

        empty = Store(applied_index=7)
        assert (empty.apply(8, command) != PreconditionFailed(None)) == on_no_key
        assert store.applied_index == empty.applied_index == 8


def test_a_failed_precondition_changes_nothing_but_the_applied_index():
    store, other = Store(), Store()
    store.apply(1, Put("k", b"v"))
    other.apply(1, Put("k", b"v"))
    store.apply(2, Put("k", b"w", ABSENT))
    other.skip(2)
    assert store.digest() == other.digest()


def test_an_entry_is_never_applied_twice_or_out_of_order():
    store = Store()
    store.apply(4, Put("k", b"v"))
    for index in (0, 3, 4):
        with pytest.raises(AssertionError):
            store.apply(index, Put("k", b"w"))
        with pytest.raises(AssertionError):
            store.skip(index)
    assert store.get("k") == Record(b"v", 4, 4, 1)
    store.skip(5)
    assert store.applied_index == 5


def test_bytes_used_counts_keys_as_utf8_and_values():
    store = Store()
    store.apply(1, Put("ключ", b"12345"))
    assert store.bytes_used == 8 + 5
    store.apply(2, Put("ключ", b""))
    assert store.bytes_used == 8
    store.apply(3, Put("a", b"123"))
    store.apply(4, Delete("b"))
    assert store.bytes_used == 8 + 4
    store.apply(5, Delete("ключ"))
    store.apply(6, Delete("a"))
    assert store.bytes_used == 0


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), unique=True))
def test_items_come_in_the_order_of_their_utf8_bytes(keys):
    store = Store()
    for index, key in enumerate(keys, start=1):
        store.apply(index, Put(key, b""))
    listed = [key.encode() for key, _record in items_of(store)]
    assert listed == sorted(key.encode() for key in keys)


def test_the_digest_tells_different_stores_apart():
    def made_of(*commands):
        store = Store()
        for index, command in enumerate(commands, start=1):
            store.apply(index, command)
        return store

    a, b = Put("a", b"1"), Put("b", b"1")
    stores = [
        made_of(),
        made_of(a),
        made_of(b),
        made_of(a, b),
        made_of(b, a),
        made_of(a, a),
        made_of(Delete("a"), a),
        made_of(Put("a1", b"")),
        made_of(Put("a", b"1"), Delete("a")),
    ]
    digests = [store.digest() for store in stores]
    assert len(set(digests)) == len(stores)
    assert digests == [store.digest() for store in stores]


def test_a_restored_store_equals_the_original_and_goes_on_like_it():
    original = Store()
    for index in range(1, 300):
        key = f"key {index * 37 % 100}"
        original.apply(index, Delete(key) if index % 7 == 0 else Put(key, b"v" * index))
    original.skip(1_000_000)
    view, builder = original.freeze(), StoreBuilder()
    while items := view.next_items(7):
        builder.add_items(items)
    restored = builder.finish(view.applied_index)
    assert restored.digest() == original.digest()
    assert (len(restored), restored.bytes_used) == (len(original), original.bytes_used)
    for store in (original, restored):
        store.apply(1_000_001, Put("key 5", b"after"))
    assert restored.digest() == original.digest()


def test_an_empty_store_is_restored_from_no_items():
    assert StoreBuilder().finish(9).digest() == Store(applied_index=9).digest()


@pytest.mark.parametrize("slices", [["ba"], ["aa"], ["b", "a"], ["a", "a"]])
def test_items_out_of_order_are_refused(slices):
    builder = StoreBuilder()
    with pytest.raises(ValueError, match="order"):
        for some_keys in slices:
            builder.add_items([(key, Record(b"", 1, 1, 1)) for key in some_keys])


def test_an_item_newer_than_its_snapshot_is_refused():
    builder = StoreBuilder()
    builder.add_items([("a", Record(b"", 6, 1, 2)), ("b", Record(b"", 2, 2, 1))])
    with pytest.raises(ValueError, match="at 5 with an item of revision 6"):
        builder.finish(5)
