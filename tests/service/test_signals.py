"""The signals that end a node."""

import signal

import pytest

from minicloud.service.signals import EndingSignals


class Reactor:
    """Keeps what was asked of the reactor until its turn comes."""

    def __init__(self) -> None:
        self.calls = []

    def callFromThread(self, function, *args) -> None:
        self.calls.append((function, args))

    def turn(self) -> None:
        calls, self.calls = self.calls, []
        for function, args in calls:
            function(*args)


class Ending:
    def __init__(self) -> None:
        self.reactor = Reactor()
        self.stops = 0
        self.statuses: list[int] = []
        self.signals = EndingSignals(self.reactor, self._stop, self.statuses.append)

    def _stop(self) -> None:
        self.stops += 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_once_and_in_the_reactors_own_time(number: int) -> None:
    ending = Ending()
    ending.signals.received(number, None)
    assert ending.stops == 0
    ending.reactor.turn()
    assert (ending.stops, ending.statuses) == (1, [])


def test_the_second_signal_ends_the_process_at_once() -> None:
    ending = Ending()
    ending.signals.received(signal.SIGINT, None)
    ending.signals.received(signal.SIGTERM, None)
    assert ending.statuses == [128 + signal.SIGTERM]


def test_the_handlers_take_the_place_of_the_reactors_own(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {}
    monkeypatch.setattr(signal, "signal", installed.__setitem__)
    ending = Ending()
    ending.signals.install()
    assert installed[signal.SIGINT] == installed[signal.SIGTERM] == ending.signals.received
