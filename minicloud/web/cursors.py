"""Cursors: where the next page of a listing goes on, in a text that only we make.

It holds the last key of the page and how much of it is the prefix, so that it goes on after a key that has been deleted, on any
node, and nothing has to be remembered of it. The checksum is against accidents (a cursor that was cut, a text of somebody
else's); whoever makes one up gets no more than a listing from another key.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from zlib import crc32

from minicloud.kv.commands import key_problem
from minicloud.web.problems import Problem, bad_parameter

_VERSION = b"\x01"
_LENGTH_BYTES = 2
_CHECKSUM_BYTES = 4


def make_cursor(prefix: str, key: str) -> str:
    """Return the cursor that goes on after ``key``, which begins with ``prefix``. It needs no encoding in a URL."""
    length = len(prefix.encode("utf-8")).to_bytes(_LENGTH_BYTES, "big")
    content = _VERSION + length + key.encode("utf-8")
    checksum = crc32(content).to_bytes(_CHECKSUM_BYTES, "big")
    return urlsafe_b64encode(content + checksum).rstrip(b"=").decode("ascii")


def key_of_cursor(cursor: str, prefix: str) -> str:
    """Return the key after which a listing of ``prefix`` goes on.

    Raises Problem (400) where we never made such a cursor, or not for this prefix.
    """
    own_prefix, key = _take_apart(cursor)
    # Decoders of base64 overlook a lot: only the very text that we would make is good, and with it the checksum.
    if key_problem(key.encode("utf-8")) is not None or make_cursor(own_prefix, key) != cursor:
        raise _foreign()
    if own_prefix != prefix:
        raise bad_parameter("cursor: it comes from a listing of another prefix")
    return key


def _take_apart(cursor: str) -> tuple[str, str]:
    """Return prefix and key, unchecked."""
    try:
        content = urlsafe_b64decode(cursor.encode("ascii") + b"==")[len(_VERSION) : -_CHECKSUM_BYTES]
        length, key = int.from_bytes(content[:_LENGTH_BYTES], "big"), content[_LENGTH_BYTES:]
        return key[:length].decode("utf-8"), key.decode("utf-8")
    except ValueError:
        raise _foreign() from None


def _foreign() -> Problem:
    return bad_parameter("cursor: expected the next_cursor of the page before")
