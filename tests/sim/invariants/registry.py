"""All invariants, and when they are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from minicloud.raft.role import Role
from tests.sim.invariants.answers import Answers
from tests.sim.invariants.commit_rule import CommitRule
from tests.sim.invariants.commit_safety import CommitSafety
from tests.sim.invariants.configuration_safety import ConfigurationSafety
from tests.sim.invariants.configurations import Configurations
from tests.sim.invariants.election_safety import ElectionSafety
from tests.sim.invariants.first_commit import FirstCommit
from tests.sim.invariants.leader_completeness import LeaderCompleteness
from tests.sim.invariants.log_matching import LogMatching
from tests.sim.invariants.match_index import MatchIndex
from tests.sim.invariants.monotonic import Monotonic
from tests.sim.invariants.one_vote import OneVote
from tests.sim.invariants.order import Order
from tests.sim.invariants.promises import Promises
from tests.sim.invariants.saved_first import SavedFirst
from tests.sim.invariants.state_machine_safety import StateMachineSafety

if TYPE_CHECKING:
    from minicloud.raft.messages import Message
    from tests.sim.clients import Call
    from tests.sim.process import Process
    from tests.sim.world import World


class Invariants:
    """What must be so after every step of every process."""

    def __init__(self, world: World) -> None:
        self.election_safety = ElectionSafety()
        self.commit_safety = CommitSafety()
        self.state_machine_safety = StateMachineSafety()
        self._promises = Promises()
        self._saved_first = SavedFirst()
        self._one_vote = OneVote()
        self._answers = Answers(world, self.state_machine_safety)
        self._each = (
            Order(),
            Monotonic(),
            self.election_safety,
            LogMatching(),
            self.commit_safety,
            LeaderCompleteness(self.commit_safety),
            self.state_machine_safety,
            Configurations(),
            ConfigurationSafety(),
            FirstCommit(),
            CommitRule(world),
            MatchIndex(world),
            self._promises,
        )

    def after(self, process: Process) -> None:
        """Check what concerns a process that has just done something. Raises Violation."""
        raft = process.raft
        log = raft.log
        fingerprint = (
            raft.role,
            raft.current_term,
            raft.voted_for,
            raft.commit_index,
            process.node.store.applied_index,
            log.last_index,
            log.last_term,
            log.stable_index,
            log.base_index,
            log.configuration_index,
            sum(each.match_index for each in raft.progress.values()) if raft.role is Role.LEADER else 0,
        )
        if fingerprint != process.fingerprint:
            process.fingerprint = fingerprint
            for invariant in self._each:
                invariant.after(process)

    def sending(self, process: Process, to: str, message: Message) -> None:
        """Check what must be so before that message leaves. Raises Violation."""
        self._saved_first.sending(process, to, message)
        self._promises.sending(process, message)
        self._one_vote.sending(process, to, message)

    def answering(self, process: Process, call: Call, outcome: Any) -> None:
        """Check what must be so before a client is told that its write is done. Raises Violation."""
        self._answers.answering(process, call, outcome)

    def reading(self, process: Process, call: Call, record: Any) -> None:
        """Check what must be so of whatever is read, stale or not. Raises Violation."""
        self._answers.reading(process, call, record)
