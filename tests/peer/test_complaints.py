"""Saying things once."""

from twisted.internet.task import Clock
from twisted.logger import Logger

from minicloud.peer.complaints import INTERVAL_S, MAX_REMEMBERED, Complaints


def make():
    clock, events = Clock(), []
    return clock, events, Complaints(clock, Logger(observer=events.append))


def texts(events):
    return [event["text"] for event in events]


def test_a_complaint_is_logged_once_a_minute_and_then_says_how_often_it_came():
    clock, events, complaints = make()
    for _ in range(10):
        complaints.say("wrong_secret", "n2", "n2 has another secret")
        clock.advance(1)
    assert texts(events) == ["n2 has another secret"]
    clock.advance(INTERVAL_S)
    complaints.say("wrong_secret", "n2", "n2 has another secret")
    clock.advance(INTERVAL_S)
    complaints.say("wrong_secret", "n2", "n2 has another secret")
    assert texts(events)[1:] == ["n2 has another secret (and 9 times more before)", "n2 has another secret"]


def test_other_causes_and_other_peers_are_other_complaints():
    _, events, complaints = make()
    for cause, about in (("a", "n2"), ("b", "n2"), ("a", "n3"), ("a", "n2")):
        complaints.say(cause, about, f"{cause} {about}")
    assert texts(events) == ["a n2", "b n2", "a n3"]


def test_inventing_causes_takes_bounded_memory():
    _, events, complaints = make()
    for number in range(2 * MAX_REMEMBERED + 1):
        complaints.say(f"cause {number}", "", "what")
    assert len(complaints._said) <= MAX_REMEMBERED
    assert len(events) == 2 * MAX_REMEMBERED + 1
