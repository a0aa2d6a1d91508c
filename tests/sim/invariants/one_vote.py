"""A server votes for at most one candidate in a term, also across its restarts (paper, section 5.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.messages import Message, VoteReply, VoteRequest
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class OneVote:
    """Remembers each vote that has left its voter; a candidate's own leaves with its requests."""

    def __init__(self) -> None:
        self._votes: dict[tuple[str, int], str] = {}

    def sending(self, process: Process, to: str, message: Message) -> None:
        if isinstance(message, VoteReply) and message.granted:
            candidate = to
        elif isinstance(message, VoteRequest):
            candidate = process.node_id
        else:
            return
        known = self._votes.setdefault((process.instance_id, message.term), candidate)
        if known != candidate:
            raise Violation("one vote a term", f"{process.name} votes for {known} and {candidate} in {message.term}")
