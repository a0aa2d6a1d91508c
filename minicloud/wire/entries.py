"""Log entries as JSON, in records on disk and in AppendEntries lines alike.

A command entry is ``{"term":3,"index":17,"data":…}`` with the command's own bytes in the place of the dots; other
kinds say so in ``kind``.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import Raw

from minicloud.raft.entries import Entry, EntryKind
from minicloud.wire.errors import WireError
from minicloud.wire.fields import ENCODER, Line, Position, decode_line
from minicloud.wire.limits import MAX_COMMAND_BYTES, MAX_LINE_BYTES
from minicloud.wire.members import ConfigurationLine, configuration_line, read_configuration

_NO_DATA = Raw(b"")
_COMMAND = EntryKind.COMMAND  # looked up once: on the path of every entry


class EntryLine(Line, frozen=True):
    """Mirror of Entry."""

    term: Position
    index: Position
    data: Raw = _NO_DATA
    kind: Literal["command", "no_op", "configuration"] = "command"
    configuration: ConfigurationLine | None = None


_DECODER = msgspec.json.Decoder(EntryLine)


def encode_entry(entry: Entry) -> bytes:
    """Return the entry as one JSON value without a newline. ``entry.data`` is spliced in as it is."""
    encoded = ENCODER.encode(entry_line(entry))
    assert len(encoded) <= MAX_LINE_BYTES, f"entry {entry.index} is too large to be read again: {len(encoded)} bytes"
    return encoded


def decode_entry(data: bytes | memoryview) -> Entry:
    """Return the entry that encode_entry made. Its command is cut out, checked to be JSON, and not decoded.

    Raises:
        WireError: it is no valid entry.
    """
    return read_entry(decode_line(_DECODER, data, MAX_LINE_BYTES, "log entry"))


def entry_line(entry: Entry) -> EntryLine:
    """Return the mirror of an entry."""
    if entry.kind is _COMMAND:
        assert entry.data, f"the command of entry {entry.index} is no JSON value: it is empty"
        return EntryLine(entry.term, entry.index, Raw(entry.data))
    if entry.kind is EntryKind.NO_OP:
        return EntryLine(entry.term, entry.index, kind="no_op")
    assert entry.configuration is not None
    return EntryLine(
        entry.term, entry.index, kind="configuration", configuration=configuration_line(entry.configuration)
    )


def read_entry(line: EntryLine) -> Entry:
    """Return the entry that was mirrored.

    Raises:
        WireError: it carries what its kind does not have, or lacks what it must have.
    """
    if line.kind != "command" or line.configuration is not None:
        return _read_other(line)
    data = bytes(line.data)  # a copy: the raw slice would keep the whole line alive
    if not 0 < len(data) <= MAX_COMMAND_BYTES or not data.isascii():
        _check_command(data, line.index)
    return Entry(line.term, line.index, _COMMAND, data, None)


def _read_other(line: EntryLine) -> Entry:
    if bytes(line.data):
        raise WireError(f"log entry {line.index}: only a command carries data")
    if (line.configuration is None) != (line.kind != "configuration"):
        raise WireError(f"log entry {line.index}: a configuration is set exactly for kind configuration")
    if line.configuration is None:
        return Entry(line.term, line.index, EntryKind.NO_OP)
    configuration = read_configuration(line.configuration)
    return Entry(line.term, line.index, EntryKind.CONFIGURATION, configuration=configuration)


def _check_command(data: bytes, index: int) -> None:
    """Refuse a wrong size, and bad UTF-8, which skipping over a value does not notice and every later reader would."""
    if not 0 < len(data) <= MAX_COMMAND_BYTES:
        raise WireError(f"log entry {index}: a command of {len(data)} bytes, 1 to {MAX_COMMAND_BYTES} are allowed")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise WireError(f"log entry {index}: the command is not UTF-8 at byte {error.start}") from error
