"""Rules and dashboard: they ask only for what a node shows, and Prometheus' own tools find nothing wrong."""

import json
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.harness.processes import TOP, NodeProcess
from tests.monitoring.conftest import MONITORING, promtool
from tests.monitoring.expressions import OWN_OF_PROMETHEUS, dashboard, matchers, names, panels, queries, rules

GIVEN_BY_PROMETHEUS = {"job", "instance", "le"}


@pytest.fixture(scope="module")
def shown(nodes: list[NodeProcess]) -> dict[str, set[str]]:
    """Return each series that the three nodes show, with its labels."""
    found: dict[str, set[str]] = {}
    for node in nodes:
        for family in parse_text(node.ask("GET", "/metrics")[1].decode()):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
    return found


def expressions() -> dict[str, str]:
    return queries() | {rule["alert"]: rule["expr"] for rule in rules()}


def test_the_names_are_found_in_an_expression() -> None:
    expression = (
        'sum by (le, job) (rate(a_total{b="c_total"}[5m])) / on (d) group_right () e:f and x == 1e3 or vector(0)'
    )
    assert names(expression) == {"a_total", "e:f", "x"}
    assert matchers('rate(a_total{b="c", d!~"e=f"}[5m]) + g') == {("a_total", "b"), ("a_total", "d")}


@pytest.mark.parametrize("place", list(expressions()))
def test_each_name_and_label_is_one_that_nodes_show(place: str, shown: dict[str, set[str]]) -> None:
    expression = expressions()[place]
    assert names(expression) <= set(shown)
    for name, label in matchers(expression):
        if name not in OWN_OF_PROMETHEUS and label not in GIVEN_BY_PROMETHEUS:
            assert label in shown[name], f"{name} has no label {label}"


def test_each_rule_says_what_is_wrong_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in rules()}) == len(rules())
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning"), rule["alert"]
        assert 10 < len(rule["annotations"]["summary"]) < 120, rule["alert"]
        assert len(rule["annotations"]["description"]) > 100, rule["alert"]
        assert "time(" not in rule["expr"], f"{rule['alert']} trusts a clock"


def test_what_the_contract_wants_to_be_warned_of_has_a_rule() -> None:
    wanted = {"NoLeader", "QuorumAtRisk", "NodeDown", "CommitSlow", "FsyncSlow", "LogGrowing", "ReactorLag"}
    assert {f"Minicloud{name}" for name in wanted} <= {rule["alert"] for rule in rules()}


def test_a_rule_that_another_one_points_to_exists() -> None:
    known = {rule["alert"] for rule in rules()}
    text = " ".join(rule["annotations"]["description"] for rule in rules())
    named = {word.strip("().,:;") for word in text.split() if word.strip("().,:;").startswith("Minicloud")}
    assert {name for name in named if not name.startswith("Minicloud-")} <= known


def test_the_panels_stand_side_by_side() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24, panel["title"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(set(ids)) == len(ids)


def test_each_panel_explains_itself_and_asks_the_provisioned_source() -> None:
    source = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ][0]
    (variable,) = [each for each in dashboard()["templating"]["list"] if each["type"] == "datasource"]
    assert variable["current"]["value"] == source["uid"]
    for panel in panels():
        assert panel["description"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}


def test_compose_mounts_the_files_where_they_are_looked_for() -> None:
    compose = yaml.safe_load((TOP / "compose.yml").read_text())
    services = compose["services"]
    provider = yaml.safe_load((MONITORING / "grafana/provisioning/dashboards/minicloud.yml").read_text())["providers"][
        0
    ]
    source = yaml.safe_load((MONITORING / "grafana/provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ][0]
    grafana = [volume.split(":") for volume in services["grafana"]["volumes"]]
    assert ["./configs/monitoring/grafana/dashboards", provider["options"]["path"], "ro"] in grafana
    assert ["./configs/monitoring/grafana/provisioning", "/etc/grafana/provisioning", "ro"] in grafana
    assert source["url"] == "http://prometheus:9090"
    assert "./configs/monitoring:/etc/minicloud:ro" in services["prometheus"]["volumes"]
    assert "--config.file=/etc/minicloud/prometheus.yml" in services["prometheus"]["command"]
    for name in ("prometheus", "grafana"):
        service = services[name]
        assert service["profiles"] == ["monitoring"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert service["image"].rpartition(":")[2].count(".") == 2, "a version, not a moving tag"
        assert any(volume.split(":")[0] in compose["volumes"] for volume in service["volumes"])
    assert {name for name, service in services.items() if "profiles" not in service} == {"node1", "node2", "node3"}


def test_prometheus_asks_the_nodes_of_compose() -> None:
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert job["job_name"] == "minicloud"
    assert job["static_configs"][0]["targets"] == ["node1:9001", "node2:9001", "node3:9001"]


def test_promtool_accepts_the_config() -> None:
    assert "SUCCESS" in promtool("check", "config", MONITORING / "prometheus.yml")


def test_promtool_accepts_the_rules() -> None:
    assert f"{len(rules())} rules found" in promtool("check", "rules", MONITORING / "alerts.yml")


def test_promtool_sees_the_rules_fire_when_they_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", Path(__file__).with_name("alerts_test.yml"))


def test_promtool_accepts_what_the_dashboard_asks(tmp_path: Path) -> None:
    recorded = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(queries().values())]
    path = tmp_path / "dashboard.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": recorded}]}))
    promtool("check", "rules", path)


def test_promtool_accepts_what_each_node_shows(nodes: list[NodeProcess]) -> None:
    for node in nodes:
        promtool("check", "metrics", stdin=node.ask("GET", "/metrics")[1])
