"""One link, with an owner that only takes notes, or fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from minicloud.peer.handshake import AcceptorHandshake, DiallerHandshake
from minicloud.peer.identity import LocalPeer
from minicloud.peer.link import Link, LinkClosed
from minicloud.raft.messages import Heartbeat, TimeoutNow
from minicloud.wire.handshake import PROTOCOL_VERSION, Challenge, Hello, Proof, Refused, Welcome, encode_handshake
from minicloud.wire.messages import encode_message
from tests.peer.cluster import World


class Owner:
    def __init__(self):
        self.calls = []
        self.fails_at = ""

    def note(self, what, link):
        self.calls.append(what)
        if what == self.fails_at:
            raise RuntimeError("the driver has a bug")

    def opened(self, link):
        self.note("opened", link)

    def established(self, link):
        self.note("established", link)

    def failed(self, link, failed):
        self.note(f"failed {failed.cause.value}", link)

    def closed(self, link):
        self.note("closed", link)


def local(node_id):
    return LocalPeer(node_id, f"{node_id}-disk", lambda: "c1", lambda: 1)


def dialling(owner):
    return Link(owner, Clock(), lambda names: DiallerHandshake(local("n1"), b"s", "n2", "", "1" * 32, names), "n2")


def accepting(owner, admitted=None):
    def admit(remote):
        if admitted is not None:
            admitted.append(remote)

    return Link(owner, Clock(), lambda names: AcceptorHandshake(local("n2"), b"s", "2" * 32, names, admit))


class Wire(StringTransport):
    """Takes note of being cut, and says so to nobody."""

    def abortConnection(self):
        self.aborted = True


def established_pair(owner):
    ours, theirs = dialling(owner), accepting(Owner())
    here, there = Wire(), Wire()
    theirs.makeConnection(there)
    ours.makeConnection(here)
    for _ in range(2):
        for link, transport in ((theirs, here), (ours, there)):
            said = transport.value()
            transport.clear()
            if said:
                link.dataReceived(said)
    assert ours.is_up and theirs.is_up
    return ours, theirs


def test_who_waits_for_a_link_that_is_established_already_is_told_so():
    ours, _ = established_pair(Owner())
    told = []
    ours.when_established().addCallback(told.append)
    assert told == [None]


def test_who_waits_for_a_link_that_is_gone_already_is_told_so():
    link = dialling(Owner())
    link.makeConnection(Wire())
    link.connectionLost(Failure(ConnectionDone()))
    told = []
    link.when_established().addErrback(told.append)
    assert told[0].check(LinkClosed)


def test_who_waits_no_longer_cuts_the_connection():
    link = dialling(Owner())
    transport = Wire()
    link.makeConnection(transport)
    told = []
    waiting = link.when_established().addErrback(told.append)
    waiting.cancel()
    assert transport.aborted
    link.connectionLost(Failure(ConnectionDone()))
    assert told[0].check(CancelledError)


def test_a_failing_driver_does_not_keep_a_link_from_being_given_up():
    owner = Owner()
    ours, _ = established_pair(owner)
    ended = []
    ours.session = type("Session", (), {"connectionLost": lambda self, reason: ended.append(reason)})()
    owner.fails_at = "closed"
    with pytest.raises(RuntimeError):
        ours.connectionLost(Failure(ConnectionDone()))
    assert len(ended) == 1


def test_a_paused_link_adds_no_empty_lines_to_what_waits():
    ours, _ = established_pair(Owner())
    ours.pauseProducing()
    ours.keep_alive()
    ours.resumeProducing()
    assert ours.transport.value() == b""
    ours.keep_alive()
    assert ours.transport.value() == b"\n"


def test_messages_reach_nobody_before_the_owner_says_whom():
    _, theirs = established_pair(Owner())
    theirs.dataReceived(encode_message(Heartbeat(1, 0)) + b"\n")
    assert theirs.is_up


def test_closing_and_failing_twice_is_closing_once():
    owner = Owner()
    ours, _ = established_pair(owner)
    ours.close()
    ours.close()
    ours._take_oversize(1)
    assert owner.calls == ["opened", "established"]


_HELLO = Hello(PROTOCOL_VERSION, "c1", "n1", "n2", "n1-disk", "1" * 32, 5)
_LINES = st.one_of(
    st.sampled_from(
        [
            encode_handshake(line)
            for line in (
                _HELLO,
                Challenge("c1", "n1-disk", "3" * 32, "0" * 64),
                Proof("0" * 64),
                Proof(""),
                Welcome(),
                Refused("not_member"),
            )
        ]
        + [encode_message(TimeoutNow(9)), b""]
    ),
    st.binary(max_size=80),
)


@given(st.lists(_LINES, max_size=6))
def test_no_sequence_of_lines_lets_in_who_does_not_know_the_secret(lines):
    admitted, received = [], []
    link = accepting(Owner(), admitted)
    link.deliver = lambda *message: received.append(message)
    link.makeConnection(Wire())
    link.dataReceived(b"".join(line + b"\n" for line in lines))
    assert admitted == received == []
    assert not link.is_up


@given(st.lists(_LINES, max_size=6))
def test_no_sequence_of_lines_makes_a_dialler_believe_who_does_not_know_the_secret(lines):
    owner = Owner()
    link = dialling(owner)
    link.makeConnection(Wire())
    link.dataReceived(b"".join(line + b"\n" for line in lines))
    assert not link.is_up
    assert "established" not in owner.calls


def test_a_connection_that_comes_while_the_node_stops_is_cut():
    world = World()
    n1, n2 = world.pair()
    factory = world.net.listening["n1"]
    before = list(n1.driver.all)
    n1.links.stop()
    world.net.listening["n1"] = factory
    n2.knows()
    n2.knows(n1)
    world.advance(2)
    assert world.net.open == set()
    assert n1.driver.all == before
