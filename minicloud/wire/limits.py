"""How large things may get. Writers keep to these as well as readers."""

from __future__ import annotations

from minicloud.kv.commands import MAX_KEY_BYTES

MAX_INT = 2**63 - 1
"""Largest number in a line: terms, indexes, revisions and sizes fit in a signed 64-bit integer, whatever reads them."""

MAX_VALUE_BYTES_LIMIT = 8 * 1024 * 1024
"""Upper limit of the setting ``max_value_bytes``: a heartbeat that waits behind it waits well below a second."""

MAX_REVISIONS = 4096
"""Revisions in one precondition: as many as an HTTP header line of 16 KiB holds, so HTTP never meets this bound."""

MAX_MEMBERS = 64
"""Members of a configuration. Every member holds a link to every other; more would spend their time on heartbeats."""

MAX_ADDRESS_CHARACTERS = 320
"""``host:port``: 253 characters of host name (RFC 1035, section 2.3.4) or less of IPv6, and room to spare."""

MAX_CHUNK_BYTES = 256 * 1024
"""Snapshot bytes in one InstallSnapshot: a heartbeat behind it waits a few milliseconds on a 1 Gbit/s link."""

MAX_LINE_BYTES = 16 * 1024 * 1024
"""Longest line between peers and longest record on disk: holds one entry with the largest value allowed, in base64."""

MAX_HANDSHAKE_LINE_BYTES = 4 * 1024
"""Longest line before a peer has proved who it is: a stranger gets no more memory than this."""

MAX_DETAIL_CHARACTERS = 256
"""Longest explanation in a refusal; it ends up in one line of a log."""


def base64_bytes(raw_bytes: int) -> int:
    """Return the size of that many bytes in padded base64 (RFC 4648, section 4)."""
    return (raw_bytes + 2) // 3 * 4


_LONGEST_NUMBER_BYTES = 20
"""19 digits of MAX_INT and a comma."""

_FRAME_BYTES = 1024
"""Names, quotes and numbers around the large part of a line; several times what any of them needs."""

MAX_COMMAND_BYTES = (
    base64_bytes(MAX_VALUE_BYTES_LIMIT) + 2 * MAX_KEY_BYTES + MAX_REVISIONS * _LONGEST_NUMBER_BYTES + _FRAME_BYTES
)
"""Longest encoded command. A key's quotes and backslashes double; it has no control characters to take more."""

_MAX_MEMBER_BYTES = 2 * MAX_ADDRESS_CHARACTERS + _FRAME_BYTES

assert MAX_COMMAND_BYTES + 2 * _FRAME_BYTES <= MAX_LINE_BYTES, "one entry of the largest value fits into a line"
assert base64_bytes(MAX_CHUNK_BYTES) + MAX_MEMBERS * _MAX_MEMBER_BYTES + _FRAME_BYTES <= MAX_LINE_BYTES, "a chunk fits"
assert MAX_DETAIL_CHARACTERS + _FRAME_BYTES <= MAX_HANDSHAKE_LINE_BYTES, "a refusal fits into a handshake line"
