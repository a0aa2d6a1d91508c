"""Starts that are refused: one line, status 1, nothing changed on disk. Real processes."""

import socket
from pathlib import Path

import pytest

from tests.harness.ports import free_ports
from tests.harness.processes import PYTHON_M_TWISTED, TWIST, TWISTD, nodes_in, run


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("command", [TWISTD, TWIST, PYTHON_M_TWISTED], ids=["twistd", "twist", "python -m twisted"])
def test_a_bad_config_is_one_line_whichever_way_a_node_is_started(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "bad.yaml").write_text("node_id: n\nlisten_addr: 127.0.0.1:1\nhartbeat_ms: 5\n")
    refused = run(tmp_path, command, "--config", "bad.yaml")
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert refused.stderr == "minicloud: bad.yaml: hartbeat_ms: expected a known key; did you mean heartbeat_ms?\n"
    assert files_below(tmp_path) == ["bad.yaml"]


def test_a_missing_config_option_is_one_line(tmp_path: Path) -> None:
    refused = run(tmp_path, TWISTD)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("minicloud: no config given; expected --config FILE")
    assert refused.stderr.count("\n") == 1


@pytest.mark.parametrize("command", [TWISTD, TWIST], ids=["twistd", "twist"])
@pytest.mark.parametrize("key", ["listen_addr", "raft_addr"])
def test_a_port_in_use_is_one_line_and_no_data_folder(tmp_path: Path, key: str, command: tuple[str, ...]) -> None:
    with nodes_in(tmp_path) as nodes, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        config, _ = nodes.write_config("n", **{key: address})
        before = files_below(tmp_path)
        refused = run(tmp_path, command, "--config", config)
        assert refused.returncode == 1
        assert (
            refused.stderr
            == f"minicloud: {config}: {key}: expected a free port, {address} is in use by another process\n"
        )
        assert files_below(tmp_path) == before


def test_the_folder_of_another_node_is_one_line_and_stays_as_it_is(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        assert nodes.start(*nodes.write_config("one", bootstrap=True)).wait_ready().end() == 0
        content = {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()}
        config, _ = nodes.write_config("other", data_dir="data/one", bootstrap=True)
        refused = run(tmp_path, TWISTD, "--config", config)
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"minicloud: {config}: data_dir: data folder data/one belongs to node 'one'")
        assert refused.stderr.count("\n") == 1
        assert {path: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()} == content


def test_a_folder_in_use_is_one_line(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        config, port = nodes.write_config("n", bootstrap=True)
        node = nodes.start(config, port).wait_ready()
        http_port, raft_port = free_ports(2)
        refused = run(
            tmp_path,
            TWISTD,
            "--config",
            config,
            MINICLOUD_LISTEN_ADDR=f"127.0.0.1:{http_port}",
            MINICLOUD_RAFT_ADDR=f"127.0.0.1:{raft_port}",
        )
        assert refused.returncode == 1
        assert "data_dir: data folder data/n is in use by another process" in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert node.ask("GET", "/livez")[0] == 200


def test_a_damaged_folder_is_one_line_that_says_how_to_go_on(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        config, port = nodes.write_config("n", bootstrap=True)
        nodes.start(config, port).wait_ready().end()
        identity = tmp_path / "data" / "n" / "identity.json"
        identity.write_bytes(identity.read_bytes().replace(b"cluster", b"clutter"))
        refused = run(tmp_path, TWISTD, "--config", config)
        assert refused.returncode == 1
        assert "is damaged at byte" in refused.stderr
        assert "to rebuild this node from its peers" in refused.stderr
        assert refused.stderr.count("\n") == 1


def test_files_for_tls_that_do_not_fit_are_one_line_and_no_data_folder(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        (tmp_path / "empty.pem").write_text("")
        for tls in (
            {"cert": "empty.pem", "key": "empty.pem"},
            {"peer_cert": "empty.pem", "peer_key": "empty.pem", "peer_ca": "empty.pem"},
        ):
            config, _ = nodes.write_config("n", tls=tls)
            before = files_below(tmp_path)
            refused = run(tmp_path, TWISTD, "--config", config)
            assert refused.returncode == 1
            assert refused.stderr.startswith(f"minicloud: {config}: tls")
            assert refused.stderr.count("\n") == 1
            assert files_below(tmp_path) == before


def test_a_folder_of_another_cluster_is_one_line(tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        ours, our_port = nodes.write_config("ours", bootstrap=True)
        theirs, their_port = nodes.write_config("theirs", bootstrap=True)
        assert nodes.start(ours, our_port).wait_ready().end() == 0
        content = {path: path.read_bytes() for path in (tmp_path / "data" / "ours").rglob("*") if path.is_file()}
        nodes.start(theirs, their_port).wait_ready()
        refused = run(tmp_path, TWISTD, "--config", ours, MINICLOUD_JOIN_URL=f"http://127.0.0.1:{their_port}")
        assert refused.returncode == 1
        assert refused.stderr.startswith(
            f"minicloud: {ours}: data_dir: expected a data folder of the cluster that join_"
        )
        assert refused.stderr.count("\n") == 1
        assert {
            path: path.read_bytes() for path in (tmp_path / "data" / "ours").rglob("*") if path.is_file()
        } == content
