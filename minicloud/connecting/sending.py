"""Sending a request over HTTP with treq: once, to where it is meant for and nowhere else, and exactly as it is written."""

from __future__ import annotations

import re
from http.cookiejar import CookieJar
from typing import Any, cast

from hyperlink import EncodedURL
from treq.client import HTTPClient
from twisted.internet.defer import Deferred, fail
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

from minicloud.connecting.bodies import WholeBody
from minicloud.connecting.failures import NotMade

_ZONE = re.compile(r"%[^\]]*")


class Sender:
    """Sends requests by way of ``agent``. Follows no redirects, and keeps no cookies. ``reactor`` tells the time."""

    def __init__(self, agent: IAgent, reactor: Any) -> None:
        self._http = HTTPClient(agent, cast(Any, _NoCookies()))
        self._reactor = reactor

    def send(self, method: str, url: str, headers: Headers, body: bytes | None = None) -> Deferred[IResponse]:
        """Send a request; the answer's body is left to be read.

        ``url`` is used as it is: it must be ASCII, percent-encoded where needed. Fails with NotMade, and with what
        ``failures.never_sent`` tells apart.
        """
        try:
            answered = self._http.request(
                method,
                _AsWritten(url),
                headers=_with_host(headers, url),
                data=None if body is None else WholeBody(body),
                allow_redirects=False,
                unbuffered=True,
                reactor=self._reactor,
            )
        except Exception as error:
            # What is raised here and now is about the URL, a header or the place to connect to: after that, there is a
            # Deferred, and it is what fails.
            return fail(NotMade(f"the request cannot be made: {error}"))
        return cast(Deferred[IResponse], answered)


class _AsWritten(EncodedURL):
    """A URL that is as it shall be.

    treq makes URIs of URLs, which changes their host by IDNA: that knows no IPv6 addresses, and no ``_`` in host names.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self._text = text

    def to_uri(self) -> EncodedURL:
        """Return itself."""
        return self

    def to_text(self, with_password: bool = False) -> str:
        """Return what was written."""
        return self._text


class _NoCookies(CookieJar):
    """Neither keeps nor gives away any cookie. A node sets none; what another server sets is not ours to send around."""

    def add_cookie_header(self, request: object) -> None:
        """Add nothing."""

    def extract_cookies(self, response: object, request: object) -> None:
        """Take nothing."""


def _with_host(headers: Headers, url: str) -> Headers:
    """Return the headers, with a ``Host`` of their own where the URL's host is an address with a zone.

    A zone is a name of this machine for one of its networks, and no server's business (RFC 6874, section 4).
    """
    authority = url.partition("://")[2].partition("/")[0]
    if "%" not in authority:
        return headers
    headers = headers.copy()
    headers.setRawHeaders("Host", [_ZONE.sub("", authority)])
    return headers
