"""What is done again and again, whatever becomes of it once."""

import pytest
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from minicloud.web.limits import FAULT_LOG_INTERVAL_S
from minicloud.web.steady import SteadyLoop


@pytest.fixture
def logged():
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)


class Scene:
    """A loop, four turns a second, that fails as long as it is told to."""

    def __init__(self):
        self.clock = Clock()
        self.turns = 0
        self.is_broken = False
        self.loop = SteadyLoop(self._act, 0.25, "counting", self.clock)

    def _act(self):
        self.turns += 1
        if self.is_broken:
            raise RuntimeError("what went wrong")

    def pass_time(self, seconds):
        self.clock.pump([0.25] * round(seconds / 0.25))


@pytest.fixture
def scene():
    return Scene()


def test_it_begins_at_once_or_after_an_interval_and_ends(scene):
    scene.loop.start(now=True)
    assert (scene.turns, scene.loop.is_running) == (1, True)
    scene.pass_time(1.0)
    assert scene.turns == 5
    scene.loop.stop()
    scene.loop.stop()
    scene.pass_time(1.0)
    assert (scene.turns, scene.loop.is_running) == (5, False)
    scene.loop.start(now=False)
    assert scene.turns == 5
    scene.pass_time(0.25)
    assert scene.turns == 6


@pytest.mark.parametrize("at_once", [True, False])
def test_a_fault_does_not_end_it(scene, logged, at_once):
    scene.is_broken = True
    scene.loop.start(now=at_once)
    scene.pass_time(0.5)
    scene.is_broken = False
    scene.pass_time(0.5)
    assert (scene.turns, scene.loop.is_running) == (5 if at_once else 4, True)


def test_the_first_fault_is_logged_with_its_traceback_and_then_one_now_and_then(scene, logged):
    scene.is_broken = True
    scene.loop.start(now=False)
    scene.pass_time(0.25)
    (first,) = logged
    assert (first["name"], first["faults"]) == ("counting", 1)
    assert "in _act" in first["log_failure"].getTraceback()
    scene.pass_time(FAULT_LOG_INTERVAL_S - 0.25)
    assert len(logged) == 1
    scene.pass_time(2 * FAULT_LOG_INTERVAL_S)
    assert [event["faults"] for event in logged] == [1, 4 * FAULT_LOG_INTERVAL_S, 4 * FAULT_LOG_INTERVAL_S]
