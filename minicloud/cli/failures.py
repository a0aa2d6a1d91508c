"""What an error means to the person at the terminal: one line on what happened, one on what to try, an exit status."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from minicloud.cli import exits
from minicloud.client import (
    BadAnswer,
    ClientError,
    Conflict,
    ErrorAnswer,
    ForeignRedirect,
    NotFound,
    OutcomeUnknown,
    PreconditionFailed,
    Problem,
    Setback,
    Unauthorized,
    Unavailable,
)

_STATUS_BY_ERROR: Mapping[type[ClientError], int] = {
    NotFound: exits.NOT_FOUND,
    Conflict: exits.CONFLICT,
    PreconditionFailed: exits.CONFLICT,
    Unavailable: exits.UNAVAILABLE,
    OutcomeUnknown: exits.OUTCOME_UNKNOWN,
}

_TRY_BY_CODE: Mapping[str, str] = {
    "unknown_member": "'cloudctl members' lists the ids that there are",
    "change_in_progress": "wait a moment and try again; 'cloudctl members' shows how far the last change is",
    "quorum_at_risk": "bring the other members back first; --force does it all the same, and may end all writes",
    "transfer_failed": "'cloudctl members' shows which voters are healthy and have no lag",
    "misdirected_request": "use the node's IP address, or add the name to allowed_hosts in its configuration",
    "no_leader": "'cloudctl status' shows which members are up; more than half of the voters must be",
    "read_timeout": "'cloudctl status' shows which members are up; 'get --stale' reads without asking the others",
    "value_too_large": "raise max_value_bytes in the configuration of every node, or store less",
}

_TRY_WITHOUT_SERVER = (
    "start a node (twistd -n minicloud --config configs/node1.yaml), or name one that runs with -server URL[,URL...]"
)

_TRY_ADDRESS = "check the address: http:// or https://, and the HTTP port of a node, not its Raft port"


@frozen
class Explanation:
    """An error in the words of the command line."""

    status: int
    """Exit status."""
    happened: str
    try_next: str
    """What to try; empty where there is nothing to say."""


def explain(error: ClientError) -> Explanation:
    """Return what to tell of an error."""
    return Explanation(_STATUS_BY_ERROR.get(type(error), exits.ERROR), _happened(error), _try_next(error))


def _happened(error: ClientError) -> str:
    if isinstance(error, OutcomeUnknown):
        return f"it is not known whether this took effect: {error}"
    if isinstance(error, Unavailable) and not error.timed_out and not any(map(_is_there, error.setbacks)):
        asked = ", ".join(f"{setback.server} ({setback.reason})" for setback in error.setbacks)
        return f"no server answered at {asked}; is a node running?"
    if isinstance(error, NotFound) and error.problem.code == "key_not_found":
        return "Key not found"
    if isinstance(error, PreconditionFailed) and error.current_revision is not None:
        return f"the condition does not hold: the key is at revision {error.current_revision}"
    return str(error)


def _try_next(error: ClientError) -> str:
    if isinstance(error, ErrorAnswer):
        return _try_after_answer(error)
    if isinstance(error, Unavailable):
        return _try_when_unavailable(error)
    if isinstance(error, OutcomeUnknown):
        look = "look before you do it again: 'cloudctl get KEY', or 'cloudctl members' after a change of members"
        return look if _is_from_node(error.problem) else f"{look}; where that fails too, {_TRY_ADDRESS}"
    if isinstance(error, ForeignRedirect):
        return "if that server is one of yours, name it with -server as well"
    if isinstance(error, BadAnswer):
        return _TRY_ADDRESS
    return ""


def _try_after_answer(error: ErrorAnswer) -> str:
    if isinstance(error, Unauthorized) and error.problem.status == 401:
        return "give the cluster's token with --token-file FILE or in the environment variable AUTH_TOKEN"
    if isinstance(error, PreconditionFailed):
        return "'cloudctl -o json get KEY' shows the key with its revision"
    return _TRY_BY_CODE.get(error.problem.code, "")


def _try_when_unavailable(error: Unavailable) -> str:
    if not any(map(_is_there, error.setbacks)):
        return _TRY_WITHOUT_SERVER
    if not any(setback.reached for setback in error.setbacks):
        # What is wrong with a certificate says what to do about it.
        return "" if any("certificate" in setback.reason for setback in error.setbacks) else _TRY_ADDRESS
    codes = (setback.problem.code for setback in error.setbacks if setback.problem is not None)
    hints = [_TRY_BY_CODE[code] for code in codes if code in _TRY_BY_CODE]
    if hints:
        return hints[0]
    wait = "'cloudctl status' shows which members are up; --timeout SECONDS waits longer"
    has_node = any(_is_from_node(setback.problem) for setback in error.setbacks)
    return wait if has_node else f"{wait}; or {_TRY_ADDRESS}"


def _is_there(setback: Setback) -> bool:
    """Return whether something accepted a connection, be it that no agreement on TLS came of it.

    Every reason why a handshake came to nothing has the word; without a connection, nobody speaks of TLS.
    """
    return setback.reached or "TLS" in setback.reason


def _is_from_node(problem: Problem | None) -> bool:
    """Return whether a node has answered: what a stranger says has no code."""
    return problem is not None and problem.code != ""
