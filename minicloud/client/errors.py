"""Why a request came to nothing. Who catches :class:`ClientError` has caught everything that is raised on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, field, frozen


@frozen
class Problem:
    """What a node says of a request that it did not carry out (RFC 9457, ``application/problem+json``)."""

    status: int
    """HTTP status of the answer."""
    code: str
    """Stable name of the kind of problem, in snake_case; empty where whoever answered is no minicloud node."""
    title: str
    detail: str
    retryable: bool
    """Whether the same request may succeed a little later. Only a 503 with this mark may be sent again if it writes."""
    leader: str
    """The leader that the node knows of, where it said so."""
    document: Mapping[str, Any] = field(factory=dict)
    """The whole JSON object, for members that this class has no field for."""

    def __str__(self) -> str:
        """Return the detail, or the best there is in its place."""
        return self.detail or self.title or f"HTTP status {self.status}"


@frozen
class Setback:
    """One server that could not do it."""

    server: str
    """Base URL of the server."""
    reason: str
    problem: Problem | None = None
    """What it answered, where it answered with a problem."""
    reached: bool = True
    """Whether the request got to the server at all."""
    endless: bool = False
    """Whether its answer was too long to be read, as it would be again."""

    def __str__(self) -> str:
        """Return server and reason as one clause."""
        return f"{self.server}: {self.reason}"


class ClientError(Exception):
    """Base of what a caller of the client must expect."""


@define(eq=False)
class ErrorAnswer(ClientError):
    """A node answered that it does not do this. Nothing was changed."""

    server: str
    problem: Problem

    def __str__(self) -> str:
        """Return what the node said."""
        return str(self.problem)


class NotFound(ErrorAnswer):
    """404: there is no such key, or no member of that id."""


class Conflict(ErrorAnswer):
    """409: it does not go together with the state of the cluster (another change under way, a quorum at risk, …)."""


class PreconditionFailed(Conflict):
    """412: the key is not at the revision, or not absent, as the write demanded."""

    @property
    def current_revision(self) -> int | None:
        """Revision of the key as it stands; None where it does not exist, or the node did not say."""
        revision = self.problem.document.get("current_revision")
        return revision if isinstance(revision, int) else None


class Unauthorized(ErrorAnswer):
    """401 or 403: the token is missing or wrong."""


class NotModified(ClientError):
    """304: the key is still at the revision that ``unless_revision`` named."""


@define(eq=False)
class Unavailable(ClientError):
    """No server could do it within the time limit. Nothing was changed."""

    setbacks: tuple[Setback, ...]
    """The last setback of each server that was asked."""
    timed_out: bool
    """Whether the time limit ended it; else no server is there at all, or one said that trying again is of no use."""

    def __str__(self) -> str:
        """Return all setbacks in one line."""
        return "; ".join(str(setback) for setback in self.setbacks) or "the time limit has passed"


@define(eq=False)
class OutcomeUnknown(ClientError):
    """A write was sent, and it is not known whether it took effect: it may have, or still may."""

    server: str
    reason: str
    problem: Problem | None = None

    def __str__(self) -> str:
        """Return server and reason as one clause."""
        return f"{self.server}: {self.reason}"


@define(eq=False)
class ForeignRedirect(ClientError):
    """A server redirects to one that is not a member of the cluster; nothing was sent there."""

    server: str
    location: str

    def __str__(self) -> str:
        """Return who pointed where."""
        return f"{self.server} redirects to {self.location}, which it does not name as a member"


@define(eq=False)
class BadAnswer(ClientError):
    """What answered does not speak as a minicloud node does."""

    server: str
    reason: str

    def __str__(self) -> str:
        """Return server and reason as one clause."""
        return f"{self.server}: {self.reason}"
