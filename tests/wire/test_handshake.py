import json

import pytest
from hypothesis import given

from minicloud.wire import limits
from minicloud.wire.errors import WireError
from minicloud.wire.handshake import (
    NONCE_BYTES,
    PROTOCOL_VERSION,
    Challenge,
    Hello,
    Proof,
    Refused,
    Welcome,
    decode_handshake,
    encode_handshake,
    refused,
)
from tests.wire.strategies import handshakes

NONCE = "0123456789abcdef" * 2
PROOF = "0123456789abcdef" * 4
HELLO = {
    "type": "hello",
    "version": 1,
    "cluster_id": "",
    "from_id": "n1",
    "to_id": "n2",
    "instance_id": "i1",
    "nonce": NONCE,
}
CHALLENGE = {"type": "challenge", "cluster_id": "c1", "instance_id": "i2", "nonce": NONCE, "proof": PROOF}
REFUSED = {"type": "refused", "code": "removed", "detail": "you are no member", "configuration_index": 7}


def line(fields, **changes):
    return json.dumps(fields | changes).encode()


@given(handshakes)
def test_a_line_of_the_handshake_reads_as_it_was_written(message):
    encoded = encode_handshake(message)
    assert decode_handshake(encoded) == message
    assert len(encoded) <= limits.MAX_HANDSHAKE_LINE_BYTES
    assert b"\n" not in encoded


def test_the_shape_between_members_stays_the_same():
    assert decode_handshake(line(HELLO)) == Hello(PROTOCOL_VERSION, "", "n1", "n2", "i1", NONCE)
    assert decode_handshake(line(CHALLENGE)) == Challenge("c1", "i2", NONCE, PROOF)
    assert decode_handshake(line(REFUSED)) == Refused("removed", "you are no member", 7)
    assert decode_handshake(b'{"type":"refused","code":"busy"}') == Refused("busy")
    assert encode_handshake(Proof("")) == b'{"type":"proof","proof":""}'
    assert encode_handshake(Welcome()) == b'{"type":"welcome"}'
    assert len(NONCE) == 2 * NONCE_BYTES


def test_a_later_version_is_understood_well_enough_to_be_refused():
    hello = decode_handshake(line(HELLO, version=9, compression=["zstd"]))
    assert (hello.version, hello.from_id) == (9, "n1")
    assert decode_handshake(line(REFUSED, hint="upgrade")).code == "removed"


def test_a_refusal_is_made_printable_and_short_whatever_it_quotes():
    message = refused("bad_line", "a\nb\x1b[2Jключ" + "x" * 1000, 3)
    assert message == decode_handshake(encode_handshake(message))
    assert message.detail.startswith("a?b?[2J????x")
    assert len(message.detail) == limits.MAX_DETAIL_CHARACTERS


@pytest.mark.parametrize(
    "malformed",
    [
        b"",
        b"GET / HTTP/1.1\r",
        b"\x16\x03\x01\x02\x00",
        b"{}",
        line({"type": "heartbeat", "term": 1}),
        line(HELLO, version=-1),
        line(HELLO, version=True),
        line(HELLO, version="1"),
        line(HELLO, from_id=""),
        line(HELLO, to_id="a b"),
        line(HELLO, instance_id=""),
        line(HELLO, cluster_id="x" * 65),
        line(HELLO, cluster_id=None),
        line(HELLO, nonce=""),
        line(HELLO, nonce=NONCE.upper()),
        line(HELLO, nonce=NONCE + "\n"),
        line(HELLO, nonce=NONCE + "00"),
        line(CHALLENGE, proof=PROOF[:-1]),
        line(CHALLENGE, proof="é" * 64),
        line({"type": "proof"}),
        line(REFUSED, code=""),
        line(REFUSED, code="Not Snake"),
        line(REFUSED, detail="two\nlines"),
        line(REFUSED, detail="x" * 257),
        line(REFUSED, detail="\u202e"),
        line(REFUSED, configuration_index=-1),
        line(HELLO, padding="x" * limits.MAX_HANDSHAKE_LINE_BYTES),
        b"[" * limits.MAX_HANDSHAKE_LINE_BYTES,
    ],
)
def test_a_strangers_line_is_refused_in_one_printable_line(malformed):
    with pytest.raises(WireError) as caught:
        decode_handshake(malformed)
    assert str(caught.value).isprintable()
