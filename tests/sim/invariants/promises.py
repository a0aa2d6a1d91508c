"""Nothing that promises something leaves a node before what it depends on is on its disk (thesis, section 10.2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.messages import (
    AppendEntries,
    AppendReply,
    Heartbeat,
    Message,
    PreVoteReply,
    PreVoteRequest,
    ReadIndexRequest,
    TimeoutNow,
)
from minicloud.storage.hard_state import HARD_STATE_FILE
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process

_FREE = (AppendEntries, Heartbeat, PreVoteRequest, PreVoteReply, ReadIndexRequest, TimeoutNow)
"""These vouch for no entry and no vote. Their term was on disk before their sender led, or is nobody's."""


class Promises:
    """Looks at the disk of a process when it sends, and when it counts its own log as on disk."""

    def sending(self, process: Process, message: Message) -> None:
        if isinstance(message, _FREE):
            return
        if not process.disk.is_synced(HARD_STATE_FILE):
            raise Violation(
                "disk before promise", f"{process.name} sends {message} before its term and vote are synced"
            )
        if isinstance(message, AppendReply) and message.success and not _log_is_synced(process):
            raise Violation("disk before promise", f"{process.name} sends {message} before its log is synced")

    def after(self, process: Process) -> None:
        stable = process.raft.log.stable_index
        if stable > process.seen.get("stable", 0) and not _log_is_synced(process):
            raise Violation("disk before promise", f"{process.name} counts entry {stable} before its log is synced")
        process.seen["stable"] = stable


def _log_is_synced(process: Process) -> bool:
    """Look at what counts of the newest segment; what an older one has that is not synced was carried over.

    What does not count: the mark that an orderly end has written, until something is appended; and what a full disk has
    cut short, and nobody has synced away.
    """
    log = process.storage._log
    newest = log._segments[-1]
    size = log._closed_content.proven if log._closed_content is not None else newest.size
    return process.disk.is_synced(newest.path, size)
