"""Nodes as real processes, each in a folder and on ports of its own."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.harness.ports import free_ports

TOP = Path(__file__).parents[2]
TWISTD = (shutil.which("twistd", path=str(Path(sys.executable).parent)) or "twistd", "-n", "minicloud")
TWIST = (shutil.which("twist", path=str(Path(sys.executable).parent)) or "twist", "minicloud")
PYTHON_M_TWISTED = (sys.executable, "-m", "twisted", "minicloud")

START_LIMIT_S = 30
"""On a machine that has other things to do, too."""


def environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without settings of minicloud but those that are given."""
    clean = {name: value for name, value in os.environ.items() if name != "AUTH_TOKEN" and "MINICLOUD" not in name}
    return clean | {"PYTHONPATH": os.pathsep.join([str(TOP), os.environ.get("PYTHONPATH", "")])} | variables


def run(folder: Path, command: tuple[str, ...], *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is expected to end by itself."""
    return subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
        check=False,
    )


class NodeProcess:
    """One node that runs."""

    def __init__(
        self, folder: Path, config: str, port: int, command: tuple[str, ...] = TWISTD, **variables: str
    ) -> None:
        self.host = "127.0.0.1"
        self.port = port
        self.https: ssl.SSLContext | None = None
        self.output = folder / f"{Path(config).stem}-{port}.log"
        self._file = self.output.open("a", encoding="utf-8")
        self.process = subprocess.Popen(
            [*command, "--config", config],
            cwd=folder,
            env=environment(**variables),
            stdout=self._file,
            stderr=subprocess.STDOUT,
        )

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Send one request, and return status and body of the answer."""
        if self.https is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=START_LIMIT_S)
        else:
            connection = http.client.HTTPSConnection(self.host, self.port, timeout=START_LIMIT_S, context=self.https)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self) -> dict[str, object]:
        """Return /raft/status."""
        return json.loads(self.ask("GET", "/raft/status")[1])

    def wait_ready(self) -> NodeProcess:
        """Return when the node knows a leader and is caught up."""
        return self.wait_for("/readyz")

    def wait_for(self, path: str) -> NodeProcess:
        """Return when a path answers with 200."""
        return self.wait_until(lambda: self._answers_200(path), f"{path} answers 200")

    def _answers_200(self, path: str) -> bool:
        try:
            return self.ask("GET", path)[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_until(self, holds: Callable[[], object], what: str) -> NodeProcess:
        """Return when something holds, which must come about while the process lives."""
        deadline = time.monotonic() + START_LIMIT_S
        while not holds():
            assert self.process.poll() is None, f"it has ended before {what}: {self.log}"
            assert time.monotonic() < deadline, f"not so that {what}: {self.log}"
            time.sleep(0.05)
        return self

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal, and return the exit status."""
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Return the exit status."""
        return self.process.wait(START_LIMIT_S)

    @property
    def log(self) -> str:
        """What it has said so far."""
        return self.output.read_text(encoding="utf-8")

    def close(self) -> None:
        """Leave nothing behind."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._file.close()


class Nodes:
    """The processes of one test, on free ports, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[NodeProcess] = []

    def write_config(self, name: str, **keys: object) -> tuple[str, int]:
        """Write a config file for a node with ports of its own; returns its name and its HTTP port."""
        http_port, raft_port = free_ports(2)
        settings = {
            "node_id": name,
            "listen_addr": f"127.0.0.1:{http_port}",
            "raft_addr": f"127.0.0.1:{raft_port}",
            **keys,
        }
        path = self.folder / f"{name}.yaml"
        path.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()))
        return path.name, http_port

    def start(self, config: str, port: int, command: tuple[str, ...] = TWISTD, **variables: str) -> NodeProcess:
        """Start a node."""
        node = NodeProcess(self.folder, config, port, command, **variables)
        self._started.append(node)
        return node

    def close(self) -> None:
        """End all that still run."""
        for node in self._started:
            node.close()


@contextlib.contextmanager
def nodes_in(folder: Path) -> Iterator[Nodes]:
    """Give a folder to start nodes in, and end them all afterwards."""
    nodes = Nodes(folder)
    try:
        yield nodes
    finally:
        nodes.close()
