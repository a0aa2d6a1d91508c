"""Base URLs of servers: how a user may write them, and when two are the same."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from minicloud.addresses import parse_address

DEFAULT_SERVER = "http://127.0.0.1:9001"
"""The first node of the shipped configuration."""

_DEFAULT_PORTS = {"http": 80, "https": 443}


def parse_server(text: str) -> str:
    """Return the base URL that ``text`` means: ``scheme://host:port`` in lower case. ``http://`` may be left out.

    Raises ValueError, with one line that says what is wrong with it.
    """
    written = text.strip()
    url = written if "://" in written else f"http://{written}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ValueError(f"{text!r} is not the address of a server: {error}") from None
    if parts.scheme not in _DEFAULT_PORTS or not host or any(character.isspace() for character in url):
        raise ValueError(f"{text!r} is not the address of a server; expected one like {DEFAULT_SERVER}")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"{text!r} says more than scheme, host and port; expected an address like {DEFAULT_SERVER}")
    try:
        address = parse_address(f"{_as_in_dns(host)}:{_DEFAULT_PORTS[parts.scheme] if port is None else port}")
    except ValueError as error:
        raise ValueError(f"{text!r} is not the address of a server; expected {error}") from None
    return f"{parts.scheme}://{address}"


def parse_servers(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the base URLs in order, each once; every text may hold several, separated by commas.

    Raises ValueError where there is none, or one is wrong; TypeError for a single text, each letter of which would be a
    server.
    """
    if isinstance(texts, str | bytes):
        raise TypeError(f"servers are given as several texts, not as {texts!r}; write a list: [{DEFAULT_SERVER!r}]")
    written = [part for text in texts for part in text.split(",") if part.strip()]
    if not written:
        raise ValueError(f"no server is given; expected an address like {DEFAULT_SERVER}")
    return tuple(dict.fromkeys(parse_server(part) for part in written))


def member_server(http_addr: str, named_by: str) -> str | None:
    """Return the base URL of a member whose HTTP address is ``host:port``, or None where that is no address.

    ``named_by``: base URL of the server that names the member. A cluster speaks HTTPS on all members or on none, so the
    scheme is the same; and a token that was given for HTTPS never leaves in the clear.
    """
    scheme = named_by.partition("://")[0]
    try:
        return parse_server(f"{scheme}://{http_addr}")
    except ValueError:
        return None


def origin_of(url: str) -> str | None:
    """Return the base URL of any HTTP URL, or None where it is none."""
    try:
        parts = urlsplit(url)
        return parse_server(f"{parts.scheme}://{parts.netloc}")
    except ValueError:
        return None


def _as_in_dns(host: str) -> str:
    """Return a host as DNS knows it, IPv6 addresses in brackets, their zone without the escape that it has in a URL."""
    if ":" in host:
        return f"[{host.replace('%25', '%')}]"
    try:
        return host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError("an IP address or a host name") from None
