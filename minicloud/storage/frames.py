"""The record that all files but ``identity.json`` are made of: length, checksum, payload.

=========  =====  ===========================================================================
bytes      what
=========  ==================================================================================
4          length of the payload, big-endian, below 2**24, so that the first byte is zero
4          CRC-32 of the file's salt, the record's offset in its file, the length, the payload
length     payload
=========  ==================================================================================

The salt and the offset are not stored. With them in the checksum, a record that a disk puts in the wrong place, or that
somebody hides inside a value, is none.

A file begins with a line that names its kind and version, for people and for versions to come.
"""

from __future__ import annotations

import re
import struct
import zlib
from typing import TypeAlias

from attrs import frozen

from minicloud.storage.errors import Damaged, UnsupportedFormat

MAX_PAYLOAD_BYTES = 2**24 - 1
"""Longest payload: holds an entry of the largest value allowed (8 MiB, in base64), and bounds what readers buffer."""

HEADER_BYTES = 8
"""What a record takes beside its payload."""

_HEADER = struct.Struct(">II")
_PLACE = struct.Struct(">QQI")
_MAGIC = re.compile(rb"minicloud ([a-z]+) ([0-9]{1,9})\n")

Buffer: TypeAlias = bytes | bytearray | memoryview


def magic(kind: str, version: int = 1) -> bytes:
    """Return the first line of a file of that kind."""
    return f"minicloud {kind} {version}\n".encode("ascii")


def check_magic(data: Buffer, kind: str, file: str) -> int:
    """Check the first line of a file and return its length.

    Raises:
        UnsupportedFormat: it is another version of that kind.
        Damaged: it is nothing of that kind.
    """
    expected = magic(kind)
    found = bytes(data[: len(expected) + 8])
    if found.startswith(expected):
        return len(expected)
    match = _MAGIC.match(found)
    if match is not None and match[1] == kind.encode("ascii"):
        raise UnsupportedFormat(file, match[2].decode("ascii"), "1")
    raise Damaged(file, 0, f"it does not begin with {expected[:-1].decode('ascii')!r}")


def checksum(salt: int, offset: int, length: int, payload_start: Buffer, payload_rest: Buffer = b"") -> int:
    """Return the checksum of a record whose payload is given in two parts."""
    crc = zlib.crc32(payload_start, zlib.crc32(_PLACE.pack(salt, offset, length)))
    return zlib.crc32(payload_rest, crc) if payload_rest else crc


def frame(salt: int, offset: int, start: bytes, rest: bytes = b"") -> bytes:
    """Return the record of a payload, given in two parts, that will stand at ``offset`` of its file.

    Raises:
        ValueError: the payload is too long.
    """
    length = len(start) + len(rest)
    if length > MAX_PAYLOAD_BYTES:
        raise ValueError(f"a record holds at most {MAX_PAYLOAD_BYTES} bytes, not {length}")
    return b"".join((_HEADER.pack(length, checksum(salt, offset, length, start, rest)), start, rest))


@frozen
class BadFrame:
    """Why there is no record at some offset."""

    reason: str
    is_short: bool = False
    """Whether more bytes might make it one."""


def parse_frame(data: Buffer, position: int, salt: int, offset: int) -> memoryview | BadFrame:
    """Return the payload of the record at ``position`` of ``data``, which is at ``offset`` of the file."""
    if len(data) - position < HEADER_BYTES:
        return BadFrame("a record's header is cut short", is_short=True)
    length, crc = _HEADER.unpack_from(data, position)
    if length > MAX_PAYLOAD_BYTES:
        return BadFrame("a record's length can't be")
    end = position + HEADER_BYTES + length
    if end > len(data):
        return BadFrame("a record is cut short", is_short=True)
    payload = memoryview(data)[position + HEADER_BYTES : end]
    if checksum(salt, offset, length, payload) != crc:
        return BadFrame("a record's checksum does not match")
    return payload
