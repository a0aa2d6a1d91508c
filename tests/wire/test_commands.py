import json

import pytest
from hypothesis import given

from minicloud.kv.commands import ALWAYS, Delete, Precondition, Put
from minicloud.wire import limits
from minicloud.wire.commands import decode_command, encode_command
from minicloud.wire.errors import WireError
from tests.wire.strategies import commands


@given(commands)
def test_a_command_reads_as_it_was_written(command):
    encoded = encode_command(command)
    assert decode_command(encoded) == command
    assert b"\n" not in encoded
    json.loads(encoded)


def test_the_shape_in_the_log_stays_the_same():
    assert encode_command(Put("ключ/a", b"\x00\xff")) == '{"type":"put","key":"ключ/a","value":"AP8="}'.encode()
    assert encode_command(Delete("a", Precondition(True, (5, 7)))) == (
        b'{"type":"delete","key":"a","precondition":{"exists":true,"revisions":[5,7]}}'
    )


def test_an_empty_list_of_revisions_is_not_the_same_as_none():
    never = Put("k", b"", Precondition(revisions=()))
    assert decode_command(encode_command(never)) == never != Put("k", b"", ALWAYS)


def test_the_largest_command_fits_into_an_entry():
    key = '"' * 1024
    revisions = (limits.MAX_INT,) * limits.MAX_REVISIONS
    largest = Put(key, b"\xff" * limits.MAX_VALUE_BYTES_LIMIT, Precondition(True, revisions))
    assert decode_command(encode_command(largest)) == largest


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"{}",
        b'{"type":"put","key":"k"}',
        b'{"type":"put","value":""}',
        b'{"type":"txn","key":"k","value":""}',
        b'{"key":"k","value":""}',
        b'{"type":"put","key":"k","value":"","ttl":5}',
        b'{"type":"delete","key":"k","value":""}',
        b'{"type":"put","key":"k","value":"A"}',
        b'{"type":"put","key":"k","value":"A-_="}',
        b'{"type":"put","key":"k","value":[1]}',
        b'{"type":"put","key":"","value":""}',
        b'{"type":"put","key":"a\\u0000","value":""}',
        b'{"type":"put","key":"\\u0085","value":""}',
        b'{"type":"put","key":"\\ud800","value":""}',
        b'{"type":"put","key":"\\udc00\\ud800","value":""}',
        b'{"type":"put","key":"\xff","value":""}',
        b'{"type":"put","key":"' + b"k" * 1025 + b'","value":""}',
        b'{"type":"put","key":"k","value":"","precondition":{"exists":1}}',
        b'{"type":"put","key":"k","value":"","precondition":{"revisions":[-1]}}',
        b'{"type":"put","key":"k","value":"","precondition":{"revisions":[true]}}',
        b'{"type":"put","key":"k","value":"","precondition":{"revision":1}}',
        b'{"type":"delete","key":"k","precondition":{"revisions":[' + b"1," * limits.MAX_REVISIONS + b"1]}}",
        b"[" * 100_000,
    ],
)
def test_a_malformed_command_is_refused_in_one_printable_line(line):
    with pytest.raises(WireError) as caught:
        decode_command(line)
    assert str(caught.value).isprintable()


def test_a_value_larger_than_any_setting_allows_is_refused():
    too_large = "A" * (limits.MAX_VALUE_BYTES_LIMIT // 3 * 4 + 8)
    with pytest.raises(WireError, match="at most"):
        decode_command(b'{"type":"put","key":"k","value":"%b"}' % too_large.encode())


@pytest.mark.parametrize(
    "command",
    [
        Put("", b""),
        Put("a\n", b""),
        Delete("k" * 1025),
        Put("k", bytes(limits.MAX_VALUE_BYTES_LIMIT + 1)),
        Delete("k", Precondition(revisions=(1,) * (limits.MAX_REVISIONS + 1))),
        Delete("k", Precondition(revisions=(limits.MAX_INT + 1,))),
        Delete("k", Precondition(revisions=(-1,))),
    ],
)
def test_what_would_be_refused_when_read_is_not_proposed(command):
    with pytest.raises(AssertionError):
        encode_command(command)
