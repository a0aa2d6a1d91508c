"""The reactor's time, whatever the wall clock does."""

from twisted.internet.base import ReactorBase

from minicloud.service.clock import make_monotonic


class Reactor(ReactorBase):
    """A reactor of Twisted's own kind that waits for nothing; its clocks are turned by hand."""

    def installWaker(self) -> None:
        pass

    def turn(self) -> None:
        self.runUntilCurrent()


class Hands:
    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def test_a_step_of_the_wall_clock_neither_holds_up_a_timer_nor_fires_it() -> None:
    reactor, wall, monotonic = Reactor(), Hands(1_000_000.0), Hands(5.0)
    vars(reactor)["seconds"] = wall
    make_monotonic(reactor, monotonic)
    fired: list[str] = []
    reactor.callLater(10, fired.append, "due")
    wall.now += 3600
    reactor.turn()
    assert fired == []
    wall.now -= 7200
    monotonic.now += 9.5
    reactor.turn()
    assert fired == []
    assert reactor.timeout() == 0.5
    monotonic.now += 0.5
    reactor.turn()
    assert fired == ["due"]


def test_calls_that_wait_already_keep_the_time_they_have_left() -> None:
    for monotonic_start in (5.0, 9_000_000.0):
        reactor, wall, monotonic = Reactor(), Hands(1_000_000.0), Hands(monotonic_start)
        vars(reactor)["seconds"] = wall
        fired: list[str] = []
        reactor.callLater(10, fired.append, "later")
        reactor.callLater(2, fired.append, "soon")
        late = reactor.callLater(1, fired.append, "moved")
        wall.now += 1.5
        make_monotonic(reactor, monotonic)
        late.reset(20)
        monotonic.now += 0.4
        reactor.turn()
        assert fired == []
        monotonic.now += 0.2
        reactor.turn()
        assert fired == ["soon"]
        monotonic.now += 8
        reactor.turn()
        assert fired == ["soon", "later"]
        monotonic.now += 20
        reactor.turn()
        assert fired == ["soon", "later", "moved"]
