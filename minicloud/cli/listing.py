"""Writes a listing page by page, so that the first keys are there at once and a million of them need no memory."""

from __future__ import annotations

import json
from typing import Any, Protocol

from attrs import define

from minicloud.cli import output
from minicloud.client import Item, Page

LONGEST_PREVIEW = 60
"""Characters of a value that a table shows."""

_OPENING = '{"items": [\n'

_COLUMNS = ("key", "revision", "version", "bytes")


class _Form(Protocol):
    """One way of writing items."""

    def write(self, items: tuple[Item, ...]) -> None: ...

    def end(self, revision: int) -> None: ...


@define
class Listing:
    """A listing on its way to stdout."""

    _form: _Form
    count: int = 0
    """Keys written."""
    more: bool = False
    """Whether there are keys beyond those."""
    _revision: int = 0

    def add(self, page: Page, limit: int | None) -> None:
        """Write a page, but not more than ``limit`` keys in all."""
        items = page.items if limit is None else page.items[: limit - self.count]
        self.count += len(items)
        self.more = bool(page.next_cursor) or len(items) < len(page.items)
        self._revision = page.revision
        self._form.write(items)

    def end(self) -> None:
        """Write what stands at the end."""
        self._form.end(self._revision)


def listing(chosen: str | None, values: bool) -> Listing:
    """Return a listing in the form that the user has chosen."""
    form = output.list_format(chosen)
    if form == "json":
        return Listing(_Json())
    return Listing(_Table(values) if form == "table" else _Plain(values))


class _Plain:
    def __init__(self, values: bool) -> None:
        self._values = values

    def write(self, items: tuple[Item, ...]) -> None:
        # A program gets each key as it is, so that it can ask for it; a terminal must not be played tricks on.
        if output.is_terminal():
            output.write_lines(self._line(output.printable(item.key), item) for item in items)
        else:
            text = "".join(f"{self._line(item.key, item)}\n" for item in items)
            # In UTF-8 whatever the code page: another one may not have the characters of a key.
            output.write_bytes(text.encode("utf-8", "backslashreplace"))

    def _line(self, key: str, item: Item) -> str:
        return f"{key}\t{_one_line(item)}" if self._values else key

    def end(self, revision: int) -> None:
        pass


class _Table:
    def __init__(self, values: bool) -> None:
        self._values = values
        self._widths: list[int] = []
        self._heading = True

    def write(self, items: tuple[Item, ...]) -> None:
        rows = [
            (item.key, item.revision, item.version, item.size_bytes) + ((_preview(item),) if self._values else ())
            for item in items
        ]
        columns = (*_COLUMNS, *(("value",) if self._values else ()))
        if rows:
            self._widths = output.write_page(columns, rows, self._widths, heading=self._heading)
            self._heading = False

    def end(self, revision: int) -> None:
        pass


class _Json:
    """One document, with an item on each line, written as the pages come."""

    def __init__(self) -> None:
        self._begun = False

    def write(self, items: tuple[Item, ...]) -> None:
        if items:
            written = ",\n".join(json.dumps(_document(item)) for item in items)
            output.write_text((",\n" if self._begun else _OPENING) + written)
            self._begun = True

    def end(self, revision: int) -> None:
        opening = "" if self._begun else _OPENING
        output.write_line(f'{opening}\n], "revision": {revision}}}')


def _document(item: Item) -> dict[str, Any]:
    known = {
        "key": item.key,
        "revision": item.revision,
        "create_revision": item.create_revision,
        "version": item.version,
        "size_bytes": item.size_bytes,
    }
    return known if item.value is None else output.value_document(item.key, item.value, item.revision) | known


def _one_line(item: Item) -> str:
    return output.printable((item.value or b"").decode("utf-8", "backslashreplace"))


def _preview(item: Item) -> str:
    text = _one_line(item)
    return text if len(text) <= LONGEST_PREVIEW else text[: LONGEST_PREVIEW - 3] + "..."
