"""Makes a PNG smaller without changing a pixel.

Browsers filter each line, which is good for photographs. A picture of a page has large areas of one colour and letters that
are repeated: without filters, deflate finds them (PNG specification, section 12.7).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_BYTES_PER_PIXEL = {2: 3, 6: 4}
"""By colour type, at 8 bits a channel: what browsers write."""


def repacked(png: bytes) -> bytes:
    """Return the same picture without filters; raises ValueError for a PNG that no browser writes."""
    chunks = list(_chunks(png))
    header = chunks[0][1]
    width, _height, depth, colour_type, _compression, _filter, interlace = struct.unpack(">IIBBBBB", header)
    if depth != 8 or colour_type not in _BYTES_PER_PIXEL or interlace:
        raise ValueError("expected 8 bits a channel, in colour, not interlaced")
    data = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
    pixel = _BYTES_PER_PIXEL[colour_type]
    lines = b"".join(b"\0" + line for line in _unfiltered(data, width * pixel, pixel))
    packed = [(b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(name, content) for name, content in packed)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    if not png.startswith(_SIGNATURE):
        raise ValueError("expected a PNG")
    start = len(_SIGNATURE)
    while start < len(png):
        (length,) = struct.unpack(">I", png[start : start + 4])
        yield png[start + 4 : start + 8], png[start + 8 : start + 8 + length]
        start += 12 + length


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _unfiltered(data: bytes, width_bytes: int, pixel: int) -> Iterator[bytes]:
    """Give the lines as they are (PNG specification, section 9.2); ``pixel`` is the number of bytes of one."""
    above = bytes(pixel + width_bytes)
    for start in range(0, len(data), width_bytes + 1):
        # With one pixel of zeros before it, each line has a left neighbour everywhere.
        line = bytearray(pixel) + data[start + 1 : start + 1 + width_bytes]
        _undo(data[start], line, above, pixel)
        above = bytes(line)
        yield above[pixel:]


def _undo(kind: int, line: bytearray, above: bytes, pixel: int) -> None:
    for place in range(pixel, len(line)):
        left, up, corner = line[place - pixel], above[place], above[place - pixel]
        guess = (0, left, up, (left + up) // 2, _paeth(left, up, corner))[kind]
        line[place] = (line[place] + guess) & 0xFF


def _paeth(left: int, up: int, corner: int) -> int:
    """Return the neighbour that is nearest to left + up - corner."""
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner
