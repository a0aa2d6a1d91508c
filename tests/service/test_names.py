"""Host names whose lookup takes forever hold up nothing."""

import os
import time
from pathlib import Path

from tests.harness.processes import TOP, nodes_in

SILENT_NAME_SERVER = """
import socket, time
look_up = socket.getaddrinfo
def getaddrinfo(host, *rest, **options):
    if host == "silent.invalid":
        open("asked", "w").close()
        time.sleep(60)
    return look_up(host, *rest, **options)
socket.getaddrinfo = getaddrinfo
"""


def test_a_node_ends_at_once_while_a_name_server_is_silent(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SILENT_NAME_SERVER)
    path = os.pathsep.join([str(tmp_path), str(TOP)])
    with nodes_in(tmp_path) as nodes:
        config, port = nodes.write_config("node1", join_url="http://silent.invalid:9001")
        node = nodes.start(config, port, PYTHONPATH=path).wait_for("/livez")
        node.wait_until((tmp_path / "asked").exists, "the name is looked up")
        began = time.monotonic()
        assert node.end() == 0
        assert time.monotonic() - began < 3, node.log
        assert "has stopped" in node.log
