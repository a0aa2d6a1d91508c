"""A port that refuses is known to at once: on real sockets, nobody waits for a timer first."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pytest_twisted
from treq.client import HTTPClient
from twisted.internet import reactor
from twisted.internet.error import ConnectionRefusedError
from twisted.web.resource import Resource
from twisted.web.server import Site

from minicloud.client import Client, Unavailable
from minicloud.web.forwarding import make_agent, make_pool
from minicloud.web.settings import WebSettings
from tests.harness.ports import free_ports


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The delays, in seconds, of all timers of the reactor that have run out; what is to be done at once is none."""
    ran_out: list[float] = []
    call_later = reactor.callLater

    def noted(delay_s: float, called: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
        def call() -> None:
            if delay_s > 0:
                ran_out.append(delay_s)
            called(*arguments, **more)

        return call_later(delay_s, call)

    monkeypatch.setattr(reactor, "callLater", noted)
    return ran_out


class Page(Resource):
    """Answers as a node does for a key."""

    def getChild(self, path: bytes, request: Any) -> Resource:
        return self

    def render(self, request: Any) -> bytes:
        request.setHeader("ETag", '"4"')
        return b"value"


@pytest.fixture
def live_port() -> Iterator[int]:
    listening = reactor.listenTCP(0, Site(Page()), interface="127.0.0.1")
    yield listening.getHost().port
    pytest_twisted.blockon(listening.stopListening())


@pytest_twisted.ensureDeferred
async def test_the_client_gives_up_without_waiting(timers: list[float]) -> None:
    first, second = free_ports(2)
    with pytest.raises(Unavailable) as caught:
        await Client([f"127.0.0.1:{first}", f"127.0.0.1:{second}"]).put("k", b"v")
    assert [setback.reason for setback in caught.value.setbacks] == ["connection refused"] * 2
    assert timers == []


@pytest_twisted.ensureDeferred
async def test_the_client_gets_past_dead_servers_without_waiting(timers: list[float], live_port: int) -> None:
    servers = [*(f"127.0.0.1:{port}" for port in free_ports(2)), f"127.0.0.1:{live_port}"]
    client = Client(servers)
    assert (await client.get("k")).value == b"value"
    assert timers == []
    await client.close()


@pytest_twisted.ensureDeferred
async def test_a_node_that_asks_another_one_gives_up_without_waiting(timers: list[float]) -> None:
    """Forwarding, joining, and asking the members how they are have this agent in common."""
    (port,) = free_ports(1)
    agent = make_agent(reactor, WebSettings("127.0.0.1:1"), make_pool(reactor))
    with pytest.raises(ConnectionRefusedError):
        await HTTPClient(agent).put(f"http://127.0.0.1:{port}/kv/k", data=b"v")
    assert timers == []
