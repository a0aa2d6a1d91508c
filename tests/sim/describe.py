"""Messages in a few words, for timelines."""

from __future__ import annotations

from minicloud.raft import messages as m
from minicloud.raft.entries import Entry, EntryKind


def describe(message: m.Message) -> str:
    """Return one short line."""
    how = _HOW.get(type(message))
    return f"{type(message).__name__} of term {message.term}" + (f": {how(message)}" if how is not None else "")


def _entries(entries: tuple[Entry, ...]) -> str:
    if not entries:
        return "nothing"
    kinds = "".join(
        {EntryKind.COMMAND: "c", EntryKind.NO_OP: "n", EntryKind.CONFIGURATION: "m"}[e.kind] for e in entries
    )
    return f"entries {entries[0].index} to {entries[-1].index} ({kinds}, last of term {entries[-1].term})"


def _append(message: m.AppendEntries) -> str:
    after = f"after {message.prev_log_index} of term {message.prev_log_term}"
    return f"{_entries(message.entries)} {after}, commit {message.commit_index}, round {message.round}"


def _append_reply(message: m.AppendReply) -> str:
    if message.success:
        return f"matches to {message.match_index}, round {message.round}"
    return f"not after {message.match_index}; perhaps at {message.hint_index} of term {message.hint_term}"


def _chunk(message: m.InstallSnapshot) -> str:
    return f"snapshot at {message.snapshot.index}, bytes {message.offset} to {message.offset + len(message.data)} of {message.total_bytes}"


def _vote(message: m.VoteRequest | m.PreVoteRequest) -> str:
    return f"log ends at {message.last_log_index} of term {message.last_log_term}"


def _granted(message: m.VoteReply | m.PreVoteReply) -> str:
    return "yes" if message.granted else "no"


_HOW = {
    m.AppendEntries: _append,
    m.AppendReply: _append_reply,
    m.InstallSnapshot: _chunk,
    m.InstallSnapshotReply: lambda message: f"has {message.next_offset} bytes of {message.snapshot_index}",
    m.Heartbeat: lambda message: f"commit {message.commit_index}, round {message.round}",
    m.HeartbeatReply: lambda message: f"round {message.round}",
    m.VoteRequest: _vote,
    m.PreVoteRequest: _vote,
    m.VoteReply: _granted,
    m.PreVoteReply: _granted,
    m.ReadIndexRequest: lambda message: f"read {message.request_id}",
    m.ReadIndexReply: lambda message: f"read {message.request_id} from {message.read_index}",
}
