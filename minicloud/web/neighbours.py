"""What the other members say of themselves: asked over HTTP, as long as somebody watches."""

from __future__ import annotations

from typing import Any

import msgspec
from attrs import define, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from minicloud.connecting.bodies import collect_body, refuse_body
from minicloud.connecting.sending import Sender
from minicloud.raft.configuration import Member
from minicloud.web.face import NodeFace
from minicloud.web.limits import ASK_INTERVAL_S, ASK_LIMIT_S, MAX_ASK_ANSWER_BYTES, REPORT_FRESH_S, WATCH_S
from minicloud.web.steady import SteadyLoop

_PATH = "/raft/status"


class Report(msgspec.Struct):
    """What a member says of itself: the part of ``GET /raft/status`` that is passed on."""

    state: str
    term: int
    commit_index: int
    applied_index: int
    last_log_index: int
    leader_id: str | None
    uptime_seconds: float
    version: str


class _Identity(msgspec.Struct):
    """Who says it."""

    node_id: str


@frozen
class Seen:
    """What is known of one member by asking it."""

    answers: bool | None = None
    """By the newest outcome; None before the first one."""
    answered_ms: int | None = None
    """Age of its newest answer, in milliseconds."""
    reported: Report | None = None
    """Out of that answer; None once it is old."""


@define
class _Outcome:
    """What came of the questions to one address."""

    http_addr: str
    answers: bool
    is_sure: bool = True
    """Whether that stands: a node stalls now and then, since its fsync is synchronous, so one late answer means nothing."""
    answered_at: float | None = None
    report: Report | None = None


class Neighbours:
    """Asks each other member for its status, one question at a time, while somebody watches.

    ``reactor`` tells time; ``agent`` connects; ``scheme`` is what the cluster speaks, ``http`` or ``https``. No question
    carries a token: a status needs none.
    """

    def __init__(self, node: NodeFace, reactor: Any, agent: IAgent, scheme: str) -> None:
        self._node = node
        self._reactor = reactor
        self._sender = Sender(agent, reactor)
        self._scheme = scheme
        self._watched_until = 0.0
        self._outcomes: dict[str, _Outcome] = {}
        self._asking: dict[str, Deferred[None]] = {}
        self._loop = SteadyLoop(self._ask_all, ASK_INTERVAL_S, "asking the other members", reactor)

    def watch(self) -> None:
        """Take note that somebody watches, now and for a while."""
        self._watched_until = self._reactor.seconds() + WATCH_S
        if not self._loop.is_running:
            self._loop.start(now=True)

    def stop(self) -> None:
        """Ask no more."""
        self._loop.stop()
        self._outcomes.clear()
        for asked in list(self._asking.values()):
            asked.cancel()

    def seen(self, member: Member) -> Seen:
        """Return what is known of another member."""
        outcome = self._outcome(member)
        if outcome is None:
            return Seen()
        if outcome.answered_at is None:
            return Seen(outcome.answers)
        age_s = self._reactor.seconds() - outcome.answered_at
        report = outcome.report if age_s < REPORT_FRESH_S else None
        return Seen(outcome.answers, round(age_s * 1000), report)

    def surely_answers(self, member: Member) -> bool | None:
        """Return whether another member answers, None where that is not sure: nobody knows, or it was late, for once."""
        outcome = self._outcome(member)
        return outcome.answers if outcome is not None and outcome.is_sure else None

    def _outcome(self, member: Member) -> _Outcome | None:
        outcome = self._outcomes.get(member.node_id)
        return outcome if outcome is not None and outcome.http_addr == member.http_addr else None

    # Asking

    def _ask_all(self) -> None:
        if self._reactor.seconds() >= self._watched_until:
            self.stop()
            return
        others = {
            member.node_id: member
            for member in self._node.status().configuration.members
            if member.node_id != self._node.node_id and member.http_addr
        }
        self._outcomes = {node_id: outcome for node_id, outcome in self._outcomes.items() if node_id in others}
        for node_id, member in others.items():
            if node_id not in self._asking:
                self._ask(member)

    def _ask(self, member: Member) -> None:
        asked = Deferred.fromCoroutine(self._converse(member))
        timer = self._reactor.callLater(ASK_LIMIT_S, asked.cancel)
        # Before its outcome is looked at: with a member that cannot be reached at all, that may be at once.
        settled: Deferred[None] = asked.addCallbacks(
            self._answered, self._silent, callbackArgs=(member,), errbackArgs=(member, timer)
        )
        self._asking[member.node_id] = settled

        def done(_: None) -> None:
            del self._asking[member.node_id]
            if timer.active():
                timer.cancel()

        settled.addCallback(done)

    async def _converse(self, member: Member) -> Report:
        url = f"{self._scheme}://{member.http_addr}{_PATH}"
        response = await self._sender.send("GET", url, Headers())
        return _report(await _body(response), member)

    def _answered(self, report: Report, member: Member) -> None:
        self._note(_Outcome(member.http_addr, True, answered_at=self._reactor.seconds(), report=report), member)

    def _silent(self, failure: Failure, member: Member, timer: IDelayedCall) -> None:
        """Take note that a question had no answer. Why, is for the log of who cannot answer.

        A refusal is sure at once; that the time is up, only if there was no answer to the question before either.
        """
        is_late = not timer.active()
        before = self._outcome(member)
        if before is None:
            self._note(_Outcome(member.http_addr, False, is_sure=not is_late), member)
        else:
            before.is_sure = not (is_late and before.answers)
            before.answers = False

    def _note(self, outcome: _Outcome, member: Member) -> None:
        if self._loop.is_running:
            self._outcomes[member.node_id] = outcome


def _report(body: bytes, member: Member) -> Report:
    """Return what a member says; raises ValueError where another node says it, or nobody of ours."""
    if msgspec.json.decode(body, type=_Identity).node_id != member.node_id:
        raise ValueError("another node answers there")
    return msgspec.json.decode(body, type=Report)


async def _body(response: IResponse) -> bytes:
    """Return the body of an answer of 200; raises ValueError for any other, and for one of unknown or great length.

    A node says how long its answers are. So nothing compressed is unpacked here, and nothing without end is read.
    """
    length = response.length
    if response.code != 200 or not isinstance(length, int) or length > MAX_ASK_ANSWER_BYTES:
        refuse_body(response)
        raise ValueError("no status")
    return await collect_body(response, MAX_ASK_ANSWER_BYTES)
