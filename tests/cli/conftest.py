"""``cloudctl`` run in this process, against scripted servers in memory."""

import io
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from typing import Any

import pytest
from attrs import frozen
from twisted.internet.defer import ensureDeferred

from minicloud.cli import command, session
from minicloud.cli.options import Options
from minicloud.client import Client
from tests.client.network import STEP_S, Network

WORK_S = 5.0
"""More than what a verb needs beyond waiting for servers."""


@frozen
class Ended:
    """What a run of the command line came to."""

    status: int
    out: bytes
    err: str


Cloudctl = Callable[..., Ended]


class Terminal(io.StringIO):
    """A terminal that keeps what is written."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal, 120 columns wide, for ``cloudctl(…, on=terminal)``."""
    for name, value in (("TERM", "xterm"), ("COLUMNS", "120")):
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MINICLOUD_SERVER", "AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cloudctl(network: Network, monkeypatch: pytest.MonkeyPatch, capfdbinary: Any) -> Cloudctl:
    """Return a function that runs ``cloudctl`` with its arguments."""

    def run(options: Options, work: Callable[[session.Visit], Any]) -> Any:
        def new_client() -> Client:
            return network.client(*options.servers, token=options.token, timeout_s=options.timeout_s)

        async def working() -> Any:
            return await work(session.Visit(network.clock, new_client, network.clock.seconds))

        deferred = ensureDeferred(working())
        if interrupt_after_s is None:
            return network.result(deferred, within_s=options.timeout_s + WORK_S)
        passed_s = 0.0
        while passed_s < interrupt_after_s and not deferred.called:
            network.advance(STEP_S)
            passed_s += STEP_S
        raise session.Interrupted

    monkeypatch.setattr(session, "run", run)

    interrupt_after_s: float | None = None

    def cloudctl(*arguments: str, on: io.StringIO | None = None, interrupted_after_s: float | None = None) -> Ended:
        nonlocal interrupt_after_s
        interrupt_after_s = interrupted_after_s
        with nullcontext() if on is None else redirect_stdout(on):
            status = command.run(arguments)
        captured = capfdbinary.readouterr()
        return Ended(status, captured.out, captured.err.decode())

    return cloudctl
