"""Reads that wait until the store has applied what they need."""

import pytest

from minicloud.node.deadlines import SWEEP_S, Deadlines
from minicloud.node.errors import ReadTimeout
from minicloud.node.reads import Reads


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def deadlines(clock):
    return Deadlines(clock)


@pytest.fixture
def reads(clock, deadlines):
    return Reads(None, deadlines, clock, 1.0)


def outcome(deferred):
    found = []
    deferred.addBoth(found.append)
    return found


def test_whoever_waits_for_a_revision_reads_when_it_is_applied_and_not_before(reads):
    first, again, later = (outcome(reads.wait_applied(index, 1, 5.0)) for index in (3, 3, 4))
    assert outcome(reads.wait_applied(1, 1, 5.0)) == [None]
    reads.applied(2)
    assert not first and not again
    reads.applied(3)
    assert first == again == [None] and not later
    reads.applied(9)
    assert later == [None]


def test_whoever_has_waited_too_long_is_told_which_revision_did_not_come(clock, deadlines, reads):
    late, patient = outcome(reads.wait_applied(3, 1, 1.0)), outcome(reads.wait_applied(3, 1, 5.0))
    clock.now = 1.0 + SWEEP_S
    deadlines.sweep()
    assert late[0].check(ReadTimeout)
    assert "Revision 3" in str(late[0].value)
    reads.applied(3)
    assert patient == [None]


def test_a_node_that_applies_nothing_any_more_remembers_nobody_whose_time_is_over(clock, deadlines, reads):
    patient = outcome(reads.wait_applied(50, 0, 500.0))
    for index in range(100, 200):
        late = outcome(reads.wait_applied(index, 0, 1.0))
        clock.now += 1.0 + SWEEP_S
        deadlines.sweep()
        assert late[0].check(ReadTimeout)
    assert list(reads._confirmed) == [50]
    assert len(reads._heap) <= 2
    reads.applied(1000)
    assert patient == [None]
    assert not reads._confirmed and not reads._heap


def test_a_revision_that_was_given_up_can_be_waited_for_again(clock, deadlines, reads):
    keeps = outcome(reads.wait_applied(7, 0, 50.0))
    outcome(reads.wait_applied(5, 0, 1.0))
    clock.now = 1.0 + SWEEP_S
    deadlines.sweep()
    again = outcome(reads.wait_applied(5, 0, 5.0))
    reads.applied(5)
    assert again == [None] and not keeps
    reads.applied(7)
    assert keeps == [None]


class Leader:
    leader_id = "n1"

    def read_index(self, request_id):
        self.asked = request_id
        return True


def test_a_read_that_is_confirmed_and_not_applied_in_time_is_forgotten(clock, deadlines):
    raft = Leader()
    reads = Reads(raft, deadlines, clock, 1.0)
    late = outcome(reads.barrier(1.0))
    reads.ask()
    reads.confirmed(raft.asked, 7)
    clock.now = 1.0 + SWEEP_S
    deadlines.sweep()
    assert late[0].check(ReadTimeout)
    assert not reads._confirmed and not reads._heap


def test_at_the_end_everybody_is_told(reads):
    waiting = outcome(reads.wait_applied(5, 0, 1.0))
    reads.stop()
    assert waiting
