from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pytest_twisted
from twisted.internet.defer import ensureDeferred

from tests.dashboard.browser import Browser, find_browser
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
