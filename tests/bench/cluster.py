"""Three nodes as real processes, that can be killed, silenced and started again."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from tests.harness.processes import NodeProcess, Nodes, nodes_in

PATIENCE_S = 60
"""Until a cluster that is in order must have a leader and three voters."""

LOOK_INTERVAL_S = 0.05


class Cluster:
    """The processes by node id. ``answered`` holds each write that was answered, for the final look."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._configs: dict[str, tuple[str, int]] = {}
        self.running: dict[str, NodeProcess] = {}
        self.answered: dict[str, bytes] = {}
        self._form()

    def _form(self) -> None:
        first = self._nodes.write_config("node1", bootstrap=True)
        base = f"http://127.0.0.1:{first[1]}"
        self._configs["node1"] = first
        for node_id in ("node2", "node3"):
            self._configs[node_id] = self._nodes.write_config(node_id, join_url=base)
        for node_id in self._configs:
            self.start(node_id)
        self.wait_whole()

    def start(self, node_id: str) -> None:
        self.running[node_id] = self._nodes.start(*self._configs[node_id])

    def node_id(self, node: NodeProcess) -> str:
        return next(node_id for node_id, running in self.running.items() if running is node)

    def others(self, node: NodeProcess) -> list[NodeProcess]:
        return [running for running in self.running.values() if running is not node]

    def leader(self) -> NodeProcess:
        """Return the one leader that two more follow, once it is so."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            statuses = {node_id: status_of(node) for node_id, node in self.running.items()}
            named = {status.get("leader_id") for status in statuses.values()}
            if len(named) == 1 and (leader := named.pop()) in self.running and statuses[leader].get("is_leader"):
                return self.running[leader]
            if time.monotonic() > deadline:
                raise SystemExit(f"no leader that all follow: {statuses}")
            time.sleep(LOOK_INTERVAL_S)

    def wait_whole(self) -> None:
        """Return when all three have a vote, know one leader and are caught up."""
        deadline = time.monotonic() + PATIENCE_S
        for node in self.running.values():
            node.wait_ready()
        while True:
            members = json.loads(self.leader().ask("GET", "/cluster/members")[1])["members"]
            voters = [member for member in members if member["suffrage"] == "Voter" and member["healthy"]]
            if len(voters) == len(self.running) and all(member["lag_entries"] == 0 for member in voters):
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"the cluster does not become whole: {members}")
            time.sleep(LOOK_INTERVAL_S)

    def count_lost_writes(self) -> int:
        """Return how many of the answered writes are not there."""
        leader = self.leader()
        return sum(leader.ask("GET", f"/kv/{key}") != (200, value) for key, value in self.answered.items())


def status_of(node: NodeProcess) -> dict[str, object]:
    """Return what a node says of itself, nothing where it does not answer."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        return node.status()
    return {}


@contextlib.contextmanager
def cluster_in(folder: Path) -> Iterator[Cluster]:
    """Give a cluster in a folder; its processes end with the block, whatever happens, and on a SIGTERM too."""

    def leave(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    former = signal.signal(signal.SIGTERM, leave)
    try:
        with nodes_in(folder) as nodes:
            yield Cluster(nodes)
    finally:
        signal.signal(signal.SIGTERM, former)
