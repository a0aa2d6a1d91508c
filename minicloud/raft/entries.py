"""What is replicated: log entries, the persistent term and vote, and what a snapshot stands for."""

from __future__ import annotations

import enum

from attrs import frozen

from minicloud.raft.configuration import Configuration


class EntryKind(enum.Enum):
    """What the state machine must do with an entry."""

    COMMAND = "command"
    """``data`` is a command for the state machine, opaque to consensus."""
    NO_OP = "no_op"
    """Appended by a new leader, so that entries of earlier terms can commit (paper, section 8)."""
    CONFIGURATION = "configuration"
    """``configuration`` is in force from the moment that the entry is in a log (thesis, section 4.1)."""


@frozen
class Entry:
    """One entry of the replicated log. Two entries of the same index and term are the same entry (Log Matching)."""

    term: int
    """Term of the leader that created it, from 1. Never decreases along a log."""
    index: int
    """Position in the log, from 1, without gaps."""
    kind: EntryKind = EntryKind.COMMAND
    data: bytes = b""
    """For COMMAND: one JSON value, encoded once when it was proposed. Empty otherwise."""
    configuration: Configuration | None = None
    """Set exactly when ``kind`` is CONFIGURATION."""


@frozen
class HardState:
    """What a server must have on stable storage before it answers (paper, figure 2, "Persistent state")."""

    current_term: int = 0
    """Latest term seen, from 0. Never decreases."""
    voted_for: str = ""
    """Node that got this server's vote in ``current_term``, or empty. Set at most once a term."""


@frozen
class SnapshotMeta:
    """What a snapshot replaces: the log up to and including ``index`` (paper, section 7)."""

    index: int
    """Last included index: the last entry that the snapshot covers."""
    term: int
    """Term of that entry."""
    configuration: Configuration
    """The newest configuration at or before ``index``."""
    configuration_index: int
    """Index of the entry that held ``configuration``; 0 if it was never in a log."""
