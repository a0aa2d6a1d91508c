import pytest
from twisted.logger import LogLevel, globalLogPublisher

from minicloud.storage.memory_files import MachineStopped


@pytest.fixture(autouse=True)
def faults_in_the_log():
    """What a node says of its own faults, or of peers that break the protocol, fails the test, whoever else saw it."""
    found = []

    def look_at(event):
        failure = event.get("log_failure")
        if failure is not None and not failure.check(MachineStopped):
            found.append(failure.getTraceback())
        elif event.get("log_level") is LogLevel.error and "breaks the protocol" in (event.get("log_format") or ""):
            found.append(str(event.get("error")))

    globalLogPublisher.addObserver(look_at)
    yield found
    globalLogPublisher.removeObserver(look_at)
    assert found == []
