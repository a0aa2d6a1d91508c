"""What a test can hear of the log."""

from collections.abc import Callable, Iterator

import pytest
from twisted.logger import LogEvent, formatEvent, globalLogPublisher


@pytest.fixture
def captured_log() -> Iterator[Callable[[str], list[str]]]:
    """Return what a namespace has logged so far, as text."""
    events: list[LogEvent] = []
    globalLogPublisher.addObserver(events.append)
    yield lambda namespace: [formatEvent(event) for event in events if event.get("log_namespace") == namespace]
    globalLogPublisher.removeObserver(events.append)
