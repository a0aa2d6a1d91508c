"""What a message promises is what the disk of its sender says: a vote, an end of the log (paper, figure 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minicloud.raft.messages import AppendReply, Message, VoteReply, VoteRequest
from tests.sim.invariants.promises import _FREE
from tests.sim.violation import Violation

if TYPE_CHECKING:
    from tests.sim.process import Process


class SavedFirst:
    """Compares what leaves a process with what its storage was given: whether that is synced is another matter."""

    def sending(self, process: Process, to: str, message: Message) -> None:
        saved = process.storage._hard_state
        if isinstance(message, _FREE):
            return
        if message.term > saved.current_term:
            raise Violation("saved before sent", f"{process.name} sends {message}, and has saved {saved}")
        voted_for = to if isinstance(message, VoteReply) and message.granted else ""
        voted_for = process.node_id if isinstance(message, VoteRequest) else voted_for
        # A vote of a term that is over may never have been saved: in that term, nobody gets another.
        if voted_for and saved.current_term == message.term and saved.voted_for != voted_for:
            raise Violation("saved before sent", f"{process.name} sends {message}, and has saved {saved}")
        # What was acknowledged to a leader of a term that is over may be gone: the newer leader had not got it, so it was not
        # committed and never will be (Leader Completeness).
        if isinstance(message, AppendReply) and message.success and message.term == saved.current_term:
            last_index = process.storage._log.next_index - 1
            if message.match_index > last_index:
                raise Violation("saved before sent", f"{process.name} sends {message}, and has saved {last_index}")
