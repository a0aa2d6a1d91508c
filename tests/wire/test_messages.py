import json

import attrs
import msgspec
import pytest
from hypothesis import given

from minicloud.raft import messages as raft
from minicloud.raft.configuration import Configuration
from minicloud.raft.entries import Entry, EntryKind, SnapshotMeta
from minicloud.wire import limits, message_lines
from minicloud.wire.errors import WireError
from minicloud.wire.messages import decode_message, encode_message
from tests.wire.strategies import messages

META = {"index": 5, "term": 2, "configuration": {"members": []}, "configuration_index": 0}
APPEND = {"type": "append_entries", "term": 4, "prev_log_index": 7, "prev_log_term": 2, "commit_index": 6}
INSTALL = {"type": "install_snapshot", "term": 4, "snapshot": META, "offset": 0, "total_bytes": 4, "data": "AAAA"}


def line(fields, **changes):
    return json.dumps(fields | changes).encode()


def entry(term, index):
    return {"term": term, "index": index, "kind": "no_op"}


@given(messages)
def test_a_message_reads_as_it_was_written(message):
    encoded = encode_message(message)
    assert decode_message(encoded) == message
    assert decode_message(memoryview(encoded)) == message
    assert b"\n" not in encoded
    json.loads(encoded)


def test_every_message_has_a_line_with_the_same_fields():
    for message_type in raft.Message.__args__:
        line_type = getattr(message_lines, f"{message_type.__name__}Line")
        names = [field.name for field in attrs.fields(message_type)]
        mirrored = [field.name for field in msgspec.structs.fields(line_type)]
        assert sorted(names) == sorted(mirrored)
        if message_type not in (raft.AppendEntries, raft.InstallSnapshot):
            assert names == mirrored, "the plain ones are copied by position"


def test_the_shape_between_members_stays_the_same():
    append = raft.AppendEntries(3, 8, 2, (Entry(3, 9, data=b'{"x":1}'), Entry(3, 10, EntryKind.NO_OP)), 8, 4)
    assert encode_message(append) == (
        b'{"type":"append_entries","term":3,"prev_log_index":8,"prev_log_term":2,"commit_index":8,"round":4,'
        b'"entries":[{"term":3,"index":9,"data":{"x":1}},{"term":3,"index":10,"kind":"no_op"}]}'
    )
    assert encode_message(raft.TimeoutNow(7)) == b'{"type":"timeout_now","term":7}'
    assert encode_message(raft.VoteReply(7, False)) == b'{"type":"vote_reply","term":7,"granted":false}'


def test_the_commands_of_entries_are_spliced_and_cut_out_as_they_are():
    command = '{ "ключ" : [1.50 ,{} ], "a":1, "a":2 }'.encode()
    encoded = encode_message(raft.AppendEntries(1, 0, 0, (Entry(1, 1, data=command),), 0))
    assert command in encoded
    assert decode_message(encoded).entries[0].data == command


def test_one_entry_of_the_largest_value_fits_into_a_line():
    data = b'"' + b"x" * (limits.MAX_COMMAND_BYTES - 2) + b'"'
    most = limits.MAX_INT
    append = raft.AppendEntries(most, most - 1, most, (Entry(most, most, data=data),), most, most)
    assert decode_message(encode_message(append)) == append


def test_the_largest_chunk_fits_into_a_line():
    meta = SnapshotMeta(1, 1, Configuration(), 0)
    chunk = raft.InstallSnapshot(1, meta, 0, bytes(limits.MAX_CHUNK_BYTES), limits.MAX_CHUNK_BYTES)
    assert decode_message(encode_message(chunk)) == chunk


def test_a_line_longer_than_the_peer_reads_is_not_written():
    half = Entry(1, 1, data=b'"' + b"x" * (limits.MAX_LINE_BYTES // 2) + b'"')
    with pytest.raises(AssertionError):
        encode_message(raft.AppendEntries(1, 0, 0, (half, attrs.evolve(half, index=2)), 0))


@pytest.mark.parametrize(
    ("terms_and_indexes", "reason"),
    [
        ([(2, 9)], "comes after 7"),
        ([(2, 7)], "comes after 7"),
        ([(2, 8), (2, 10)], "comes after 8"),
        ([(2, 8), (2, 8)], "comes after 8"),
        ([(1, 8)], "goes back from term 2"),
        ([(3, 8), (2, 9)], "goes back from term 3"),
        ([(5, 8)], "a leader of term 4"),
    ],
)
def test_entries_that_are_no_piece_of_one_log_are_refused(terms_and_indexes, reason):
    with pytest.raises(WireError, match=reason):
        decode_message(line(APPEND, entries=[entry(*each) for each in terms_and_indexes]))


def test_entries_that_follow_on_are_read():
    read = decode_message(line(APPEND, entries=[entry(2, 8), entry(2, 9), entry(4, 10)]))
    assert [(each.term, each.index) for each in read.entries] == [(2, 8), (2, 9), (4, 10)]
    assert read.round == 0


def test_a_probe_without_entries_is_read():
    assert decode_message(line(APPEND)) == raft.AppendEntries(4, 7, 2, (), 6)


@pytest.mark.parametrize(
    "malformed",
    [
        line(APPEND, prev_log_index=0),
        line(APPEND, prev_log_term=0),
        line(APPEND, prev_log_term=5),
        line(APPEND, term=0),
        line(APPEND, commit_index=-1),
        line(APPEND, commit_index=1.0),
        line(APPEND, commit_index=True),
        line(APPEND, commit_index=2**63),
        line(APPEND, entries=None),
        line(APPEND, entries=[{"term": 2, "index": 8}]),
        line(APPEND, entries=[entry(2, 8) | {"data": 1}]),
        line(APPEND, entries=[{"term": 2, "index": 8, "kind": "configuration"}]),
        line(APPEND, unknown=1),
        line(INSTALL, offset=2),
        line(INSTALL, total_bytes=0, data=""),
        line(INSTALL, total_bytes=2),
        line(INSTALL, data="AAA"),
        line(INSTALL, data="A" * (limits.MAX_CHUNK_BYTES // 3 * 4 + 8), total_bytes=2**40),
        line(INSTALL, term=1),
        line(INSTALL, snapshot=META | {"index": 0}),
        line(INSTALL, snapshot=META | {"term": 0}),
        line(INSTALL, snapshot=META | {"configuration_index": 6}),
        line(INSTALL, snapshot=META | {"configuration": None}),
        line({"type": "vote_request", "term": 0, "last_log_index": 0, "last_log_term": 0}),
        line({"type": "vote_request", "term": 1, "last_log_index": 5, "last_log_term": 0}),
        line({"type": "vote_request", "term": 1, "last_log_index": 0, "last_log_term": 1}),
        line({"type": "vote_request", "term": 1, "last_log_index": 5, "last_log_term": 2}),
        line({"type": "pre_vote_request", "term": 1, "last_log_index": 5, "last_log_term": 2}),
        line({"type": "vote_reply", "term": 1, "granted": 1}),
        line({"type": "vote_reply", "term": 1, "granted": "true"}),
        line({"type": "vote_reply", "term": 1, "granted": None}),
        line({"type": "heartbeat", "term": 1}),
        line({"type": "heartbeat", "term": 0, "commit_index": 0}),
        line({"type": "unknown", "term": 1}),
        line({"type": 1, "term": 1}),
        line({"term": 1}),
        b'{"type":"timeout_now","term":NaN}',
        b'{"type":"timeout_now","term":Infinity}',
        b'{"type":"timeout_now","term":1e2}',
        b'{"type":"timeout_now","term":1',
        b'{"type":"timeout_now","term":1}}',
        b'{"type":"timeout_now","term":1,"\\ud800":1}',
        b'{"type":"\xff"}',
        b"",
        b"{}",
        b"[]",
        b"\x00",
        b"[" * 1_000_000,
        b'{"type":' * 100_000,
    ],
)
def test_what_no_honest_peer_says_is_refused_in_one_printable_line(malformed):
    with pytest.raises(WireError) as caught:
        decode_message(malformed)
    assert str(caught.value).isprintable()


def test_the_reason_does_not_carry_the_senders_text_into_the_log():
    with pytest.raises(WireError) as caught:
        decode_message(line({"type": "timeout_now", "term": 1, "\n2026 root logged in\x1b[2J" + "ü" * 5000: 1}))
    assert str(caught.value).isprintable()
    assert str(caught.value).isascii()
    assert len(str(caught.value)) < 300
