"""The HTTP client: what ``cloudctl`` uses, and what programs can use.

::

    from minicloud.client import Client

    async def remember(reactor):
        client = Client(["http://127.0.0.1:9001", "http://127.0.0.1:9002"], reactor=reactor)
        written = await client.put("greeting", b"hello")
        found = await client.get("greeting", min_revision=written.revision)

It knows a cluster by its HTTP interface only. From the outside in: ``client`` has the methods, ``survey`` asks all members
how they are, ``answers`` reads what servers say, ``routing`` decides whom to ask next, ``exchange`` sends one request with
treq.
"""

from __future__ import annotations

from minicloud.client.answers import DeleteResult, Item, Member, Members, NodeReport, Page, PutResult, Value
from minicloud.client.client import DEFAULT_TIMEOUT_S, Client
from minicloud.client.errors import (
    BadAnswer,
    ClientError,
    Conflict,
    ErrorAnswer,
    ForeignRedirect,
    NotFound,
    NotModified,
    OutcomeUnknown,
    PreconditionFailed,
    Problem,
    Setback,
    Unauthorized,
    Unavailable,
)
from minicloud.client.servers import DEFAULT_SERVER

__all__ = [
    "DEFAULT_SERVER",
    "DEFAULT_TIMEOUT_S",
    "BadAnswer",
    "Client",
    "ClientError",
    "Conflict",
    "DeleteResult",
    "ErrorAnswer",
    "ForeignRedirect",
    "Item",
    "Member",
    "Members",
    "NodeReport",
    "NotFound",
    "NotModified",
    "OutcomeUnknown",
    "Page",
    "PreconditionFailed",
    "Problem",
    "PutResult",
    "Setback",
    "Unauthorized",
    "Unavailable",
    "Value",
]
