"""Messages between peers, one JSON line each. See minicloud.raft.messages for what they mean.

The structs in message_lines mirror those classes field by field; ``type`` names the class. Where a field's bounds, or
the fields together, say what an honest peer never says, the line is refused: the link that it came on is closed, and
the core never sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

import attrs
import msgspec

from minicloud.raft import messages as raft
from minicloud.raft.messages import Message
from minicloud.wire import message_lines as lines
from minicloud.wire.entries import entry_line, read_entry
from minicloud.wire.errors import WireError
from minicloud.wire.fields import ENCODER, TaggedLine, decode_line
from minicloud.wire.limits import MAX_LINE_BYTES
from minicloud.wire.members import meta_line, read_meta

_DECODER: msgspec.json.Decoder[lines.MessageLine] = msgspec.json.Decoder(lines.MessageLine)

M = TypeVar("M")


def encode_message(message: Message) -> bytes:
    """Return the message as a line, without the newline. The commands of its entries are spliced in as they are."""
    encoded = ENCODER.encode(_TO_LINE[type(message)](message))
    assert len(encoded) <= MAX_LINE_BYTES, f"a line too long to be read: {len(encoded)} bytes"
    return encoded


def decode_message(line: bytes | memoryview) -> Message:
    """Return the message of a line. The commands of its entries are cut out, checked to be JSON, and not decoded.

    Args:
        line: without the newline.

    Raises:
        WireError: no honest peer sends such a line.
    """
    decoded = decode_line(_DECODER, line, MAX_LINE_BYTES, "message")
    message: Message = _FROM_LINE[type(decoded)](decoded)
    return message


def _append_line(message: raft.AppendEntries) -> lines.AppendEntriesLine:
    return lines.AppendEntriesLine(
        message.term,
        message.prev_log_index,
        message.prev_log_term,
        message.commit_index,
        message.round,
        tuple([entry_line(entry) for entry in message.entries]),
    )


def _read_append(line: lines.AppendEntriesLine) -> raft.AppendEntries:
    """Build the message; refuse entries that are not a piece of one log (paper, section 5.3)."""
    entries = []
    last_index, last_term = line.prev_log_index, line.prev_log_term
    for entry in line.entries:
        if entry.index != last_index + 1:
            raise WireError(f"append_entries: entry {entry.index} comes after {last_index}")
        if entry.term < last_term:
            raise WireError(f"append_entries: entry {entry.index} goes back from term {last_term} to {entry.term}")
        last_index, last_term = entry.index, entry.term
        entries.append(read_entry(entry))
    if last_term > line.term:
        raise WireError(f"append_entries: a leader of term {line.term} with an entry of term {last_term}")
    return raft.AppendEntries(
        line.term, line.prev_log_index, line.prev_log_term, tuple(entries), line.commit_index, line.round
    )


def _install_line(message: raft.InstallSnapshot) -> lines.InstallSnapshotLine:
    return lines.InstallSnapshotLine(
        message.term, meta_line(message.snapshot), message.offset, message.total_bytes, message.data
    )


def _read_install(line: lines.InstallSnapshotLine) -> raft.InstallSnapshot:
    return raft.InstallSnapshot(line.term, read_meta(line.snapshot), line.offset, line.data, line.total_bytes)


_TO_LINE: dict[type, Callable[[Any], TaggedLine]] = {
    raft.AppendEntries: _append_line,
    raft.InstallSnapshot: _install_line,
}
_FROM_LINE: dict[type, Callable[[Any], Any]] = {
    lines.AppendEntriesLine: _read_append,
    lines.InstallSnapshotLine: _read_install,
}


def _copier(source: type, target: Callable[..., M]) -> Callable[[Any], M]:
    """Return a function that makes a target of the source's fields, which have the same names in the same order."""
    names = [field.name for field in (attrs.fields(source) if attrs.has(source) else msgspec.structs.fields(source))]
    if len(names) == 1:
        only = attrgetter(names[0])
        return lambda value: target(only(value))
    all_of = attrgetter(*names)
    return lambda value: target(*all_of(value))


for _message_type, _line_type in (
    (raft.PreVoteRequest, lines.PreVoteRequestLine),
    (raft.PreVoteReply, lines.PreVoteReplyLine),
    (raft.VoteRequest, lines.VoteRequestLine),
    (raft.VoteReply, lines.VoteReplyLine),
    (raft.AppendReply, lines.AppendReplyLine),
    (raft.Heartbeat, lines.HeartbeatLine),
    (raft.HeartbeatReply, lines.HeartbeatReplyLine),
    (raft.InstallSnapshotReply, lines.InstallSnapshotReplyLine),
    (raft.TimeoutNow, lines.TimeoutNowLine),
    (raft.ReadIndexRequest, lines.ReadIndexRequestLine),
    (raft.ReadIndexReply, lines.ReadIndexReplyLine),
):
    _TO_LINE[_message_type] = _copier(_message_type, _line_type)
    _FROM_LINE[_line_type] = _copier(_line_type, _message_type)
