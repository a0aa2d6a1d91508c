"""Nodes that have IPv6 addresses and no others: they find each other, pass writes on, and cloudctl asks them."""

import json
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness.ports import free_ports
from tests.harness.processes import START_LIMIT_S, NodeProcess, nodes_in, run

CLOUDCTL = (sys.executable, "-m", "minicloud.cli")


def has_ipv6_loopback() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6_loopback(), reason="this machine has no IPv6 loopback address")
def test_two_nodes_on_the_ipv6_loopback_are_one_cluster(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        first_http, first_raft, second_http, second_raft = free_ports(4)
        started: list[NodeProcess] = []
        for name, http_port, raft_port, more in (
            ("n1", first_http, first_raft, {"bootstrap": True}),
            ("n2", second_http, second_raft, {"join_url": f"http://[::1]:{first_http}", "follower_writes": "forward"}),
        ):
            config, _ = nodes.write_config(
                name, **{"listen_addr": f"[::1]:{http_port}", "raft_addr": f"[::1]:{raft_port}"} | more
            )
            started.append(nodes.start(config, http_port))
            started[-1].host = "::1"
            started[-1].wait_ready()
        wait_until(lambda: of_members(started[0], "/cluster/members", "suffrage") == ["Voter"] * 2, started[0])
        status, body = started[1].ask("PUT", "/kv/a", b"forwarded")
        assert (status, json.loads(body)["created"]) == (200, True)
        server = f"http://[::1]:{second_http}"
        assert run(tmp_path, CLOUDCTL, "-s", server, "put", "b", "followed").returncode == 0
        assert run(tmp_path, CLOUDCTL, "-s", server, "get", "b").stdout == "followed"
        wait_until(lambda: of_members(started[1], "/events?format=json", "answers") == [True, True], started[1])
        assert [node.end() for node in reversed(started)] == [0, 0]


def of_members(node: NodeProcess, path: str, name: str) -> list[object]:
    told = json.loads(node.ask("GET", path)[1])
    return [member[name] for member in told.get("cluster", told)["members"]]


def wait_until(holds: Callable[[], bool], node: NodeProcess) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not holds():
        assert time.monotonic() < deadline, node.log
        time.sleep(0.05)
