"""Lines over a byte stream."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import StringTransport

from minicloud.peer.lines import MAX_UNSENT_BYTES, LineProtocol


class Reader:
    def __init__(self, limit_bytes=10):
        self.lines = []
        self.oversize = []
        self.protocol = LineProtocol(limit_bytes, self.lines.append, self.oversize.append)
        self.transport = StringTransport()
        self.protocol.makeConnection(self.transport)

    def take(self, *pieces):
        for piece in pieces:
            self.protocol.dataReceived(piece)


@given(st.lists(st.binary(max_size=6).filter(lambda line: b"\n" not in line)), st.lists(st.integers(0, 40), max_size=6))
def test_lines_are_the_same_however_their_bytes_arrive(lines, cuts):
    data = b"".join(line + b"\n" for line in lines)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    reader = Reader()
    reader.take(*(data[start:end] for start, end in itertools.pairwise(places)))
    assert reader.lines == lines
    assert reader.oversize == []


@pytest.mark.parametrize(
    "pieces",
    [
        (b"12345678901\n",),
        (b"12345678901",),
        (b"123456", b"78901"),
        (b"123456", b"78901\nok\n"),
        (b"ok\n12345678901", b"\n"),
    ],
)
def test_a_line_over_the_limit_is_reported_once_and_ends_reading(pieces):
    reader = Reader()
    reader.take(*pieces, b"more\n", b"x" * 30)
    assert reader.oversize == [11]
    assert reader.lines in ([], [b"ok"])


def test_a_line_of_just_the_limit_is_read():
    reader = Reader()
    reader.take(b"1234567890\n", b"12345", b"67890\n")
    assert reader.lines == [b"1234567890"] * 2


def test_nothing_is_read_after_a_line_that_ended_reading():
    reader = Reader()
    reader.protocol.on_line = lambda line: (reader.lines.append(line), reader.protocol.stop_reading())
    reader.take(b"one\ntwo\nthr", b"ee\n")
    assert reader.lines == [b"one"]


def test_a_new_limit_holds_from_the_next_line_on():
    reader = Reader(limit_bytes=3)

    def grow(line):
        reader.lines.append(line)
        reader.protocol.limit_bytes = 100

    reader.protocol.on_line = grow
    reader.take(b"hi\n" + b"x" * 50 + b"\n")
    assert reader.lines == [b"hi", b"x" * 50]


class QuadraticReader:
    """What not to be: copies all that it has for each piece that comes."""

    def __init__(self):
        self.partial = b""

    def take(self, *pieces):
        for piece in pieces:
            self.partial = self.partial + piece


def test_a_huge_line_costs_time_in_proportion_to_its_size():
    size, piece = 1 << 23, b"x" * 4096

    def cost_s(reader):
        begin = time.process_time()
        reader.take(*[piece] * (size // len(piece)), b"\n")
        return time.process_time() - begin

    linear = min(cost_s(Reader(limit_bytes=size)) for _ in range(3))
    quadratic = cost_s(QuadraticReader())
    assert linear < quadratic / 8, "on a machine at rest it is a thirtieth to a hundredth"


def test_lines_are_sent_with_a_newline():
    reader = Reader()
    reader.protocol.send_line(b"one")
    reader.protocol.send_line(b"two")
    assert reader.transport.value() == b"one\ntwo\n"


def test_lines_wait_while_the_transport_has_enough():
    reader = Reader()
    protocol, transport = reader.protocol, reader.transport
    protocol.send_lines_with_care()
    assert transport.producer is protocol and transport.streaming
    protocol.pauseProducing()
    protocol.send_line(b"one")
    protocol.send_line(b"two")
    assert protocol.is_paused and transport.value() == b""
    protocol.resumeProducing()
    assert transport.value() == b"one\ntwo\n"
    assert not protocol.is_paused


def test_resuming_stops_where_the_transport_has_enough_again():
    reader = Reader()
    protocol = reader.protocol
    protocol.pauseProducing()
    for line in (b"one", b"two", b"three"):
        protocol.send_line(line)
    written = []

    class Transport(StringTransport):
        def write(self, data):
            written.append(data)
            protocol.pauseProducing()

    protocol._connection = Transport()
    protocol.resumeProducing()
    assert written == [b"one\n"]
    protocol.resumeProducing()
    protocol.send_line(b"four")
    protocol.resumeProducing()
    protocol.resumeProducing()
    assert written == [b"one\n", b"two\n", b"three\n", b"four\n"]


def test_there_is_room_until_the_bound_is_passed():
    protocol = Reader().protocol
    protocol.pauseProducing()
    protocol.send_line(b"x" * MAX_UNSENT_BYTES)
    assert protocol.has_room
    protocol.send_line(b"x")
    assert not protocol.has_room
    protocol.stopProducing()
    assert protocol.has_room


def test_stopping_to_send_drops_what_waits_and_lets_the_transport_close():
    reader = Reader()
    reader.protocol.send_lines_with_care()
    reader.protocol.pauseProducing()
    reader.protocol.send_line(b"late")
    reader.protocol.stop_sending()
    reader.protocol.stop_sending()
    assert reader.transport.producer is None
    reader.protocol.resumeProducing()
    assert reader.transport.value() == b""
