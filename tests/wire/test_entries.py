import json

import pytest
from hypothesis import given

from minicloud.raft.configuration import Configuration, Member, Suffrage
from minicloud.raft.entries import Entry, EntryKind
from minicloud.wire import limits
from minicloud.wire.entries import decode_entry, encode_entry
from minicloud.wire.errors import WireError
from tests.wire.strategies import entries

MEMBER = {"node_id": "n1", "raft_addr": "h:1", "http_addr": "h:2", "suffrage": "Voter"}


def configuration_entry(**changes):
    line = {"term": 1, "index": 1, "kind": "configuration", "configuration": {"members": [MEMBER | changes]}}
    return json.dumps(line).encode()


@given(entries())
def test_an_entry_reads_as_it_was_written(entry):
    encoded = encode_entry(entry)
    assert decode_entry(encoded) == entry
    assert decode_entry(memoryview(encoded)) == entry
    assert b"\n" not in encoded
    json.loads(encoded)


def test_the_bytes_of_a_command_are_spliced_and_cut_out_as_they_are():
    command = b'{ "b" : 1.50, "a":"\\u00e9", "b":2 }'
    encoded = encode_entry(Entry(2, 5, data=command))
    assert encoded == b'{"term":2,"index":5,"data":' + command + b"}"
    assert decode_entry(encoded).data == command


def test_the_shape_on_disk_and_between_members_stays_the_same():
    member = Member("n1", "10.0.0.1:9011", "10.0.0.1:9001", Suffrage.LEARNER, False, "ab12")
    assert encode_entry(Entry(3, 4, EntryKind.NO_OP)) == b'{"term":3,"index":4,"kind":"no_op"}'
    assert encode_entry(Entry(3, 4, EntryKind.CONFIGURATION, configuration=Configuration((member,)))) == (
        b'{"term":3,"index":4,"kind":"configuration","configuration":{"members":[{"node_id":"n1",'
        b'"raft_addr":"10.0.0.1:9011","http_addr":"10.0.0.1:9001","suffrage":"Learner","auto_promote":false,'
        b'"instance_id":"ab12"}]}}'
    )


def test_a_decoded_entry_keeps_no_hold_on_the_line_that_it_came_in():
    line = bytearray(encode_entry(Entry(1, 1, data=b'"abc"')))
    entry = decode_entry(memoryview(line))
    line[:] = b" " * len(line)
    assert entry.data == b'"abc"'


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"term":1,"index":1}',
        b'{"term":0,"index":1,"data":1}',
        b'{"term":1,"index":0,"data":1}',
        b'{"term":-1,"index":1,"data":1}',
        b'{"term":true,"index":1,"data":1}',
        b'{"term":1.0,"index":1,"data":1}',
        b'{"term":"1","index":1,"data":1}',
        b'{"term":NaN,"index":1,"data":1}',
        b'{"term":9223372036854775808,"index":1,"data":1}',
        b'{"term":1' + b"0" * 5000 + b',"index":1,"data":1}',
        b'{"term":1,"index":1,"data":1,"more":1}',
        b'{"term":1,"index":1,"data":1} {}',
        b'{"term":1,"index":1,"data":NaN}',
        b'{"term":1,"index":1,"data":{"a":1,}}',
        b'{"term":1,"index":1,"data":"\xff"}',
        b'{"term":1,"index":1,"data":"\xed\xa0\x80"}',
        b'{"term":1,"index":1,"data":"a\x01b"}',
        b'{"term":1,"index":1,"data":' + b"[" * 100_000,
        b'{"term":1,"index":1,"data":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_001,
        b'{"term":1,"index":1,"kind":"command"}',
        b'{"term":1,"index":1,"kind":"other","data":1}',
        b'{"term":1,"index":1,"kind":"no_op","data":1}',
        b'{"term":1,"index":1,"kind":"configuration"}',
        b'{"term":1,"index":1,"kind":"no_op","configuration":{"members":[]}}',
        b'{"term":1,"index":1,"data":1,"configuration":{"members":[]}}',
        b'{"term":1,"index":1,"kind":"configuration","data":1,"configuration":{"members":[]}}',
        b'{"term":1,"index":1,"\xff":1}',
        b'\xef\xbb\xbf{"term":1,"index":1,"data":1}',
    ],
)
def test_a_malformed_entry_is_refused_in_one_printable_line(line):
    with pytest.raises(WireError) as caught:
        decode_entry(line)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_a_key_that_stands_twice_means_its_last_value_and_both_are_checked():
    assert decode_entry(b'{"term":1,"index":1,"data":1,"term":2}').term == 2
    with pytest.raises(WireError):
        decode_entry(b'{"term":-1,"index":1,"data":1,"term":2}')


def test_a_configuration_is_read_with_its_defaults():
    entry = decode_entry(configuration_entry())
    assert entry.configuration == Configuration((Member("n1", "h:1", "h:2"),))


@pytest.mark.parametrize(
    "changes",
    [
        {"node_id": ""},
        {"node_id": "a" * 65},
        {"node_id": "a b"},
        {"node_id": "a\n"},
        {"node_id": "ключ"},
        {"node_id": 1},
        {"raft_addr": ""},
        {"raft_addr": "host"},
        {"raft_addr": "host:0"},
        {"raft_addr": "host:65536"},
        {"raft_addr": "host:1\n"},
        {"raft_addr": "host:01"},
        {"raft_addr": ":1"},
        {"raft_addr": "::1:9011"},
        {"raft_addr": "a/b:1"},
        {"raft_addr": "user@host:1"},
        {"raft_addr": "h" * 260 + ":1"},
        {"http_addr": "http://host:1"},
        {"http_addr": "h:\uff11"},
        {"suffrage": "voter"},
        {"auto_promote": 1},
        {"instance_id": "a b"},
    ],
)
def test_a_member_that_nobody_could_reach_or_name_is_refused(changes):
    with pytest.raises(WireError):
        decode_entry(configuration_entry(**changes))


def test_two_members_of_one_id_are_refused():
    line = {"term": 1, "index": 1, "kind": "configuration", "configuration": {"members": [MEMBER, MEMBER]}}
    with pytest.raises(WireError, match="same node id"):
        decode_entry(json.dumps(line).encode())


def many_members(count):
    return tuple(Member(f"n{number}", "h:1", "h:2") for number in range(count))


def test_more_members_than_allowed_are_refused():
    whole = [MEMBER | {"node_id": f"n{number}"} for number in range(limits.MAX_MEMBERS + 1)]
    line = {"term": 1, "index": 1, "kind": "configuration", "configuration": {"members": whole}}
    with pytest.raises(WireError):
        decode_entry(json.dumps(line).encode())


@pytest.mark.parametrize(
    "entry",
    [
        Entry(1, 1),
        Entry(1, 1, EntryKind.CONFIGURATION),
        Entry(1, 1, EntryKind.CONFIGURATION, configuration=Configuration(many_members(limits.MAX_MEMBERS + 1))),
        Entry(1, 1, EntryKind.CONFIGURATION, configuration=Configuration((Member("a b", "h:1", "h:2"),))),
        Entry(1, 1, EntryKind.CONFIGURATION, configuration=Configuration((Member("a", "h", "h:2"),))),
        Entry(1, 1, EntryKind.CONFIGURATION, configuration=Configuration((Member("a", "h:1", "h" * 400 + ":2"),))),
        Entry(
            1, 1, EntryKind.CONFIGURATION, configuration=Configuration((Member("a", "h:1", "h:2", instance_id="?"),))
        ),
        Entry(1, 1, data=b'"' + b"x" * limits.MAX_LINE_BYTES + b'"'),
    ],
)
def test_what_would_be_refused_when_read_is_not_written(entry):
    with pytest.raises(AssertionError):
        encode_entry(entry)


def test_a_command_longer_than_allowed_is_refused():
    longest = b'"' + b"x" * (limits.MAX_COMMAND_BYTES - 2) + b'"'
    assert decode_entry(encode_entry(Entry(1, 1, data=longest))).data == longest
    with pytest.raises(WireError, match="bytes"):
        decode_entry(encode_entry(Entry(1, 1, data=longest[:-1] + b'x"')))


def test_a_record_longer_than_allowed_is_refused_unread():
    with pytest.raises(WireError, match="more than"):
        decode_entry(b" " * (limits.MAX_LINE_BYTES + 1))
