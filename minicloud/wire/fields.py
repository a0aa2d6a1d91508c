"""The building blocks of every line: bounded numbers, well-formed names, and decoding that fails in one way only."""

from __future__ import annotations

import re
from typing import Annotated, TypeAlias, TypeVar

import msgspec
from msgspec import Meta

from minicloud.wire.errors import WireError
from minicloud.wire.limits import MAX_ADDRESS_CHARACTERS, MAX_INT

_ID = r"[A-Za-z0-9._-]{1,64}"
_HOST = r"(?:[A-Za-z0-9_][A-Za-z0-9._-]{0,253}|\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,32})?\])"
_PORT = r"(?:[1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])"

Count: TypeAlias = Annotated[int, Meta(ge=0, le=MAX_INT)]
"""A term, index, size or number of things that may be 0."""

Position: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_INT)]
"""A term or index of something that exists."""

Id: TypeAlias = Annotated[str, Meta(pattern=rf"\A{_ID}\Z")]
"""A node id."""

OptionalId: TypeAlias = Annotated[str, Meta(pattern=rf"\A(?:{_ID})?\Z")]
"""An instance or cluster id; empty where it is not known yet."""

HostPort: TypeAlias = Annotated[str, Meta(pattern=rf"\A{_HOST}:{_PORT}\Z", max_length=MAX_ADDRESS_CHARACTERS)]
"""``host:port`` with a host name, an IPv4 address, or an IPv6 address in brackets; port 1 to 65535."""

T = TypeVar("T")

_MAX_REASON_CHARACTERS = 200
"""The reason may quote the input; a log line stays readable."""


class Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Base of all structs that mirror JSON. ``gc=False``: they never form a cycle, and are dropped at once."""


class TaggedLine(Line, frozen=True, tag_field="type"):
    """Base of the structs that say in ``type`` which one they are."""


ENCODER = msgspec.json.Encoder()


def is_id(text: str) -> bool:
    """Return whether that is a well-formed node id: 1 to 64 of letters, digits, ``.``, ``_`` and ``-``."""
    return re.fullmatch(_ID, text) is not None


def is_host_port(text: str) -> bool:
    """Return whether members can be sent that address, see HostPort."""
    return len(text) <= MAX_ADDRESS_CHARACTERS and re.fullmatch(f"{_HOST}:{_PORT}", text) is not None


def decode_line(decoder: msgspec.json.Decoder[T], data: bytes | memoryview, limit_bytes: int, what: str) -> T:
    """Decode one JSON value into the decoder's type.

    Args:
        decoder: of the type that is expected.
        data: the value, without a newline.
        limit_bytes: the longest ``data`` accepted.
        what: names the kind of line in the error.

    Raises:
        WireError: it is too long, no JSON, nested too deep, or not of that type.
    """
    if len(data) > limit_bytes:
        raise WireError(f"{what}: {len(data)} bytes are more than the {limit_bytes} allowed")
    try:
        return decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"{what}: {_printable(str(error))}") from error


def _printable(reason: str) -> str:
    return ascii(reason)[1:-1][:_MAX_REASON_CHARACTERS]
