"""How new the state must be that a read is answered from: one way for reads of a key and of many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred

from minicloud.web.answers import Answer
from minicloud.web.face import NodeFace
from minicloud.web.limits import DEFAULT_TIMEOUT_S
from minicloud.web.problems import bad_parameter
from minicloud.web.query import flag, revision, timeout_seconds

CONSISTENCY_PARAMETERS = frozenset({"stale", "consistency", "min_revision", "timeout"})
"""What ``consistency_of`` reads of a query string."""

_CONSISTENCIES = {"linearizable": False, "stale": True}

_Choice = TypeVar("_Choice")


@frozen
class Consistency:
    """What a read may be answered from."""

    stale: bool = False
    """Whatever this node has, at once."""
    min_revision: int | None = None
    """A state of at least that revision. Where this is None and it may not be stale: a linearizable one."""
    timeout_s: float = DEFAULT_TIMEOUT_S


LINEARIZABLE = Consistency()


def consistency_of(parameters: Mapping[str, str]) -> Consistency:
    """Return what a query string asks for; raises Problem (400)."""
    named = choice(parameters, "consistency", _CONSISTENCIES)
    stale = flag(parameters, "stale") or bool(named)
    min_revision = revision(parameters, "min_revision")
    if stale and named is False:
        raise bad_parameter("stale and consistency=linearizable exclude each other")
    if min_revision is not None and (stale or named is not None):
        raise bad_parameter("min_revision is a consistency of its own: leave stale and consistency out")
    return Consistency(stale, min_revision, timeout_seconds(parameters))


def choice(parameters: Mapping[str, str], name: str, choices: Mapping[str, _Choice]) -> _Choice | None:
    """Return what a parameter chooses by name, None where it is absent; raises Problem (400)."""
    text = parameters.get(name)
    if text is None:
        return None
    if text not in choices:
        raise bad_parameter(f"{name}: expected {' or '.join(choices)}, not {text!r}")
    return choices[text]


def read(node: NodeFace, consistency: Consistency, answer: Callable[[bytes], Answer]) -> Answer | Deferred[Answer]:
    """Answer from the node's store as soon as that is consistent enough.

    ``answer`` is called in that very moment, with the header lines that tell how old the state may be, and reads the store
    at once. Fails with what ``read_barrier`` and ``wait_applied`` of the node fail with.
    """
    if consistency.stale:
        return answer(_age_lines(node))
    if consistency.min_revision is not None:
        waiting = node.wait_applied(consistency.min_revision, consistency.timeout_s)
    else:
        waiting = node.read_barrier(consistency.timeout_s)
    return waiting.addCallback(lambda _: answer(b""))


def _age_lines(node: NodeFace) -> bytes:
    last_contact_ms = node.status().last_contact_ms
    return b"" if last_contact_ms is None else b"Minicloud-Last-Contact-Ms: %d\r\n" % last_contact_ms
