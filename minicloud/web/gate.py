"""Who may ask what: everything that is decided from a request's header, before its body is read."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping, Sequence

from minicloud.web.problems import Problem, bad_request
from minicloud.web.settings import WebSettings

Headers = Mapping[bytes, Sequence[bytes]]

SAFE_METHODS = frozenset((b"GET", b"HEAD"))
"""Methods that change nothing (RFC 9110, section 9.2.1)."""

_OWN_SITES = frozenset((b"same-origin", b"none"))
"""Values of Sec-Fetch-Site for a page of ours, and for a person at the address bar."""

_REMEMBERED_HOSTS = 64
"""Values of ``Host`` that were accepted and are not parsed again; clients use a few."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@\s]+)(?::([0-9]{1,5}))?")


def host_of(authority: str) -> str | None:
    """Return the host of ``host[:port]``, lower-case and without brackets; None where it is none."""
    match = _HOST.fullmatch(authority)
    return None if match is None else match[1].strip("[]").lower().rstrip(".")


def _is_literal_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class Gate:
    """The checks of one site. Each raises Problem."""

    def __init__(self, settings: WebSettings) -> None:
        self._token = settings.auth_token.encode("utf-8")
        self._reads_need_token = settings.auth_reads
        names = ("localhost", host_of(settings.advertise_addr), *(host_of(name) for name in settings.allowed_hosts))
        self._names = frozenset(name for name in names if name)
        self._remembered: set[bytes] = set()

    def check_host(self, values: Sequence[bytes] | None, version: bytes) -> None:
        """Refuse a ``Host`` that is not this node: a foreign name that resolves to us is a DNS rebinding attack.

        A literal address cannot be rebound and is always accepted.
        """
        if values is None:
            if version == b"HTTP/1.1":
                raise bad_request(
                    "bad_request", "Bad request", "an HTTP/1.1 request has a Host header (RFC 9112, section 3.2)"
                )
            return
        if len(values) == 1 and values[0] in self._remembered:
            return
        if len(values) != 1:
            raise bad_request("bad_request", "Bad request", "a request has one Host header (RFC 9112, section 3.2)")
        host = host_of(values[0].decode("latin-1"))
        if host is None or not (host in self._names or _is_literal_address(host)):
            raise Problem(
                421,
                "misdirected_request",
                "Misdirected request",
                "This node does not go by that Host; the configuration key allowed_hosts adds names that it accepts.",
            )
        if len(self._remembered) < _REMEMBERED_HOSTS:
            self._remembered.add(values[0])

    def check_origin(self, headers: Headers) -> None:
        """Refuse what a page of another site makes a browser send (Fetch Metadata; RFC 6454, section 7)."""
        site = headers.get(b"Sec-Fetch-Site")
        if site is not None and site[-1].lower() not in _OWN_SITES:
            raise _foreign(f"Sec-Fetch-Site is {site[-1].decode('latin-1')!r}")
        origin = headers.get(b"Origin")
        if origin is not None and not self._is_own_origin(origin[-1], headers.get(b"Host")):
            raise _foreign("Origin is another site")

    def _is_own_origin(self, origin: bytes, host: Sequence[bytes] | None) -> bool:
        scheme, _, authority = origin.lower().partition(b"://")
        return host is not None and scheme in (b"http", b"https") and authority == host[0].lower()

    def check_token(self, headers: Headers, reading: bool) -> None:
        """Refuse who does not know the token, where one is set (RFC 6750, section 2.1)."""
        if not self._token or (reading and not self._reads_need_token):
            return
        values = headers.get(b"Authorization", ())
        scheme, _, token = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
        if scheme.lower() != b"bearer" or not hmac.compare_digest(token.strip(b" "), self._token):
            raise Problem(
                401,
                "unauthorized",
                "Unauthorized",
                "This needs the header Authorization: Bearer <token>, with the token of this cluster.",
                header_lines=b"WWW-Authenticate: Bearer\r\n",
            )


def _foreign(detail: str) -> Problem:
    return Problem(403, "foreign_origin", "Refused for pages of other sites", detail)
