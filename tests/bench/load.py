"""Many requests over many connections: wrk where it is installed, else ``cloudctl bench``."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

from attrs import frozen

from tests.harness.processes import TOP, NodeProcess, environment

SCRIPT = Path(__file__).with_name("load.lua")
KEYS = 1000
VALUE = b"v" * 100
"""As in the script for wrk."""

GRACE_S = 60
"""Beyond the length of a load, until its driver must have ended."""

_LAYOUT = "{:15}{:>12}{:>14}{:>11}{:>11}{:>9}"
HEADING = _LAYOUT.format("", "connections", "requests/s", "p50 ms", "p99 ms", "errors")


@frozen
class Load:
    """What came of one load."""

    what: str
    connections: int
    requests: int
    """Answered, with whatever status."""
    seconds: float
    p50_ms: float
    p99_ms: float
    errors: int
    """Answers with a status of 300 or more, and requests without an answer."""

    def row(self) -> str:
        rate = (self.requests - min(self.errors, self.requests)) / self.seconds
        return _LAYOUT.format(
            self.what, self.connections, f"{rate:,.0f}", f"{self.p50_ms:.2f}", f"{self.p99_ms:.2f}", self.errors
        )


class Driver(Protocol):
    """What makes load."""

    name: str

    def measure(self, what: str, method: str, port: int, connections: int, seconds: int) -> Load: ...


def fill(node: NodeProcess) -> None:
    """Write each key once, so that no GET looks for one that is not there."""
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=GRACE_S)
    with contextlib.closing(connection):
        for number in range(1, KEYS + 1):
            connection.request("PUT", f"/kv/bench-{number}", VALUE)
            answer = connection.getresponse()
            if answer.status != 200:
                raise SystemExit(f"the keys cannot be written: {answer.status} {answer.read()!r}")
            answer.read()


def load_driver(wish: str | None) -> Driver:
    """Return the driver that was asked for; without a wish, wrk where there is one."""
    wrk = shutil.which("wrk")
    if wish == "wrk" and wrk is None:
        raise SystemExit("wrk is not installed; --driver treq needs nothing")
    if wrk is not None and wish != "treq":
        return Wrk(wrk)
    return Treq()


@frozen
class Wrk:
    """wrk, with one thread: one drives several times what three nodes on the same machine can answer."""

    path: str
    name: str = "wrk"

    def measure(self, what: str, method: str, port: int, connections: int, seconds: int) -> Load:
        command = [self.path, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT)]
        found = _run(seconds, [*command, f"http://127.0.0.1:{port}", "--", method, str(KEYS)])
        return Load(
            what, connections, found["requests"], found["seconds"], found["p50_ms"], found["p99_ms"], found["errors"]
        )


@frozen
class Treq:
    """``cloudctl bench``, in a process of its own: slower than wrk, so its numbers say as much about itself."""

    name: str = "treq"

    def measure(self, what: str, method: str, port: int, connections: int, seconds: int) -> Load:
        command = [sys.executable, "-m", "minicloud.cli", "bench", method.lower(), "-s", f"127.0.0.1:{port}"]
        options = {"connections": connections, "duration": seconds, "keys": KEYS, "value-size": len(VALUE)}
        written = [part for name, value in options.items() for part in (f"--{name}", str(value))]
        found = _run(seconds, [*command, *written, "-o", "json"])
        answered = found["requests"] + found["errors"]
        return Load(what, connections, answered, found["seconds"], found["p50_ms"], found["p99_ms"], found["errors"])


def _run(seconds: int, command: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        command, cwd=TOP, env=environment(), capture_output=True, text=True, timeout=seconds + GRACE_S, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"{command[0]} has failed: {(done.stderr or done.stdout).strip()}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
