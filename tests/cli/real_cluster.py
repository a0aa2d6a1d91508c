"""Three real nodes for ``cloudctl`` and for the README's example of the client."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import sys
import time
from typing import Any

from attrs import frozen

from tests.harness.processes import TOP, NodeProcess, Nodes, run

CLOUDCTL = (sys.executable, "-m", "minicloud.cli")
PATIENCE_S = 30
PAUSE_S = 0.05
"""Between two looks."""


@frozen
class Cluster:
    nodes: Nodes
    started: dict[str, NodeProcess]

    @property
    def servers(self) -> str:
        return ",".join(f"http://127.0.0.1:{node.port}" for node in self.started.values())

    def server(self, node_id: str) -> str:
        return f"http://127.0.0.1:{self.started[node_id].port}"

    def cloudctl(self, *arguments: str, server: str = "", **variables: str) -> Any:
        where = server or self.servers
        return run(self.nodes.folder, CLOUDCTL, *arguments, MINICLOUD_SERVER=where, **variables)

    def document(self, *arguments: str) -> Any:
        done = self.cloudctl("-o", "json", *arguments)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def leader(self) -> str:
        """Return the id of the leader, once there is one."""
        return self.wait_for(lambda members: [m["node_id"] for m in members if m["is_leader"]])[0]

    def followers(self) -> list[str]:
        leader = self.leader()
        return [node_id for node_id in self.started if node_id != leader]

    def wait_for(self, found: Any) -> Any:
        """Return what ``found`` finds in the members, once it does. Nodes are asked: a cloudctl for each look takes longer."""
        deadline = time.monotonic() + PATIENCE_S
        while not (result := found(self._members())):
            assert time.monotonic() < deadline, self._members()
            time.sleep(PAUSE_S)
        return result

    def _members(self) -> list[dict[str, Any]]:
        """Return what the leader says of all members; nothing where there is none."""
        for node_id, node in self.started.items():
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, body = node.ask("GET", "/cluster/members")
                members = json.loads(body)["members"] if status == 200 else []
                if any(member["is_leader"] and member["node_id"] == node_id for member in members):
                    return members
        return []


def start(nodes: Nodes, elsewhere: bool = False, **keys: object) -> Cluster:
    """Start three nodes. ``elsewhere``: they advertise names that nobody knows here, as those of containers are."""

    def address(name: str) -> dict[str, object]:
        return {"advertise_addr": f"{name}.invalid:9001"} if elsewhere else {}

    config, port = nodes.write_config("node1", bootstrap=True, **address("node1"), **keys)
    started = {"node1": nodes.start(config, port)}
    for name in ("node2", "node3"):
        config, follower_port = nodes.write_config(name, join_url=f"http://127.0.0.1:{port}", **address(name), **keys)
        started[name] = nodes.start(config, follower_port)
    for node in started.values():
        node.wait_ready()
    cluster = Cluster(nodes, started)
    cluster.wait_for(lambda members: [m["suffrage"] for m in members] == ["Voter"] * 3)
    return cluster


def example() -> str:
    """Return the README's example of the client."""
    blocks = re.findall(r"```python\n(.*?)```", (TOP / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    return next(block for block in blocks if "minicloud.client" in block)


def run_example(cluster: Cluster, before: str = "", told_before: str = "") -> int:
    """Run the example as it is written, but with the ports of this cluster; returns the revision that it prints.

    ``before``: a program that comes before it, and ``told_before`` what that one writes to stderr.
    """
    program = before + example()
    for written, node in zip(("9001", "9002", "9003"), cluster.started.values(), strict=True):
        assert f"http://127.0.0.1:{written}" in program
        program = program.replace(f"127.0.0.1:{written}", f"127.0.0.1:{node.port}")
    done = run(cluster.nodes.folder, (sys.executable, "-c", program))
    assert (done.returncode, done.stderr) == (0, told_before)
    told, revision = done.stdout.rsplit(maxsplit=1)
    assert told == "blue, at revision"
    return int(revision)
