"""What two runs of the same command print alike."""

from __future__ import annotations

import re

from attrs import frozen

_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_UPTIME = re.compile(r"\b\d+[dhms](?: \d+[hms])?(?= |$)")
"""Such as 5s and 1m 5s."""

_NUMBER = re.compile(r"(?P<kept>^node\d|127\.0\.0\.1:\d+|\"status\":\d+|Voters: \d+|stops: \d+)|\d+(?:\.\d+)?")
"""Kept is what must not differ: whose row it is, addresses, statuses of HTTP, and how safe the cluster is."""

_ROLE = re.compile(r"\b(Leader|Follower)\b")
"""Which of two nodes is elected is chance; how many lead is not."""


@frozen
class Shape:
    """Equal for outputs that differ only by what time and chance decide."""

    lines: tuple[str, ...]
    leaders: int


def shape(printed: str) -> Shape:
    """Return the shape of what a terminal shows."""
    text = _TERMINAL_CODES.sub("", printed).replace("\r\n", "\n")
    lines = tuple(_line(line) for line in text.strip().split("\n"))
    return Shape(lines, sum(role == "Leader" for role in _ROLE.findall(text)))


def _line(line: str) -> str:
    line = _ROLE.sub("voter", _UPTIME.sub("0s", line))
    line = _NUMBER.sub(lambda found: found["kept"] or "0", line)
    return re.sub(r"\s+", " ", line).strip()
