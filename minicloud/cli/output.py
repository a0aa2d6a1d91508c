"""Results, on stdout: plain, as JSON, or as a table. Talk goes to stderr."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

import click

UNKNOWN = "-"
"""In the place of what the answering node does not know."""

NORMAL, GOOD, BAD = "", "good", "bad"
"""How a row looks on a terminal."""


def printable(text: str) -> str:
    """Return the text with everything escaped that could play tricks on a terminal."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def cell(value: object) -> str:
    """Return a value as it stands in a table."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    return printable(str(value))


def write_line(text: str) -> None:
    """Write one line of result."""
    click.echo(text)


def write_text(text: str) -> None:
    """Write a part of a line."""
    click.echo(text, nl=False)


def write_lines(lines: Iterable[str]) -> None:
    """Write lines of result, all at once."""
    click.echo("".join(f"{line}\n" for line in lines), nl=False)


def write_json(document: Any) -> None:
    """Write JSON; indented for a person, on one line for a program."""
    click.echo(json.dumps(document, indent=2 if is_terminal() else None))


def write_bytes(value: bytes) -> None:
    """Write exactly these bytes; on a terminal a newline follows, so that the prompt starts on a line of its own."""
    stream = sys.stdout.buffer
    stream.write(value)
    if is_terminal() and not value.endswith(b"\n"):
        stream.write(b"\n")
    stream.flush()


def is_terminal() -> bool:
    """Return whether a person reads stdout."""
    return sys.stdout.isatty()


def list_format(chosen: str | None) -> str:
    """Return the form for several rows: as chosen, else a table for a person and plain text for a program."""
    return chosen or ("table" if is_terminal() else "plain")


def write_rows(
    chosen: str | None,
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    styles: Sequence[str] = (),
    spare: Sequence[str] = (),
) -> None:
    """Write rows under headings: as a table, or, in plain text, with a tab between cells.

    ``styles``: for each row GOOD, BAD or NORMAL. ``spare``: columns that a narrow terminal can do without, the least
    wanted first.
    """
    texts = _texts(rows)
    if list_format(chosen) == "plain":
        write_lines("\t".join(row) for row in [list(columns), *texts])
        return
    from minicloud.cli import screen

    screen.write_table(columns, texts, styles, spare)


def write_page(
    columns: Sequence[str], rows: Sequence[Sequence[object]], widths: Sequence[int], *, heading: bool
) -> list[int]:
    """Write a part of a long table. ``widths``: those of the part before it; returns those of this one."""
    from minicloud.cli import screen

    texts = _texts(rows)
    needed = screen.widths_of(columns, texts)
    widest = [max(pair) for pair in zip(needed, widths, strict=True)] if widths else needed
    screen.write(screen.table(columns, texts, widths=widest, heading=heading))
    return widest


def _texts(rows: Iterable[Sequence[object]]) -> list[list[str]]:
    return [[cell(value) for value in row] for row in rows]


def value_document(key: str, value: bytes, revision: int) -> dict[str, Any]:
    """Return a key as nodes describe it in JSON: text where it is text, else base64."""
    try:
        return {"key": key, "revision": revision, "value": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"key": key, "revision": revision, "value_base64": base64.b64encode(value).decode("ascii")}


def talk(text: str) -> None:
    """Tell the user something that is no result. Where the terminal is gone, there is nobody to tell that either."""
    with suppress(OSError):
        click.echo(text, err=True)


def milliseconds(value: object) -> str:
    """Return a time in milliseconds as a cell."""
    return f"{value} ms" if isinstance(value, int) else UNKNOWN


def duration(seconds: object) -> str:
    """Return an age as a cell, in its two largest units."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 <= seconds < 1e12:
        return UNKNOWN
    minutes, whole_seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    units = ((days, "d"), (hours, "h"), (minutes, "m"), (whole_seconds, "s"))
    first = next((position for position, (count, _unit) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count}{unit}" for count, unit in units[first : first + 2])
