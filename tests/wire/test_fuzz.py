"""Valid lines with bytes changed: they decode to something that can be written and read again, or raise WireError."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minicloud.wire.commands import decode_command, encode_command
from minicloud.wire.entries import decode_entry, encode_entry
from minicloud.wire.errors import WireError
from minicloud.wire.fields import is_host_port, is_id
from minicloud.wire.handshake import decode_handshake, encode_handshake
from minicloud.wire.messages import decode_message, encode_message
from minicloud.wire.snapshots import decode_items, encode_items
from tests.wire import strategies

CODECS = {
    "message": (encode_message, decode_message, strategies.messages),
    "entry": (encode_entry, decode_entry, strategies.entries()),
    "command": (encode_command, decode_command, strategies.commands),
    "items": (encode_items, decode_items, strategies.items),
    "handshake": (encode_handshake, decode_handshake, strategies.handshakes),
}
PIECES = [
    *(b"", b"0", b"-", b"9" * 30, b"true", b"null", b"NaN", b"1e400", b'"', b"\\u", b"\\ud800", b"{", b"}", b"[", b"]"),
    *(b",", b":", b"\xff", b"\xed\xa0\x80", b"\x00", b" ", b'"type":', b'"term":1,', b"[" * 3000),
]

# Drawn, not parametrized: pytest-twisted wraps a @given test once for each parameter, and the second wrapping fails.
codec_names = st.sampled_from(sorted(CODECS))


@st.composite
def mutations(draw, line):
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(line)))
        end = draw(st.integers(start, min(len(line), start + 8)))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=4) | st.just(line[start : start + 40]))
        line = line[:start] + piece + line[end:]
    return line.replace(b"\n", b" ")  # the framing leaves no newline in a line


@settings(max_examples=1500)
@given(name=codec_names, data=st.data())
def test_a_mutated_line_is_refused_or_means_something(name, data):
    encode, decode, originals = CODECS[name]
    line = data.draw(mutations(encode(data.draw(originals))))
    with contextlib.suppress(WireError):
        meaning = decode(line)
        assert decode(encode(meaning)) == meaning


@settings(max_examples=300)
@given(name=codec_names, line=st.binary(max_size=200))
def test_noise_is_refused(name, line):
    _encode, decode, _originals = CODECS[name]
    with pytest.raises(WireError) as caught:
        decode(line)
    assert str(caught.value).isprintable()


@given(strategies.ids, strategies.addresses)
def test_the_checks_for_other_rooms_accept_what_lines_accept(node_id, address):
    assert is_id(node_id)
    assert is_host_port(address)
    assert not is_id(node_id + "\n")
    assert not is_host_port(address + "\n")
    assert not is_host_port(node_id)
