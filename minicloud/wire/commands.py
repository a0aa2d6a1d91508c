"""Commands as JSON: the ``data`` of a log entry. Values are base64.

``type`` says which command it is. What a later version adds is a new type or a new field, both of which this one
refuses: a member that does not understand a committed command must not guess.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from minicloud.kv.commands import ALWAYS, Command, Delete, Precondition, Put, key_problem
from minicloud.wire.errors import WireError
from minicloud.wire.fields import ENCODER, Count, Line, TaggedLine, decode_line
from minicloud.wire.limits import MAX_COMMAND_BYTES, MAX_INT, MAX_REVISIONS, MAX_VALUE_BYTES_LIMIT


class PreconditionLine(Line, frozen=True):
    """Mirror of Precondition."""

    exists: bool | None = None
    revisions: Annotated[tuple[Count, ...], Meta(max_length=MAX_REVISIONS)] | None = None


class PutLine(TaggedLine, frozen=True, tag="put"):
    """Mirror of Put."""

    key: str
    value: bytes
    precondition: PreconditionLine | None = None


class DeleteLine(TaggedLine, frozen=True, tag="delete"):
    """Mirror of Delete."""

    key: str
    precondition: PreconditionLine | None = None


_DECODER: msgspec.json.Decoder[PutLine | DeleteLine] = msgspec.json.Decoder(PutLine | DeleteLine)


def encode_command(command: Command) -> bytes:
    """Return the command as one JSON value without a newline. Asserts what the reader, every member, checks."""
    assert key_problem(command.key.encode("utf-8")) is None, f"no key: {command.key!r}"
    precondition = _precondition_line(command.precondition)
    if isinstance(command, Put):
        assert len(command.value) <= MAX_VALUE_BYTES_LIMIT, f"a value of {len(command.value)} bytes"
        encoded = ENCODER.encode(PutLine(command.key, command.value, precondition))
    else:
        encoded = ENCODER.encode(DeleteLine(command.key, precondition))
    assert len(encoded) <= MAX_COMMAND_BYTES, f"the command is too large for an entry: {len(encoded)} bytes"
    return encoded


def decode_command(data: bytes) -> Command:
    """Return the command that encode_command made.

    Raises:
        WireError: it is no command that this version knows.
    """
    line = decode_line(_DECODER, data, MAX_COMMAND_BYTES, "command")
    check_key(line.key)
    precondition = _read_precondition(line.precondition)
    if isinstance(line, DeleteLine):
        return Delete(line.key, precondition)
    check_value(line.value)
    return Put(line.key, line.value, precondition)


def check_key(key: str) -> None:
    """Raise WireError where the store must not hold such a key."""
    problem = key_problem(key.encode("utf-8"))
    if problem is not None:
        raise WireError(problem)


def check_value(value: bytes) -> None:
    """Raise WireError where no setting would have allowed such a value."""
    if len(value) > MAX_VALUE_BYTES_LIMIT:
        raise WireError(f"a value has at most {MAX_VALUE_BYTES_LIMIT} bytes, this one has {len(value)}")


def _precondition_line(precondition: Precondition) -> PreconditionLine | None:
    if precondition == ALWAYS:
        return None
    revisions = precondition.revisions or ()
    assert len(revisions) <= MAX_REVISIONS, f"a precondition of {len(revisions)} revisions"
    assert all(0 <= revision <= MAX_INT for revision in revisions), "a revision that no entry can have"
    return PreconditionLine(precondition.exists, precondition.revisions)


def _read_precondition(line: PreconditionLine | None) -> Precondition:
    if line is None:
        return ALWAYS
    return Precondition(line.exists, line.revisions)
