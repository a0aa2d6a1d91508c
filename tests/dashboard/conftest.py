from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred
from twisted.internet.interfaces import IListeningPort

from tests.dashboard.browser import Browser, find_browser
from tests.dashboard.proxy import Proxy
from tests.dashboard.stage import Stage


@pytest.fixture(scope="session")
def running_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_browser()
    if program is None:
        pytest.skip("no Chromium here that could be driven")
    profile: Path = tmp_path_factory.mktemp("profile")
    browser = Browser.start(program, profile)
    yield browser
    pytest_twisted.blockon(ensureDeferred(browser.stop()))


@pytest.fixture
def browser(
    running_browser: Browser, make_stage: Callable[..., Stage], proxy_ports: list[IListeningPort]
) -> Iterator[Browser]:
    """One browser for all tests; each test has tabs of its own.

    Console and network panel must stay free of errors, but for those that a test says it expects (``Page.expect``). A page
    asks again as soon as its node ends the stream: so the tabs are closed before the stages and what is in the middle.
    """
    yield running_browser
    assert pytest_twisted.blockon(ensureDeferred(running_browser.close_pages())) == []


@pytest.fixture
def make_stage() -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []

    def make(**options: object) -> Stage:
        stages.append(Stage(**options))
        return stages[-1]

    yield make
    for stage in stages:
        pytest_twisted.blockon(ensureDeferred(stage.stop_all()))


@pytest.fixture
def stage(make_stage: Callable[..., Stage]) -> Stage:
    return make_stage()


@pytest.fixture
def proxy_ports() -> Iterator[list[IListeningPort]]:
    """What listens in the middle."""
    ports: list[IListeningPort] = []
    yield ports
    for port in ports:
        port.stopListening()


@pytest.fixture
def make_proxy(stage: Stage, proxy_ports: list[IListeningPort]) -> Callable[[str], tuple[Proxy, str]]:
    """Put something in the middle before the stage's first node; returns it, and where its dashboard is then."""

    def make(streams: str) -> tuple[Proxy, str]:
        proxy = Proxy(stage.address("node1"), streams)
        port = reactor.listenTCP(0, proxy, interface="127.0.0.1")
        proxy_ports.append(port)
        return proxy, f"http://127.0.0.1:{port.getHost().port}/dashboard"

    return make
