"""``status``: what every member says of itself, once or until Ctrl+C."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from minicloud.cli import exits, output
from minicloud.cli.options import Options

if TYPE_CHECKING:
    from minicloud.cli.session import Visit
    from minicloud.client import ClientError, NodeReport

_COLUMNS = ("node", "state", "term", "commit", "applied", "leader", "last contact", "uptime", "http", "note")
_SPARE = ("applied", "uptime", "http", "term")


def write_reports(chosen: str | None, reports: Sequence[NodeReport]) -> None:
    """Write one round of reports."""
    if chosen == "json":
        output.write_json(_document(reports))
    else:
        output.write_rows(chosen, _COLUMNS, *_rows(reports), _SPARE)


class _View(Protocol):
    """Where the rounds are shown."""

    def show(self, reports: Sequence[NodeReport]) -> None: ...

    def fail(self, error: ClientError) -> None: ...


def watch(options: Options, interval_s: float) -> int:
    """Show round after round; returns the exit status when the user has had enough."""
    from minicloud.cli import session

    async def rounds(visit: Visit) -> None:
        await _rounds(visit, view, interval_s)

    with _view(options.output, interval_s) as view:
        try:
            session.run(options, rounds)
        except session.Interrupted:
            return exits.INTERRUPTED
    return exits.OK


async def _rounds(visit: Visit, view: _View, interval_s: float) -> None:
    """Ask for ever. An error in the first round is the end; after that the cluster may come back."""
    from twisted.internet.task import deferLater

    from minicloud.client import ClientError

    client = visit.new_client()
    view.show(await client.status())
    while True:
        await deferLater(visit.reactor, interval_s)
        try:
            reports = await client.status()
        except ClientError as error:
            view.fail(error)
        else:
            view.show(reports)


def _view(chosen: str | None, interval_s: float) -> AbstractContextManager[_View]:
    if output.list_format(chosen) == "table" and output.is_terminal():
        from minicloud.cli.screen import Redrawn

        return _InPlace(Redrawn(), interval_s)
    return nullcontext(_OneAfterTheOther(chosen))


class _InPlace(AbstractContextManager["_InPlace"]):
    """Each round in the place of the one before it."""

    def __init__(self, redrawn: Any, interval_s: float) -> None:
        self._redrawn = redrawn
        self._interval_s = interval_s
        self._last: Sequence[NodeReport] = ()

    def __enter__(self) -> _InPlace:
        self._redrawn.__enter__()
        return self

    def __exit__(self, *reason: object) -> None:
        self._redrawn.__exit__(*reason)

    def show(self, reports: Sequence[NodeReport]) -> None:
        self._last = reports
        self._redrawn.show(_COLUMNS, *_rows(reports), _SPARE, f"Every {self._interval_s:g} s; Ctrl+C ends it.")

    def fail(self, error: ClientError) -> None:
        self._redrawn.show(_COLUMNS, *_rows(self._last), _SPARE, f"Not up to date: {_words(error)}", output.BAD)


class _OneAfterTheOther:
    """Rounds below each other, for files and programs; JSON has one on each line."""

    def __init__(self, chosen: str | None) -> None:
        self._chosen = chosen
        self._first = True

    def show(self, reports: Sequence[NodeReport]) -> None:
        if self._chosen == "json":
            output.write_line(json.dumps(_document(reports)))
            return
        if not self._first:
            output.write_line("")
        self._first = False
        write_reports(self._chosen, reports)

    def fail(self, error: ClientError) -> None:
        output.talk(f"cloudctl: {_words(error)}")


def _words(error: ClientError) -> str:
    from minicloud.cli.failures import explain

    return output.printable(explain(error).happened)


def _document(reports: Sequence[NodeReport]) -> dict[str, Any]:
    return {
        "members": [
            {
                "node_id": report.node_id,
                "server": report.server,
                "reachable": report.status is not None,
                "reason": report.reason,
                "status": report.status,
            }
            for report in reports
        ]
    }


def _rows(reports: Sequence[NodeReport]) -> tuple[list[tuple[object, ...]], list[str]]:
    return [_row(report) for report in reports], [_style(report) for report in reports]


def _row(report: NodeReport) -> tuple[object, ...]:
    http = report.server.partition("://")[2]
    if report.status is None:
        return (report.node_id, "unreachable", *[None] * 6, http, report.reason)
    told = report.status
    note = "" if told.get("node_id") == report.node_id else f"it says that it is {told.get('node_id')}"
    numbers = (told.get(name) for name in ("term", "commit_index", "applied_index"))
    contact = output.milliseconds(told.get("last_contact_ms"))
    age = output.duration(told.get("uptime_seconds"))
    return (report.node_id, told.get("state"), *numbers, told.get("leader_id"), contact, age, http, note)


def _style(report: NodeReport) -> str:
    if report.status is None:
        return output.BAD
    return output.GOOD if report.status.get("state") == "Leader" else output.NORMAL
