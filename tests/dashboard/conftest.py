from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import ensureDeferred

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
def browser(running_browser: Browser) -> Iterator[Browser]:
    """One browser for all tests; each test has tabs of its own.

    Console and network panel must stay free of errors, but for those that a test says it expects (``Page.expect``).
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
def make_proxy(stage: Stage) -> Iterator[Callable[[str], tuple[Proxy, str]]]:
    """Put something in the middle before the stage's first node; returns it, and where its dashboard is then."""
    ports = []

    def make(streams: str) -> tuple[Proxy, str]:
        proxy = Proxy(stage.address("node1"), streams)
        ports.append(reactor.listenTCP(0, proxy, interface="127.0.0.1"))
        return proxy, f"http://127.0.0.1:{ports[-1].getHost().port}/dashboard"

    yield make
    for port in ports:
        port.stopListening()
