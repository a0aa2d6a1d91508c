"""A cluster of three that has something to show, and Prometheus' own tools where they are installed."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness.processes import TOP, NodeProcess, nodes_in

MONITORING = TOP / "configs" / "monitoring"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[NodeProcess]]:
    """Three nodes that have answered some requests and taken a snapshot."""
    with nodes_in(tmp_path_factory.mktemp("nodes")) as cluster:
        settings = {"snapshot_entries": 20, "snapshot_trailing_entries": 10, "follower_writes": "forward"}
        first, port = cluster.write_config("node1", bootstrap=True, **settings)
        started = [cluster.start(first, port).wait_ready()]
        for name in ("node2", "node3"):
            config, port_of_it = cluster.write_config(name, join_url=f"http://127.0.0.1:{port}", **settings)
            started.append(cluster.start(config, port_of_it).wait_ready())
        work(started)
        yield started


def work(nodes: list[NodeProcess]) -> None:
    """Ask each node for something of everything."""
    for number in range(30):
        for node in nodes:
            assert node.ask("PUT", f"/kv/key{number}", b"value")[0] == 200
            assert node.ask("GET", f"/kv/key{number}")[0] == 200
            assert node.ask("GET", "/kv/missing")[0] == 404
    for node in nodes:
        assert node.ask("DELETE", "/kv/key1")[0] == 200
        assert node.ask("GET", "/livez")[0] == 200


def tool(name: str) -> str:
    """Return where one of Prometheus' programs is; without it the test is skipped."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: the package prometheus)")
    return found


def promtool(*arguments: str | Path, stdin: bytes = b"") -> str:
    """Run promtool, which must find nothing to complain of, and return what it says."""
    command = [tool("promtool"), *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said
