import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minicloud.kv.commands import Record
from minicloud.raft.configuration import Configuration
from minicloud.raft.entries import SnapshotMeta
from minicloud.wire import limits
from minicloud.wire.errors import WireError
from minicloud.wire.snapshots import (
    SnapshotFooter,
    SnapshotHeader,
    SnapshotItems,
    decode_items,
    decode_snapshot_footer,
    decode_snapshot_header,
    decode_snapshot_payload,
    encode_items,
    encode_snapshot_footer,
    encode_snapshot_header,
)
from tests.wire.strategies import counts, ids, items, snapshot_metas

META = SnapshotMeta(5, 2, Configuration(), 1)
HEADER = encode_snapshot_header(SnapshotHeader("c1", META))
FOOTER = encode_snapshot_footer(SnapshotFooter(3))
ITEMS = encode_items([("k", Record(b"v", 4, 3, 2))])


@given(st.builds(SnapshotHeader, ids, snapshot_metas()))
def test_a_header_reads_as_it_was_written(header):
    assert decode_snapshot_header(encode_snapshot_header(header)) == header


@given(items)
def test_items_read_as_they_were_written(some_items):
    encoded = encode_items(some_items)
    assert decode_items(encoded) == some_items
    assert decode_snapshot_payload(encoded) == SnapshotItems(tuple(some_items))


@given(st.builds(SnapshotFooter, counts))
def test_a_footer_reads_as_it_was_written(footer):
    assert decode_snapshot_footer(encode_snapshot_footer(footer)) == footer


def test_the_shape_on_disk_stays_the_same():
    assert HEADER == (
        b'{"type":"header","format":1,"cluster_id":"c1","snapshot":{"index":5,"term":2,'
        b'"configuration":{"members":[]},"configuration_index":1}}'
    )
    assert ITEMS == b'{"type":"items","items":[["k","dg==",4,3,2]]}'
    assert FOOTER == b'{"type":"footer","items":3}'


def test_an_item_of_the_largest_value_fits_into_a_payload():
    largest = [('"' * 1024, Record(bytes(limits.MAX_VALUE_BYTES_LIMIT), limits.MAX_INT, limits.MAX_INT, 1))]
    assert decode_items(encode_items(largest)) == largest


@pytest.mark.parametrize(
    ("decode", "payload"),
    [
        (decode_snapshot_header, ITEMS),
        (decode_snapshot_header, FOOTER),
        (decode_items, HEADER),
        (decode_items, FOOTER),
        (decode_snapshot_footer, ITEMS),
        (decode_snapshot_footer, HEADER),
    ],
)
def test_another_payload_than_the_expected_one_is_refused(decode, payload):
    with pytest.raises(WireError, match="expected"):
        decode(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'{"type":"sessions","items":[]}',
        HEADER.replace(b'"format":1', b'"format":2'),
        HEADER.replace(b"c1", b""),
        HEADER.replace(b'"index":5', b'"index":0'),
        ITEMS.replace(b'"k"', b'""'),
        ITEMS.replace(b'"k"', b'"\\n"'),
        ITEMS.replace(b'"k"', b'"\\ud800"'),
        ITEMS.replace(b"4,3,2", b"2,3,1"),
        ITEMS.replace(b"4,3,2", b"4,0,2"),
        ITEMS.replace(b"4,3,2", b"4,3,true"),
        ITEMS.replace(b"4,3,2", b"4,3"),
        ITEMS.replace(b"4,3,2", b"4,3,2,1"),
        ITEMS.replace(b"dg==", b"dg="),
        FOOTER.replace(b"3", b"-3"),
        FOOTER.replace(b"3", b"3.0"),
        b'{"type":"items","items":' + b"[" * 100_000,
        json.dumps(
            {"type": "items", "items": [["k", "A" * (limits.MAX_VALUE_BYTES_LIMIT // 3 * 4 + 8), 1, 1, 1]]}
        ).encode(),
    ],
)
def test_a_malformed_payload_is_refused_in_one_printable_line(payload):
    with pytest.raises(WireError) as caught:
        decode_snapshot_payload(payload)
    assert str(caught.value).isprintable()


def test_a_snapshot_of_no_cluster_is_not_written():
    with pytest.raises(AssertionError):
        encode_snapshot_header(SnapshotHeader("", META))


def test_a_payload_longer_than_can_be_read_is_not_written():
    record = Record(bytes(limits.MAX_VALUE_BYTES_LIMIT), 1, 1, 1)
    with pytest.raises(AssertionError):
        encode_items([("a", record), ("b", record)])
