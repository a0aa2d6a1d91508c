"""cloudctl on this machine: the members advertise names that mean something to containers only."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.containers.nodes import PORTS, leader
from tests.containers.said import say, so

LIMIT_S = 30.0
NOT_FOUND = 3
SERVERS = {node: f"http://127.0.0.1:{port}" for node, port in PORTS.items()}


def find_cloudctl() -> Cloudctl | None:
    """Return the cloudctl of this Python's environment, or the one on the path."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    found = shutil.which("cloudctl", path=places)
    return None if found is None else Cloudctl(found)


class Cloudctl:
    """The command, told of all three published ports."""

    def __init__(self, path: str) -> None:
        self._path = path

    def run(self, *arguments: str, first: str | None = None, token: str = "") -> subprocess.CompletedProcess[str]:
        """Run a verb; ``first`` is the node that is named first, and so is asked first."""
        named = sorted(PORTS, key=lambda node: node != first)
        command = [self._path, "-server", ",".join(SERVERS[node] for node in named), *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MINICLOUD_")}
        environment["AUTH_TOKEN"] = token
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def check(self) -> None:
        """See the verbs work from outside, where a follower is the first one to be asked."""
        say("cloudctl on this machine, at the published ports")
        follower = next(node for node in PORTS if node != leader())
        self._check_keys(follower)
        done = self.run("-o", "json", "members", first=follower)
        known = {each["node_id"]: each for each in json.loads(done.stdout)["members"]} if done.stdout else {}
        so("cloudctl members: all three", done.returncode == 0 and sorted(known) == sorted(PORTS), done)
        addresses = {node: each["http_addr"] for node, each in known.items()}
        so("they advertise container names", addresses == {node: f"{node}:9001" for node in PORTS}, addresses)
        # Only the leader knows how far each member is; a follower that is asked first can't say.
        so("as the leader sees them", all(isinstance(each["match_index"], int) for each in known.values()), done)
        told = self._status(follower)
        seen = {node: each["server"] for node, each in told.items() if each["reachable"]}
        so("cloudctl status: each answers where it is published", seen == SERVERS, told)
        names = {node: each["status"]["node_id"] for node, each in told.items()}
        so("and each for itself", all(node == name for node, name in names.items()), names)

    def _check_keys(self, follower: str) -> None:
        done = self.run("put", "from-outside", "a value", first=follower)
        so("cloudctl put", done.returncode == 0 and "created" in done.stdout, done)
        done = self.run("get", "from-outside", first=follower)
        so("cloudctl get", done.returncode == 0 and done.stdout == "a value", done)
        done = self.run("delete", "from-outside", first=follower)
        so("cloudctl delete", done.returncode == 0 and "deleted" in done.stdout, done)
        done = self.run("get", "from-outside", first=follower)
        so(f"cloudctl get then ends with {NOT_FOUND}", done.returncode == NOT_FOUND and not done.stdout, done)

    def _status(self, first: str) -> dict[str, dict]:
        done = self.run("-o", "json", "status", first=first)
        so("cloudctl status answers", done.returncode == 0, done)
        return {each["node_id"]: each for each in json.loads(done.stdout)["members"]}

    def check_without(self, lost: str) -> None:
        """See it go on where the node that it asks first is gone."""
        done = self.run("put", "by-the-others", "value", first=lost)
        so(f"cloudctl put goes on without {lost}", done.returncode == 0 and "created" in done.stdout, done)
        told = self._status(lost)
        silent = [node for node, each in told.items() if not each["reachable"]]
        so(f"and status lists {lost}, and why it is silent", silent == [lost] and told[lost]["reason"], told)

    def check_token(self, token: str) -> None:
        """See it write with the token, and what it says without."""
        done = self.run("put", "protected", "by cloudctl")
        so("cloudctl put without the token is refused", done.returncode == 1 and "token" in done.stderr, done)
        done = self.run("put", "protected", "by cloudctl", token=token)
        so("cloudctl put with the token", done.returncode == 0 and "changed" in done.stdout, done)
