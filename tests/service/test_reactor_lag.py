"""How long the reactor was busy."""

import pytest
from twisted.internet.task import Clock

from minicloud.service.reactor_lag import LAG_INTERVAL_S, ReactorLag


def test_it_reports_how_late_each_timer_was() -> None:
    clock, lags = Clock(), []
    lag = ReactorLag(clock, lags.append)
    lag.start()
    clock.advance(LAG_INTERVAL_S)
    clock.advance(LAG_INTERVAL_S + 0.25)
    clock.advance(LAG_INTERVAL_S)
    assert lags == [pytest.approx(0), pytest.approx(0.25), pytest.approx(0)]


def test_it_ends_when_it_is_stopped() -> None:
    clock, lags = Clock(), []
    lag = ReactorLag(clock, lags.append)
    lag.start()
    lag.stop()
    lag.stop()
    clock.advance(10)
    assert lags == []
