"""Ports that tests listen on: free ones, and never those of another process of the same test run."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import socket
from collections.abc import Iterator
from functools import cache

FIRST, PER_PROCESS, PROCESSES = 20_000, 1_500, 8
"""All below 32,000, where systems begin to give ports to outgoing connections: the port of a node that is down stays free
until it is back."""


def own_ports() -> range:
    """Return the ports of this process of a test run, which pytest-xdist numbers: gw0, gw1, …"""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    assert number < PROCESSES, f"at most {PROCESSES} test processes have ports: pytest -n {PROCESSES}"
    return range(FIRST + number * PER_PROCESS, FIRST + (number + 1) * PER_PROCESS)


@cache
def _in_turn() -> Iterator[int]:
    """Go round the ports, so that none is given to two nodes of a test: one that was just started listens a while later."""
    ports = own_ports()
    return itertools.cycle(random.sample(ports, len(ports)))


def _is_free(port: int, host: str) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, port))
        return True
    return False


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return ports that nobody listens on at this moment, and that nobody has been given for a long time."""
    free = (port for port in itertools.islice(_in_turn(), PER_PROCESS) if _is_free(port, host))
    found = list(itertools.islice(free, count))
    assert len(found) == count, "no free ports"
    return found
