"""The record: only what was written, only where it was written."""

from __future__ import annotations

import pytest

from minicloud.storage.frames import HEADER_BYTES, MAX_PAYLOAD_BYTES, BadFrame, frame, parse_frame

RECORD = frame(7, 100, b"pay", b"load")


def test_a_record_gives_its_payload_back():
    assert parse_frame(b"xx" + RECORD + b"more", 2, 7, 100) == b"payload"
    assert len(RECORD) == HEADER_BYTES + 7


@pytest.mark.parametrize(("salt", "offset"), [(8, 100), (7, 101), (7, 0), (0, 100)])
def test_a_record_is_none_in_another_file_or_at_another_place(salt, offset):
    found = parse_frame(RECORD, 0, salt, offset)
    assert isinstance(found, BadFrame)
    assert not found.is_short


@pytest.mark.parametrize("size", range(len(RECORD)))
def test_a_record_that_may_go_on_is_short(size):
    found = parse_frame(RECORD[:size], 0, 7, 100)
    assert isinstance(found, BadFrame)
    assert found.is_short


@pytest.mark.parametrize("bit", range(len(RECORD) * 8))
def test_any_flipped_bit_is_found(bit):
    flipped = bytearray(RECORD)
    flipped[bit // 8] ^= 1 << bit % 8
    assert isinstance(parse_frame(flipped, 0, 7, 100), BadFrame)


def test_zeros_are_no_record():
    assert isinstance(parse_frame(bytes(1000), 0, 0, 0), BadFrame)


def test_the_longest_payload_fits_and_begins_with_a_zero_byte():
    record = frame(0, 0, bytes(MAX_PAYLOAD_BYTES))
    assert record[0] == 0
    assert parse_frame(record, 0, 0, 0) == bytes(MAX_PAYLOAD_BYTES)
    with pytest.raises(ValueError):
        frame(0, 0, bytes(MAX_PAYLOAD_BYTES), b"x")
    assert parse_frame(b"\1" + record[1:], 0, 0, 0) == BadFrame("a record's length can't be")
