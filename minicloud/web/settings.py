"""What the HTTP side is told when it is put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec

from attrs import define, evolve, frozen

from minicloud.web.limits import MAX_CONNECTIONS

DEFAULT_MAX_VALUE_BYTES = 1024 * 1024
"""The contract's default of ``max_value_bytes``."""


@frozen
class WebSettings:
    """The keys of the configuration that matter here, checked by whoever read them."""

    advertise_addr: str
    """``host:port`` by which others reach this node over HTTP. Its host is an accepted ``Host``."""
    auth_token: str = ""
    """Bearer token for writes and admin; empty: none is asked for."""
    auth_reads: bool = False
    """Whether reading keys needs the token, too."""
    allowed_hosts: tuple[str, ...] = ()
    """Names accepted in ``Host`` beside literal addresses, ``localhost`` and the host of ``advertise_addr``."""
    forward_writes: bool = False
    """``follower_writes: forward``; otherwise a follower answers 307."""
    max_value_bytes: int = DEFAULT_MAX_VALUE_BYTES
    """Largest value, in bytes."""
    tls: bool = False
    """Whether this cluster speaks HTTPS: the scheme of ``Location`` and of forwarding."""
    tls_ca: bytes = b""
    """PEM of the authority that signed the members' certificates; empty: the system's authorities."""
    max_connections: int = MAX_CONNECTIONS
    """Open connections at once."""

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.tls else "http"


def _ignore_request(method: str, route: str, code: int, seconds: float) -> None:
    """Record nothing."""


def _ignore() -> None:
    """Record nothing."""


@define
class WebInstruments:
    """What is measured. Each call is made on the reactor and must be quick."""

    request_finished: Callable[[str, str, int, float], None] = _ignore_request
    """Method, route template (never a key), status code, seconds from the end of the header to the answer. A client
    that hung up before its answer counts as 499."""
    put_finished: Callable[[], None] = _ignore
    """A PUT was applied through this node."""
    get_finished: Callable[[], None] = _ignore
    """A GET or HEAD of a key was answered by this node, found or not."""
    delete_finished: Callable[[], None] = _ignore
    """A DELETE was applied through this node."""


_Arguments = ParamSpec("_Arguments")


def both(first: Callable[_Arguments, None], second: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
    """Return one instrument that two listeners hear."""

    def call(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> None:
        first(*arguments, **named)
        second(*arguments, **named)

    return call


def with_listener(
    instruments: WebInstruments, request_finished: Callable[[str, str, int, float], None]
) -> WebInstruments:
    """Return instruments whose ``request_finished`` is heard by one more listener."""
    return evolve(instruments, request_finished=both(instruments.request_finished, request_finished))


MetricsPage = Callable[[str], tuple[str, bytes]]
"""From the ``Accept`` header to content type and body of ``/metrics``."""


def no_metrics(accept: str) -> tuple[str, bytes]:
    """Return an empty exposition: for a site without metrics."""
    return "text/plain; version=0.0.4; charset=utf-8", b""
