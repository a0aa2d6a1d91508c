"""What an error on the way to a server means: whether anything of the request can have left, and why it came to nothing."""

from __future__ import annotations

from socket import gaierror
from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionRefusedError,
    DNSLookupError,
    UnsupportedAddressFamily,
    UserError,
)
from twisted.python.failure import Failure
from twisted.web._newclient import ParseError, RequestNotSent


class NotMade(Exception):
    """The request could not even be made: no connection was asked for."""


class HandshakeFailed(Exception):
    """There was a connection, and no agreement on TLS: nothing of the request was given to it. Says why, in a few words."""


_NEVER_SENT = (
    NotMade,
    HandshakeFailed,
    ConnectError,
    ConnectingCancelledError,
    DNSLookupError,
    gaierror,
    UnsupportedAddressFamily,
    RequestNotSent,
)
"""Errors that come before anything was written to a connection. What comes later is never one of these: Twisted's HTTP
client wraps it (``ResponseFailed``, ``RequestTransmissionFailed``, …)."""


def never_sent(error: BaseException) -> bool:
    """Return whether it is certain that the server has seen nothing of the request. In doubt it is not."""
    return isinstance(error, _NEVER_SENT)


def was_given_up(error: BaseException) -> bool:
    """Return whether the error comes of cancelling the request, at whichever stage that was."""
    return any(isinstance(cause, CancelledError | ConnectingCancelledError) for cause in _causes(error))


def reason_of(error: BaseException, connect_timeout_s: float) -> str:
    """Return in a few words what went wrong; ``connect_timeout_s``: how long there was to connect, in seconds."""
    if isinstance(error, NotMade | HandshakeFailed):
        return _words(error)
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, DNSLookupError | gaierror):
        return "no such host"
    if isinstance(error, UserError):
        return f"no connection within {connect_timeout_s:g} s"
    if isinstance(error, ConnectError):
        return f"no connection: {_words(error)}"
    cause = _causes(error)[-1]
    if isinstance(cause, ParseError):
        return "what it answered is not HTTP; is that the HTTP port of a node?"
    return f"the connection ended before the answer: {_words(cause)}"


def _causes(error: BaseException) -> list[BaseException]:
    """Return the error and, one level down, what Twisted's HTTP client wrapped in it."""
    reasons: list[Any] = list(getattr(error, "reasons", None) or ())
    return [error, *(reason.value for reason in reasons if isinstance(reason, Failure) and reason.value is not None)]


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
