"""One run of the client on the reactor."""

from __future__ import annotations

import signal
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import click
from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.task import react

from minicloud.cli.options import Options
from minicloud.client import Client
from minicloud.client.servers import parse_servers
from minicloud.connecting.names import look_up_in_daemon_threads

_Result = TypeVar("_Result")


class Interrupted(Exception):
    """The user, or the system, wants us to stop before there is a result."""


@frozen
class Visit:
    """What a verb works with while the reactor runs."""

    reactor: Any
    new_client: Callable[[], Client]
    """Returns a client, as the options say, with connections of its own."""
    now: Callable[[], float] = time.perf_counter
    """Seconds since whenever; only differences mean something."""
    insisted: Deferred[None] = field(factory=Deferred)
    """Fires when the user, who has interrupted us, does so once more: then no end is too abrupt."""


def ask(options: Options, question: Callable[[Client], Awaitable[_Result]]) -> _Result:
    """Return what a client answers to ``question``; all else as in :func:`run`."""
    return run(options, lambda visit: question(visit.new_client()))


def run(options: Options, work: Callable[[Visit], Awaitable[_Result]]) -> _Result:
    """Return what ``work`` comes to.

    Runs the reactor, so it can be done once in a process. Raises ClientError, Interrupted, click.UsageError.
    """
    outcome: list[_Result | Exception] = []
    insisted: Deferred[None] = Deferred()

    async def converse(reactor: Any) -> None:
        def new_client() -> Client:
            return Client(servers, token=options.token, timeout_s=options.timeout_s, reactor=reactor)

        def note_interruption() -> None:
            # Comes before the connections are closed, which would look like a server that hung up.
            if not outcome:
                outcome.append(Interrupted())
            _listen_once_more(reactor, insisted)

        look_up_in_daemon_threads(reactor)
        reactor.addSystemEventTrigger("before", "shutdown", note_interruption)
        # Until the reactor runs, Ctrl+C is a KeyboardInterrupt, wherever we are: then nothing should be under way.
        await _running(reactor)
        try:
            outcome.append(await work(Visit(reactor, new_client, insisted=insisted)))
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


def _running(reactor: Any) -> Deferred[None]:
    """Return a Deferred that fires when the reactor runs."""
    running: Deferred[None] = Deferred()
    reactor.callWhenRunning(running.callback, None)
    return running


def _listen_once_more(reactor: Any, insisted: Deferred[None]) -> None:
    """Let the next signal say that somebody insists. Twisted stops once only; a second time it prints a traceback."""

    def insist() -> None:
        if not insisted.called:
            insisted.callback(None)

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) in (reactor.sigInt, reactor.sigTerm, reactor.sigBreak):
            signal.signal(number, lambda *_: reactor.callFromThread(insist))
