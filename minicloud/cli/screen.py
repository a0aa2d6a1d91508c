"""Tables, progress bars and what is redrawn in place, with rich. Imported by those who need it, when they need it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import TextIO

import click
from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from minicloud.cli.output import cell

UNLIMITED_WIDTH = 100_000
"""Characters on a line, where nobody has to look at it: a file must not lose the end of an address."""

GAP = 2
"""Spaces between columns."""

_STYLES = {"good": "green", "bad": "red", "": ""}


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    styles: Sequence[str] = (),
    *,
    widths: Sequence[int] = (),
    heading: bool = True,
) -> Table:
    """Return a table. ``styles``: of each row. ``widths``: at least so wide is each column."""
    drawn = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=heading, header_style="bold")
    for position, column in enumerate(columns):
        # What does not fit goes on below: a table without the end of an address helps nobody.
        drawn.add_column(column, overflow="fold", min_width=widths[position] if widths else None)
    for position, row in enumerate(rows):
        style = _STYLES[styles[position]] if styles else ""
        drawn.add_row(*(Text(cell, style=style) for cell in row))
    return drawn


def fitting(columns: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str], width: int) -> list[int]:
    """Return the positions of the columns to show: those of ``spare`` are left out, one by one, until the others fit."""
    needed = dict(zip(columns, widths_of(columns, rows), strict=True))
    for column in spare:
        if sum(needed.values()) + GAP * (len(needed) - 1) <= width:
            break
        del needed[column]
    return [position for position, column in enumerate(columns) if column in needed]


def _narrowed(
    columns: Sequence[str], rows: Sequence[Sequence[str]], spare: Sequence[str], width: int
) -> tuple[list[str], list[list[str]]]:
    shown = fitting(columns, rows, spare, width)
    return [columns[position] for position in shown], [[row[position] for position in shown] for row in rows]


def widths_of(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column has to be."""
    return [max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]


def write_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], styles: Sequence[str] = (), spare: Sequence[str] = ()
) -> None:
    """Write a table. ``spare``: columns that a narrow terminal can do without, the least wanted first."""
    if sys.stdout.isatty():
        columns, rows = _narrowed(columns, rows, spare, _console(sys.stdout).width)
    write(table(columns, rows, styles))


def write(drawn: Table) -> None:
    """Write a table to stdout; where that is no terminal, in full width, and without spaces at the end of lines."""
    if sys.stdout.isatty():
        _console(sys.stdout).print(drawn)
        return
    console = _console(sys.stdout, UNLIMITED_WIDTH)
    with console.capture() as captured:
        console.print(drawn)
    for line in captured.get().removesuffix("\n").split("\n"):
        click.echo(line.rstrip())


def _console(stream: TextIO, width: int | None = None) -> Console:
    return Console(file=stream, width=width, highlight=False, markup=False, emoji=False)


class Redrawn(AbstractContextManager["Redrawn"]):
    """A table with a line below it, redrawn in place on the terminal."""

    def __init__(self) -> None:
        # No thread of its own, and stdout stays what it is: it is drawn when there is something new, and only then.
        self._console = _console(sys.stdout)
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)

    def __enter__(self) -> Redrawn:
        """Begin below what is on the terminal."""
        self._live.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        """Leave the last state there."""
        self._live.stop()

    def show(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        styles: Sequence[str],
        spare: Sequence[str],
        line: str,
        line_style: str = "",
    ) -> None:
        """Show this in the place of what was there."""
        texts = [[cell(value) for value in row] for row in rows]
        drawn = table(*_narrowed(columns, texts, spare, self._console.width), styles)
        below = Text(line, style=_STYLES[line_style] or "dim")
        self._live.update(Group(drawn, below), refresh=True)


class Bar(AbstractContextManager["Bar"]):
    """A progress bar on stderr, which is moved by hand."""

    def __init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(complete_style="green", finished_style="green"),
            TextColumn("{task.fields[told]}"),
            console=_console(sys.stderr),
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task: TaskID = self._progress.add_task("", total=1.0, told="")

    def __enter__(self) -> Bar:
        """Begin below what is on the terminal."""
        self._progress.start()
        return self

    def __exit__(self, *reason: object) -> None:
        """Take the bar away. Where the terminal is gone, so is the bar."""
        with suppress(OSError):
            self._progress.stop()

    def show(self, what: str, fraction: float, told: str) -> None:
        """Show how far ``what`` is, and a few words more."""
        self._progress.update(self._task, description=what, completed=min(fraction, 1.0), told=told)
        self._progress.refresh()
