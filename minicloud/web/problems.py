"""Every error that a client can meet, as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from minicloud.node import errors
from minicloud.raft.configuration import Member
from minicloud.web.answers import Answer, json_body

PROBLEM_TYPE = b"application/problem+json"
_TYPE_PREFIX = "urn:minicloud:problem:"
RETRY_SOON = b"Retry-After: 1\r\n"
"""An election takes about that long (seconds)."""


@define(eq=False)
class Problem(Exception):
    """An error with everything that its answer tells."""

    status: int
    code: str
    """Stable, snake_case: what programs look at."""
    title: str
    """The same for every problem of this code."""
    detail: str
    """What happened this time."""
    retryable: bool = False
    """Whether the same request may succeed later, without having been done already."""
    leader: Member | None = None
    """Who to ask instead."""
    header_lines: bytes = b""
    extra: Mapping[str, Any] = field(factory=dict)
    """Further members of the JSON object."""

    def answer(self) -> Answer:
        """Return it as an answer."""
        members: dict[str, Any] = {
            "type": _TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "retryable": self.retryable,
        }
        if self.leader is not None:
            members["leader"] = self.leader.node_id
            members["leader_http"] = self.leader.http_addr
        members.update(self.extra)
        return Answer(self.status, json_body(members), PROBLEM_TYPE, self.header_lines)


def bad_request(code: str, title: str, detail: str) -> Problem:
    """Return a 400: the request itself is wrong."""
    return Problem(400, code, title, detail)


def bad_parameter(detail: str) -> Problem:
    """Return a 400 about the query string."""
    return bad_request("bad_parameter", "Bad query parameter", detail)


def unsupported(detail: str) -> Problem:
    """Return a 400 about something that the contract names and this version does not do: never ignored silently."""
    return bad_request("unsupported", "Not supported by this version", detail)


def no_leader(detail: str = "No leader is known at the moment; an election may be under way.") -> Problem:
    """Return a 503: nobody can do this now."""
    return Problem(503, "no_leader", "No leader", detail, retryable=True, header_lines=RETRY_SOON)


def not_leader(leader: Member | None) -> Problem:
    """Return a 503 for a request that was forwarded to a node which does not lead: one hop only."""
    return Problem(
        503,
        "not_leader",
        "Not the leader",
        "This request was forwarded once already, and this node does not lead.",
        retryable=True,
        leader=leader,
        header_lines=RETRY_SOON,
    )


def overloaded(detail: str) -> Problem:
    """Return a 503: a bound is reached."""
    return Problem(503, "overloaded", "Overloaded", detail, retryable=True, header_lines=RETRY_SOON)


def outcome_unknown(detail: str) -> Problem:
    """Return a 504: it was asked for, and may or may not happen."""
    return Problem(504, "outcome_unknown", "Outcome unknown", detail)


def condition_failed(current_revision: int | None) -> Problem:
    """Return a 412 with the revision that the key has, None where it does not exist."""
    if current_revision is None:
        detail, header_lines = "The key does not exist.", b""
    else:
        detail, header_lines = f"The key is at revision {current_revision}.", b'ETag: "%d"\r\n' % current_revision
    extra = {"current_revision": current_revision}
    return Problem(412, "precondition_failed", "Precondition failed", detail, header_lines=header_lines, extra=extra)


def internal_error() -> Problem:
    """Return a 500 that tells the client nothing but where to look."""
    return Problem(
        500,
        "internal_error",
        "Internal error",
        "Something unexpected happened; the node's log has it under this request id.",
    )


def _not_leader_problem(error: errors.NotLeader) -> Problem:
    if error.leader is None:
        return no_leader()
    return Problem(
        503,
        "not_leader",
        "Not the leader",
        "This node does not lead.",
        retryable=True,
        leader=error.leader,
        header_lines=RETRY_SOON,
    )


def _outcome_unknown_problem(error: errors.OutcomeUnknown) -> Problem:
    return outcome_unknown("It was proposed, and the time limit passed before it was known whether it committed.")


def _proposal_lost_problem(error: errors.ProposalLost) -> Problem:
    return Problem(
        503,
        "proposal_lost",
        "Leadership changed",
        "Another leader's entry took its place: it was not applied and never will be.",
        retryable=True,
        leader=error.leader,
        header_lines=RETRY_SOON,
    )


def _overloaded_problem(error: errors.Overloaded) -> Problem:
    return overloaded(f"{error.pending} proposals are pending; nothing was proposed.")


def _read_timeout_problem(error: errors.ReadTimeout) -> Problem:
    return Problem(504, "read_timeout", "Read timed out", error.detail, retryable=True)


def _change_in_progress_problem(error: errors.ChangeInProgress) -> Problem:
    return Problem(
        409,
        "change_in_progress",
        "Membership change in progress",
        "One membership change at a time; the last one is not committed yet.",
        retryable=True,
        header_lines=RETRY_SOON,
    )


def _unknown_member_problem(error: errors.UnknownMember) -> Problem:
    return Problem(404, "unknown_member", "Unknown member", f"No member is called {error.node_id!r}.")


def _quorum_at_risk_problem(error: errors.QuorumAtRisk) -> Problem:
    return Problem(409, "quorum_at_risk", "Quorum at risk", f"{error.detail} To do it all the same, ask with force.")


def _change_refused_problem(error: errors.ChangeRefused) -> Problem:
    return Problem(409, "change_refused", "Membership change refused", error.detail)


def _transfer_failed_problem(error: errors.TransferFailed) -> Problem:
    return Problem(
        504 if error.timed_out else 409,
        "transfer_failed",
        "Leadership was not transferred",
        error.detail,
        retryable=True,
    )


def _stopping_problem(error: errors.NodeStopping) -> Problem:
    return Problem(
        503,
        "stopping",
        "Node is stopping",
        "This node is shutting down; ask another.",
        retryable=True,
        header_lines=RETRY_SOON,
    )


_EXPLANATIONS: dict[type[errors.NodeError], Callable[[Any], Problem]] = {
    errors.NotLeader: _not_leader_problem,
    errors.OutcomeUnknown: _outcome_unknown_problem,
    errors.ProposalLost: _proposal_lost_problem,
    errors.Overloaded: _overloaded_problem,
    errors.ReadTimeout: _read_timeout_problem,
    errors.ChangeInProgress: _change_in_progress_problem,
    errors.UnknownMember: _unknown_member_problem,
    errors.QuorumAtRisk: _quorum_at_risk_problem,
    errors.ChangeRefused: _change_refused_problem,
    errors.TransferFailed: _transfer_failed_problem,
    errors.NodeStopping: _stopping_problem,
}


def explain(error: BaseException) -> Problem | None:
    """Return the problem that an exception stands for, None for one that nobody expected."""
    if isinstance(error, Problem):
        return error
    explanation = _EXPLANATIONS.get(type(error)) if isinstance(error, errors.NodeError) else None
    return None if explanation is None else explanation(error)
