"""Results, on stdout: plain, as JSON, or as a table. Talk goes to stderr."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import click

GAP = "  "
"""Between the columns of a table."""

UNKNOWN = "-"
"""In the place of what the answering node does not know."""


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


def write_json(document: Any) -> None:
    """Write JSON; indented for a person, on one line for a program."""
    click.echo(json.dumps(document, indent=2 if sys.stdout.isatty() else None))


def write_bytes(value: bytes) -> None:
    """Write exactly these bytes; on a terminal a newline follows, so that the prompt starts on a line of its own."""
    stream = sys.stdout.buffer
    stream.write(value)
    if sys.stdout.isatty() and not value.endswith(b"\n"):
        stream.write(b"\n")
    stream.flush()


def write_rows(output: str | None, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows as a table with headings, or, where ``output`` is plain, with tabs between and nothing else."""
    texts = [[cell(value) for value in row] for row in rows]
    if output == "plain":
        for row in texts:
            click.echo("\t".join(row))
        return
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    for row in [list(columns), *texts]:
        click.echo(GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def value_document(key: str, value: bytes, revision: int) -> dict[str, Any]:
    """Return a key as nodes describe it in JSON: text where it is text, else base64."""
    try:
        return {"key": key, "revision": revision, "value": value.decode("utf-8")}
    except UnicodeDecodeError:
        return {"key": key, "revision": revision, "value_base64": base64.b64encode(value).decode("ascii")}


def talk(text: str) -> None:
    """Tell the user something that is no result."""
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
