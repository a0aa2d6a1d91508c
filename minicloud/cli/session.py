"""One run of the client on the reactor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

import click
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from minicloud.cli.options import Options
from minicloud.client import Client
from minicloud.client.servers import parse_servers

_Result = TypeVar("_Result")


class Interrupted(Exception):
    """The user, or the system, wants us to stop before there is a result."""


def ask(options: Options, question: Callable[[Client], Deferred[_Result]]) -> _Result:
    """Return what a client answers to ``question``.

    Runs the reactor, so it can be done once in a process. Raises ClientError, Interrupted, click.UsageError.
    """
    outcome: list[_Result | Exception] = []

    def note_interruption() -> None:
        # Comes before the connections are closed, which would look like a server that hung up.
        if not outcome:
            outcome.append(Interrupted())

    async def converse(reactor: Any) -> None:
        reactor.addSystemEventTrigger("before", "shutdown", note_interruption)
        try:
            client = Client(servers, token=options.token, timeout_s=options.timeout_s, reactor=reactor)
            outcome.append(await question(client))
        except Exception as error:
            outcome.append(error)

    try:
        servers = parse_servers(options.servers)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    with suppress(SystemExit):
        react(converse)
    result = outcome[0]
    if isinstance(result, Exception):
        raise result
    return result
