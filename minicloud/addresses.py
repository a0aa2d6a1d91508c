"""``host:port`` as people write it, checked once so that nothing after it has to wonder."""

from __future__ import annotations

import ipaddress
import re

from attrs import frozen

MAX_PORT = 65535
"""Ports are 16 bits wide; port 0 (any free one) would be an address that nobody else can know."""

MAX_HOST_NAME_CHARACTERS = 253
"""RFC 1035, section 2.3.4, without the length octets."""

_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
"""RFC 1123, section 2.1, and the underscore that container engines put into service names."""

_ONLY_DIGITS_AND_DOTS = re.compile(r"[0-9.]+")

_ZONE = re.compile(r"[A-Za-z0-9._-]{1,32}")
"""The interface behind the ``%`` of a scoped IPv6 address (RFC 4007, section 11): what members' lines can carry."""


@frozen
class Address:
    """A TCP endpoint."""

    host: str
    """IPv4 address, IPv6 address without brackets, or host name."""
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_ip(self) -> bool:
        """Whether the host is an address and no name."""
        return self._ip() is not None

    @property
    def is_wildcard(self) -> bool:
        """Whether it stands for every interface: good to listen on, no place to connect to."""
        ip = self._ip()
        return ip is not None and ip.is_unspecified

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect to it. A host name but ``localhost`` is taken for reachable."""
        ip = self._ip()
        return self.host.lower() == "localhost" if ip is None else ip.is_loopback

    def _ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


def parse_address(text: str) -> Address:
    """Return the address that ``host:port`` means; IPv6 hosts stand in brackets.

    Raises ValueError with what was expected, in words that end a sentence "expected …".
    """
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        raise ValueError("host:port, such as 127.0.0.1:9001")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= MAX_PORT):
        raise ValueError(f"a port from 1 to {MAX_PORT} after the last colon")
    return Address(_parse_host(host), int(port))


def _parse_host(host: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        return _parse_ip(host[1:-1])
    if ":" in host:
        raise ValueError("an IPv6 address in brackets, such as [::1]:9001")
    if _ONLY_DIGITS_AND_DOTS.fullmatch(host):
        return _parse_ip(host)
    if len(host) > MAX_HOST_NAME_CHARACTERS or not _HOST_NAME.fullmatch(host):
        raise ValueError("an IP address or a host name before the colon")
    return host


def _parse_ip(text: str) -> str:
    try:
        ip = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("a valid IP address before the port") from None
    _host, percent, zone = text.partition("%")
    if percent and not _ZONE.fullmatch(zone):
        raise ValueError("an IPv6 zone of at most 32 letters, digits, '.', '_' and '-' before the port")
    return str(ip)
