"""The ordered store, views of it that stand still while it goes on changing, and building one from a snapshot.

Copy on write: ``Store.freeze`` copies nothing. While a view is open, each change of a key that the view has not passed
yet first leaves the old record with the view; the view reads the store's own records, and its kept ones where they
differ. A freeze costs the same for ten keys and for ten million, and a change costs the same with a view as without,
but for keeping one reference.

Records are held as plain tuples. Of a tuple of bytes and numbers the garbage collector takes notice only once; a
million instances of a class it goes through at every full collection, while the reactor stands still for 300 ms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from attrs import define, field
from sortedcontainers import SortedDict

from minicloud.kv.commands import (
    ALWAYS,
    Command,
    DeleteDone,
    Outcome,
    Precondition,
    PreconditionFailed,
    Put,
    PutDone,
    Record,
)
from minicloud.kv.ranges import KeyRange

MAX_SLICE_BYTES = 1024 * 1024
"""Keys and values that ``FrozenView.next_items`` returns at once: encoding them takes a few milliseconds at most."""

ITEM_OVERHEAD_BYTES = 64
"""What an item counts beside its key and value: three numbers and punctuation, once it is written down."""

_Held: TypeAlias = tuple[bytes, int, int, int]
"""The fields of a Record, in its order."""


@define(eq=False)
class Store:
    """All keys, as they are after the log's entries up to ``applied_index``, in the order of their UTF-8 bytes."""

    applied_index: int = 0
    """Index of the newest entry that was applied or skipped. Only grows."""
    bytes_used: int = 0
    """Bytes of all keys (as UTF-8) and values together."""
    _records: SortedDict = field(factory=SortedDict)
    """Of key to _Held."""
    _views: list[FrozenView] = field(factory=list, init=False)

    def __len__(self) -> int:
        """Return the number of keys."""
        return len(self._records)

    def get(self, key: str) -> Record | None:
        """Return what the store holds of that key, or None."""
        held: _Held | None = self._records.get(key)
        return None if held is None else Record(*held)

    def items(self, keys: KeyRange) -> Iterator[tuple[str, Record]]:
        """Go through a range, in order: a step for each item taken, after a search in O(log n) for the first.

        The store must not change before the last one is taken.
        """
        for key in self._records.irange(keys.first, keys.end, inclusive=(keys.includes_first, False)):
            yield key, Record(*self._records[key])

    def count(self, keys: KeyRange) -> int:
        """Return the number of keys in a range, in O(log n), without going through them.

        After many inserts, sortedcontainers makes its table of positions anew once: a step for each thousand keys.
        """
        search = self._records.bisect_left if keys.includes_first else self._records.bisect_right
        first: int = search(keys.first)
        end: int = len(self._records) if keys.end is None else self._records.bisect_left(keys.end)
        return max(0, end - first)

    def apply(self, index: int, command: Command) -> Outcome:
        """Apply a committed command.

        Args:
            index: of its entry, beyond every one applied or skipped before; the revision of what it writes.
            command: a valid one; equal commands at equal indexes make equal stores.
        """
        self.skip(index)
        old: _Held | None = self._records.get(command.key)
        revision = None if old is None else old[1]
        if not _holds(command.precondition, revision):
            return PreconditionFailed(revision)
        if isinstance(command, Put):
            return self._put(index, command, old)
        return self._delete(index, command.key, old)

    def skip(self, index: int) -> None:
        """Pass an entry that holds no command (a no-op, a configuration)."""
        assert index > self.applied_index, f"entry {index} comes after {self.applied_index} was applied"
        self.applied_index = index

    def freeze(self) -> FrozenView:
        """Return a view of the store as it is now. Close it, or read it to its end: until then it makes work."""
        view = FrozenView(self.applied_index, len(self._records), self.bytes_used, self._records, self._views)
        self._views.append(view)
        return view

    def digest(self) -> str:
        """Return a hash of the whole state and ``applied_index``: equal exactly for equal stores. Reads every key."""
        state = hashlib.sha256(b"%d" % self.applied_index)
        for key, (value, *numbers) in self._records.items():
            name = key.encode("utf-8")
            state.update(b"|%d,%d,%d,%d,%d:" % (len(name), len(value), *numbers) + name + value)
        return state.hexdigest()

    def _put(self, index: int, command: Put, old: _Held | None) -> PutDone:
        self._leave_with_views(command.key, old)
        if old is None:
            self._records[command.key] = (command.value, index, index, 1)
            self.bytes_used += len(command.key.encode("utf-8")) + len(command.value)
            return PutDone(index, created=True)
        old_value, _revision, create_revision, version = old
        self._records[command.key] = (command.value, index, create_revision, version + 1)
        self.bytes_used += len(command.value) - len(old_value)
        return PutDone(index, created=False)

    def _delete(self, index: int, key: str, old: _Held | None) -> DeleteDone:
        if old is None:
            return DeleteDone(index, deleted=False)
        self._leave_with_views(key, old)
        del self._records[key]
        self.bytes_used -= len(key.encode("utf-8")) + len(old[0])
        return DeleteDone(index, deleted=True)

    def _leave_with_views(self, key: str, old: _Held | None) -> None:
        """Before a key changes: give its record to the views that will still come by it."""
        for view in self._views:
            view.keep(key, old)


@define(eq=False)
class FrozenView:
    """The store as it was at one moment, read once from the first key to the last. ``Store.freeze`` makes it."""

    applied_index: int
    """The store's, at that moment."""
    count: int
    """Number of keys at that moment."""
    bytes_used: int
    """Bytes of keys and values at that moment."""
    _records: SortedDict
    """The store's own: newer than this view wherever ``_kept`` or ``_newcomers`` know the key."""
    _open_views: list[FrozenView]
    """The store's list of those that want to hear of changes."""
    _passed: str | None = field(default=None, init=False)
    """The last key returned: what happens to keys up to here does not matter any more."""
    _kept: SortedDict = field(factory=SortedDict, init=False)
    """Records of this view, by key, that have changed or gone since. Each key is beyond ``_passed``."""
    _newcomers: set[str] = field(factory=set, init=False)
    """Keys that did not exist at that moment and have been written since."""
    _at_end: bool = field(default=False, init=False)

    def next_items(self, limit: int, max_bytes: int = MAX_SLICE_BYTES) -> list[tuple[str, Record]]:
        """Return the next items in key order; an empty list at the end, at which the view closes by itself.

        Args:
            limit: how many items at most, from 1.
            max_bytes: of keys, values and ITEM_OVERHEAD_BYTES each; only a single item may be larger.
        """
        assert limit >= 1
        if self._at_end:
            return []
        assert self in self._open_views, "a view that was closed before its end cannot be read on"
        items: list[tuple[str, Record]] = []
        room = max_bytes
        for key in self._keys():
            held: _Held = self._kept[key] if key in self._kept else self._records[key]
            room -= len(key.encode("utf-8")) + len(held[0]) + ITEM_OVERHEAD_BYTES
            if items and room < 0:
                break
            items.append((key, Record(*held)))
            if len(items) == limit:
                break
        self._pass(items)
        return items

    def close(self) -> None:
        """Keep nothing any more. Closing twice does no harm."""
        if self in self._open_views:
            self._open_views.remove(self)
        self._kept.clear()
        self._newcomers.clear()

    def keep(self, key: str, old: _Held | None) -> None:
        """Take what the store holds of a key, None for nothing, before it changes that. For the store alone to call."""
        if (self._passed is not None and key <= self._passed) or key in self._kept or key in self._newcomers:
            return
        if old is None:
            self._newcomers.add(key)
        else:
            self._kept[key] = old

    def _keys(self) -> Iterator[str]:
        """Go through this view's keys beyond ``_passed``: the store's without the newcomers, and those gone since."""
        kept = iter(self._kept)
        next_kept: str | None = next(kept, None)
        for key in self._records.irange(self._passed, inclusive=(False, True)):
            while next_kept is not None and next_kept < key:
                yield next_kept
                next_kept = next(kept, None)
            if next_kept == key:
                next_kept = next(kept, None)
            if key not in self._newcomers:
                yield key
        if next_kept is not None:
            yield next_kept
            yield from kept

    def _pass(self, items: Sequence[tuple[str, Record]]) -> None:
        if not items:
            self._at_end = True
            self.close()
            return
        self._passed = items[-1][0]
        if self._kept:
            for key, _record in items:
                self._kept.pop(key, None)


@define
class StoreBuilder:
    """Makes a store of a snapshot's items, in slices small enough for the reactor."""

    _records: SortedDict = field(factory=SortedDict, init=False)
    _bytes_used: int = field(default=0, init=False)
    _last_key: str | None = field(default=None, init=False)
    _last_revision: int = field(default=0, init=False)

    def add_items(self, items: Sequence[tuple[str, Record]]) -> None:
        """Add the next items.

        Raises:
            ValueError: they do not come in key order, each key once, so they are no part of the same snapshot.
        """
        for key, record in items:
            if self._last_key is not None and key <= self._last_key:
                raise ValueError("the items of the snapshot are not in key order")
            self._last_key = key
            self._last_revision = max(self._last_revision, record.revision)
            self._records[key] = (record.value, record.revision, record.create_revision, record.version)
            self._bytes_used += len(key.encode("utf-8")) + len(record.value)

    def finish(self, applied_index: int) -> Store:
        """Return the store. The builder must not be used after that.

        Args:
            applied_index: of the snapshot.

        Raises:
            ValueError: some item was written after that.
        """
        if self._last_revision > applied_index:
            raise ValueError(f"a snapshot at {applied_index} with an item of revision {self._last_revision}")
        return Store(applied_index, self._bytes_used, self._records)


def _holds(precondition: Precondition, revision: int | None) -> bool:
    """Return whether the precondition is true of a key at that revision, None where it does not exist."""
    if precondition is ALWAYS:
        return True
    if precondition.exists is not None and precondition.exists != (revision is not None):
        return False
    return precondition.revisions is None or revision in precondition.revisions
