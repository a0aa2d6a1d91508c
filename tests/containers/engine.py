"""A container engine with its compose, whichever works here."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import time
from collections.abc import Iterable
from pathlib import Path

from tests.containers.said import NotSoError

TOP = Path(__file__).resolve().parents[2]
LIMIT_S = 600
"""For all of it. Most of that is for the first build and for the images of monitoring, which are downloaded."""

HEALTH = ("python", "-m", "minicloud.service.health")
PROFILE = ("--profile", "monitoring")

ENGINES = (
    (("docker", "info"), ("docker", "compose", "version"), "docker", ("docker", "compose")),
    (("podman", "info"), ("podman-compose", "version"), "podman", ("podman-compose",)),
)
"""What must work, and then: the engine and its compose."""


class Engine:
    """A container engine, and one compose project in it."""

    def __init__(self, name: str, compose: tuple[str, ...]) -> None:
        self.name, self.compose_name = name, " ".join(compose)
        self.project = f"minicloudcheck{secrets.token_hex(4)}"
        self._compose = (*compose, "-p", self.project, "-f", "compose.yml")
        self._ends_at = time.monotonic() + LIMIT_S
        self.environment = dict(os.environ, MINICLOUD_CLUSTER_SECRET=secrets.token_hex(16), AUTH_TOKEN="")
        # Asked with a command that reads no compose.yml, so that a fault of that file never looks like an old compose.
        self.knows_profiles = self.attempt(*self._compose, *PROFILE, "version").returncode == 0

    def set(self, **variables: str) -> None:
        """Set what compose.yml takes from the environment."""
        self.environment.update(variables)

    def all_of(self, nodes: Iterable[str]) -> tuple[str, ...]:
        """Return what to name in a command for all nodes: nothing, but to a compose that would take the rest for wanted."""
        return () if self.knows_profiles else tuple(nodes)

    def attempt(self, *command: str, limit_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command, however it ends."""
        limit_s = max(5.0, min(limit_s, self._ends_at - time.monotonic()))
        return subprocess.run(
            command,
            cwd=TOP,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )

    def run(self, *arguments: str, limit_s: float = 60) -> str:
        """Run a command of the engine that must work, and return what it prints."""
        return self._must(self.attempt(self.name, *arguments, limit_s=limit_s))

    def compose(self, *arguments: str, limit_s: float = 120) -> str:
        """Run a command of compose that must work."""
        return self._must(self.attempt(*self._compose, *arguments, limit_s=limit_s))

    def _must(self, done: subprocess.CompletedProcess[str]) -> str:
        if done.returncode:
            raise NotSoError(
                f"{' '.join(done.args)} ends with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
            )
        return done.stdout

    def has_image(self, image: str) -> bool:
        return self.attempt(self.name, "image", "inspect", image).returncode == 0

    def ids(self) -> list[str]:
        """Return all containers of the project."""
        return self.run("ps", "-aq", "--filter", f"label=com.docker.compose.project={self.project}").split()

    def inspect(self, container: str) -> dict:
        return json.loads(self.run("inspect", container))[0]

    def containers(self) -> dict[str, str]:
        """Return the container of each service."""
        told = [self.inspect(container) for container in self.ids()]
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each["Id"] for each in told}

    def execute(self, container: str, *command: str) -> subprocess.CompletedProcess[str]:
        return self.attempt(self.name, "exec", container, *command)

    def is_healthy(self, container: str) -> bool:
        """Return what the configured health check says."""
        if self.name == "podman":  # where no systemd runs, nobody else would ask
            return self.attempt(self.name, "healthcheck", "run", container).returncode == 0
        return self.inspect(container)["State"]["Health"]["Status"] == "healthy"

    def clean_up(self) -> None:
        """Remove what bears the project's name."""
        self._ends_at = time.monotonic() + 120
        profile = PROFILE if self.knows_profiles else ()
        self.attempt(*self._compose, *profile, "down", "-v", limit_s=60)
        for container in self.ids():
            self.attempt(self.name, "rm", "-f", "-v", container)
        for kind in ("volume", "network"):
            for name in self.left(kind):
                self.attempt(self.name, kind, "rm", name)

    def left_behind(self) -> list[str]:
        """Return every container, volume and network of the project."""
        return self.ids() + self.left("volume") + self.left("network")

    def left(self, kind: str) -> list[str]:
        return self.run(kind, "ls", "-q", "--filter", f"name={self.project}").split()


def find_engine() -> Engine | None:
    """Return the first engine that works, with a compose that works."""
    for info, version, name, compose in ENGINES:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if all(subprocess.run(each, capture_output=True, timeout=30).returncode == 0 for each in (info, version)):
                return Engine(name, compose)
    return None
