"""A real Prometheus with the shipped rules asks three real nodes: each panel has something to show, no rule fails."""

import contextlib
import http.client
import json
import subprocess
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.harness.ports import free_ports
from tests.harness.processes import START_LIMIT_S, NodeProcess
from tests.monitoring.conftest import MONITORING, tool, work
from tests.monitoring.expressions import queries, rules

MAY_BE_EMPTY = {"annotation Leader changes"}


class Prometheus:
    """One server, as long as the test."""

    def __init__(self, folder: Path, nodes: list[NodeProcess]) -> None:
        (self.port,) = free_ports(1)
        config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
        config["rule_files"] = [str(MONITORING / "alerts.yml")]
        config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{node.port}" for node in nodes]
        (folder / "prometheus.yml").write_text(json.dumps(config))
        command = [
            tool("prometheus"),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
        ]
        self.log = (folder / "log").open("w+")
        listen = f"--web.listen-address=127.0.0.1:{self.port}"
        self.process = subprocess.Popen([*command, listen], stdout=self.log, stderr=subprocess.STDOUT)

    def ask(self, path: str, **query: str) -> dict:
        """Return what a route of its API answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", f"/api/v1/{path}?{urllib.parse.urlencode(query)}")
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict]:
        found = self.ask("query", query=expression)
        return found["result"] if found["resultType"] == "vector" else [found]

    def wait_for(self, expression: str) -> None:
        """Return when an expression has a result."""
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            assert self.process.poll() is None, "it has ended"
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                if self.query(expression):
                    return
            time.sleep(0.2)
        raise AssertionError(f"{expression} has no result")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self.log.close()


@pytest.fixture(scope="module")
def prometheus(nodes: list[NodeProcess], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has seen the nodes at work."""
    server = Prometheus(tmp_path_factory.mktemp("prometheus"), nodes)
    try:
        server.wait_for('sum(up{job="minicloud"}) == 3')
        work(nodes)
        server.wait_for('sum(rate(kv_put_operations_total{job="minicloud"}[1m])) > 0')
        server.wait_for('min(count_over_time(raft_term{job="minicloud"}[1m])) > 4')
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("place", list(queries()))
def test_each_panel_has_something_to_show(place: str, prometheus: Prometheus) -> None:
    assert prometheus.query(queries()[place]) or place in MAY_BE_EMPTY


def test_each_rule_is_evaluated_and_none_fires_on_a_healthy_cluster(prometheus: Prometheus) -> None:
    found = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    assert len(found) == len(rules())
    assert {rule["name"]: rule.get("lastError") for rule in found if rule["health"] != "ok"} == {}
    assert [rule["name"] for rule in found if rule["state"] == "firing"] == []


def test_the_stats_say_what_is(prometheus: Prometheus, nodes: list[NodeProcess]) -> None:
    values = {place: prometheus.query(expression) for place, expression in queries().items()}
    (leader,) = values["Leader: A"]
    (leads,) = [node for node in nodes if node.status()["is_leader"]]
    assert leader["metric"]["instance"] == f"127.0.0.1:{leads.port}"
    expected = {"Nodes up: A": 3, "May still fail: A": 1, "Alerts: A": 0, "Keys: A": 29}
    assert {place: float(values[place][0]["value"][1]) for place in expected} == expected
