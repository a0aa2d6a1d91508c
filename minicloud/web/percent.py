"""Percent-encoding as it comes in request targets (RFC 3986, section 2.1)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def percent_decode(raw: bytes) -> bytes | None:
    """Return the bytes that are meant, None where some percent sign is not followed by two hexadecimal digits."""
    if b"%" not in raw:
        return raw
    return None if _BROKEN_ESCAPE.search(raw) else unquote_to_bytes(raw)
