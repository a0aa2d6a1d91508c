"""``cloudctl`` run in this process, against scripted servers in memory."""

from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen

from minicloud.cli import main, session
from minicloud.cli.options import Options
from tests.client.network import Network


@frozen
class Ended:
    """What a run of the command line came to."""

    status: int
    out: bytes
    err: str


Cloudctl = Callable[..., Ended]


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

    def ask(options: Options, question: Callable[[Any], Any]) -> Any:
        client = network.client(*options.servers, token=options.token, timeout_s=options.timeout_s)
        return network.result(question(client), within_s=options.timeout_s + 1)

    monkeypatch.setattr(session, "ask", ask)

    def run(*arguments: str) -> Ended:
        status = main.run(arguments)
        captured = capfdbinary.readouterr()
        return Ended(status, captured.out, captured.err.decode())

    return run
