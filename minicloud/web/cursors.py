"""Cursors: where the next page of a listing goes on, in a text that only we make.

It holds the last key of the page, or the last rolled-up prefix, and how much of it is the prefix of the listing, so that it goes
on after a key that has been deleted, on any node, and nothing has to be remembered of it. The checksum is against accidents (a
cursor that was cut, a text of somebody else's); whoever makes one up gets no more than a listing from another key.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from zlib import crc32

from attrs import frozen

from minicloud.kv.commands import key_problem
from minicloud.web.problems import Problem, bad_parameter

_AFTER_KEY, _AFTER_ROLLED_UP = b"\x01", b"\x02"
"""The first byte: after what the listing goes on. Another form of cursors would take another one."""
_LENGTH_BYTES = 2
_CHECKSUM_BYTES = 4


@frozen
class Place:
    """After what a listing goes on."""

    name: str
    """A key, or a rolled-up prefix."""
    rolled_up: bool = False
    """Whether every key that begins with the name has been told of, too."""


def make_cursor(prefix: str, place: Place) -> str:
    """Return the cursor that goes on after a place, whose name begins with ``prefix``. It needs no encoding in a URL."""
    length = len(prefix.encode("utf-8")).to_bytes(_LENGTH_BYTES, "big")
    content = (_AFTER_ROLLED_UP if place.rolled_up else _AFTER_KEY) + length + place.name.encode("utf-8")
    checksum = crc32(content).to_bytes(_CHECKSUM_BYTES, "big")
    return urlsafe_b64encode(content + checksum).rstrip(b"=").decode("ascii")


def place_of_cursor(cursor: str, prefix: str) -> Place:
    """Return the place after which a listing of ``prefix`` goes on.

    Raises Problem (400) where we never made such a cursor, or not for this prefix.
    """
    own_prefix, place = _take_apart(cursor)
    # Decoders of base64 overlook a lot: only the very text that we would make is good, and with it the checksum.
    if key_problem(place.name.encode("utf-8")) is not None or make_cursor(own_prefix, place) != cursor:
        raise _foreign()
    if own_prefix != prefix:
        raise bad_parameter("cursor: it comes from a listing of another prefix")
    return place


def _take_apart(cursor: str) -> tuple[str, Place]:
    """Return prefix and place, unchecked."""
    try:
        content = urlsafe_b64decode(cursor.encode("ascii") + b"==")[:-_CHECKSUM_BYTES]
        kind, content = content[:1], content[1:]
        length, name = int.from_bytes(content[:_LENGTH_BYTES], "big"), content[_LENGTH_BYTES:]
        return name[:length].decode("utf-8"), Place(name.decode("utf-8"), kind == _AFTER_ROLLED_UP)
    except ValueError:
        raise _foreign() from None


def _foreign() -> Problem:
    return bad_parameter("cursor: expected the next_cursor of the page before")
