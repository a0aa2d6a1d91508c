"""A node from its start to its end. Real processes."""

import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.harness.processes import PYTHON_M_TWISTED, TOP, TWIST, TWISTD, NodeProcess, nodes_in
from tests.service.certificates import Authority


@pytest.mark.parametrize("command", [TWISTD, TWIST, PYTHON_M_TWISTED], ids=["twistd", "twist", "python -m twisted"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_node_starts_serves_and_ends_with_status_0(tmp_path: Path, command: tuple[str, ...], number: int) -> None:
    with nodes_in(tmp_path) as nodes:
        node = nodes.start(*nodes.write_config("n", bootstrap=True), command).wait_ready()
        assert node.ask("PUT", "/kv/a", b"b")[0] == 200
        assert node.ask("GET", "/kv/a") == (200, b"b")
        assert node.end(number) == 0
        assert "Traceback" not in node.log
        assert all(line[:4].isdigit() for line in node.log.splitlines())


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        config, port = nodes.write_config("n", bootstrap=True)
        first = nodes.start(config, port).wait_ready()
        first.ask("PUT", "/kv/durable", b"value")
        cluster = json.loads(first.ask("GET", "/cluster/status")[1])["cluster_id"]
        assert first.end() == 0
        second = nodes.start(config, port).wait_ready()
        assert second.ask("GET", "/kv/durable") == (200, b"value")
        assert json.loads(second.ask("GET", "/cluster/status")[1])["cluster_id"] == cluster
        assert "bootstrap is ignored: the data folder holds a node of cluster" in second.log


def test_three_nodes_in_one_folder_make_a_cluster_and_leave_no_pid_file(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        config, port = nodes.write_config("node1", bootstrap=True)
        base = f"http://127.0.0.1:{port}"
        cluster = [nodes.start(config, port)]
        cluster += [nodes.start(*nodes.write_config(f"node{n}", join_url=base)) for n in (2, 3)]
        for node in cluster:
            node.wait_ready()
        cluster[0].wait_until(lambda: _suffrages(cluster[0]) == ["Voter"] * 3, "all three are voters")
        assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["node1", "node2", "node3"]
        assert not list(tmp_path.glob("*.pid"))
        assert [node.end() for node in cluster] == [0, 0, 0]


def _suffrages(node: NodeProcess) -> list[str]:
    return [member["suffrage"] for member in json.loads(node.ask("GET", "/raft/config")[1])["servers"]]


def test_a_request_in_flight_is_finished_before_the_node_ends(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        node = nodes.start(*nodes.write_config("n", bootstrap=True)).wait_ready()
        with socket.create_connection(("127.0.0.1", node.port), timeout=20) as slow:
            begin_a_put(slow)
            node.process.send_signal(signal.SIGTERM)
            node.wait_until(lambda: refuses(node.port), "it accepts nobody any more")
            slow.sendall(b"cd")
            answer = b"".join(iter(lambda: slow.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert node.wait() == 0


def begin_a_put(connection: socket.socket) -> None:
    """Send a request but for the end of its body, and return when the node has its header: it gives leave for the body."""
    connection.sendall(b"PUT /kv/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    leave = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert connection.recv(len(leave), socket.MSG_WAITALL) == leave
    connection.sendall(b"ab")


def refuses(port: int) -> bool:
    """Return whether nobody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_second_signal_ends_the_node_at_once(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        node = nodes.start(*nodes.write_config("n", bootstrap=True)).wait_ready()
        with socket.create_connection(("127.0.0.1", node.port)) as never_ending:
            begin_a_put(never_ending)
            node.process.send_signal(signal.SIGINT)
            node.wait_until(lambda: refuses(node.port), "it accepts nobody any more")
            began = time.monotonic()
            assert node.end(signal.SIGINT) == 128 + signal.SIGINT
            assert time.monotonic() - began < 5


BREAKABLE_DISK = """
import os


def breakable(sync):
    def sync_or_fail(descriptor):
        if os.path.exists("disk-is-broken"):
            raise OSError(5, "Input/output error")
        return sync(descriptor)

    return sync_or_fail


os.fsync = breakable(os.fsync)
if hasattr(os, "fdatasync"):
    os.fdatasync = breakable(os.fdatasync)
"""


def test_a_disk_that_fails_ends_the_node_with_status_1_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(BREAKABLE_DISK)
    path = os.pathsep.join([str(tmp_path), str(TOP)])
    with nodes_in(tmp_path) as nodes:
        node = nodes.start(*nodes.write_config("n", bootstrap=True), PYTHONPATH=path).wait_ready()
        before = node.log
        (tmp_path / "disk-is-broken").touch()
        with contextlib.suppress(OSError, http.client.HTTPException):
            assert node.ask("PUT", "/kv/a", b"b")[0] in (503, 504)
        assert node.wait() == 1
        (line,) = node.log.removeprefix(before).splitlines()
        assert " CRITICAL n minicloud.service.node_service: n.yaml: data_dir: " in line


def test_the_log_is_json_where_the_settings_say_so(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        node = nodes.start(*nodes.write_config("n", bootstrap=True), MINICLOUD_LOG_FORMAT="json").wait_ready()
        node.end()
        records = [json.loads(line) for line in node.log.splitlines()]
        assert {record["node_id"] for record in records} == {"n"}
        assert {"time", "level", "logger", "message"} <= set(records[0])


def test_a_cluster_runs_over_tls_with_a_token_and_a_secret(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = ssl.create_default_context(cafile=str(authority.file))
    with nodes_in(tmp_path) as nodes:
        cluster: list[NodeProcess] = []
        for name in ("node1", "node2", "node3"):
            cert, key = map(str, authority.issue(name, name))
            ca = str(authority.file)
            config, port = nodes.write_config(
                name,
                bootstrap=not cluster,
                join_url=[f"https://127.0.0.1:{node.port}" for node in cluster],
                auth_token="a-token-of-ours",
                cluster_secret="a-secret-of-ours",
                follower_writes="forward",
                tls={"cert": cert, "key": key, "ca": ca, "peer_cert": cert, "peer_key": key, "peer_ca": ca},
            )
            cluster.append(nodes.start(config, port))
            cluster[-1].https = context
        for node in cluster:
            node.wait_ready()
        token = {"Authorization": "Bearer a-token-of-ours"}
        for number, node in enumerate(cluster):
            assert node.ask("PUT", f"/kv/{number}", b"value")[0] == 401
            told = node.ask("PUT", f"/kv/{number}", b"value", **token)
            assert told[0] == 200, told
        for node in cluster:
            assert [node.ask("GET", f"/kv/{number}")[1] for number in range(3)] == [b"value"] * 3
        assert [node.end() for node in cluster] == [0, 0, 0]
        logs = "".join(node.log for node in cluster)
        assert "Traceback" not in logs
        assert "-of-ours" not in logs


def test_metrics_of_a_running_node_show_its_state(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        node = nodes.start(*nodes.write_config("n", bootstrap=True)).wait_ready()
        for _ in range(3):
            node.ask("PUT", "/kv/a", b"b")
        samples = _samples(node)
        assert samples["raft_is_leader"] == "1.0"
        assert samples["kv_put_operations_total"] == "3.0"
        assert samples["kv_keys"] == "1.0"
        assert samples['http_requests_total{code="200",method="PUT",route="/kv/{key}"}'] == "3.0"
        assert float(samples["wal_fsync_duration_seconds_count"]) > 0
        assert float(samples["raft_commit_duration_seconds_count"]) >= 3
        assert float(samples["raft_proposals_applied_total"]) >= 3
        node.wait_until(lambda: float(_samples(node)["reactor_lag_seconds_count"]) > 0, "the lag is sampled")


def _samples(node: NodeProcess) -> dict[str, str]:
    text = node.ask("GET", "/metrics")[1].decode()
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
