"""The check of the containers, where there is nothing that it could check with, and how it judges what it sees."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from attrs import define, field

from tests.containers import image, life, monitoring, said
from tests.containers.engine import HEALTH
from tests.containers.nodes import PORTS, Answer
from tests.harness.processes import TOP


def run_without_engine(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(Path(__file__).with_name("check.py"))]
    variables = {"PATH": str(folder), **environment}
    return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("required", ["", "0"])
def test_without_an_engine_it_says_so_in_one_line_and_by_its_status(tmp_path: Path, required: str) -> None:
    done = run_without_engine(tmp_path, MINICLOUD_REQUIRE_CONTAINERS=required)
    assert done.returncode == 77
    (line,) = (done.stdout + done.stderr).splitlines()
    assert line.startswith("no container engine works here")
    assert "MINICLOUD_REQUIRE_CONTAINERS=1 makes that a failure" in line


def test_without_an_engine_that_is_required_it_fails(tmp_path: Path) -> None:
    done = run_without_engine(tmp_path, MINICLOUD_REQUIRE_CONTAINERS="1")
    assert done.returncode == 1
    (line,) = (done.stdout + done.stderr).splitlines()
    assert "MINICLOUD_REQUIRE_CONTAINERS wants one" in line
    assert "install and start it" in line


@pytest.mark.parametrize(
    "path",
    ["/usr/bin/gcc", "/usr/bin/x86_64-linux-gnu-gcc-12", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "/usr/local/bin/g++"],
)
def test_a_compiler_is_found(path: str) -> None:
    assert image.compilers(["/usr/bin/python3", path]) == [path]


def test_what_only_sounds_like_a_compiler_is_none() -> None:
    assert (
        image.compilers(["/usr/share/gcc/python", "/usr/bin/ldd", "/usr/bin/mkdir", "/opt/x/gcc.py", "/bin/md5sum"])
        == []
    )


@pytest.mark.parametrize(
    "path",
    [
        "/opt/minicloud/lib/python3.13/site-packages/twisted/test/test_ssl.py",
        "/opt/minicloud/lib/python3.13/site-packages/pytest-9.0.0.dist-info/RECORD",
        "/opt/minicloud/lib/python3.13/site-packages/types_pyyaml-6.0.dist-info/RECORD",
        "/opt/minicloud/lib/python3.13/site-packages/pip/__init__.py",
        "/root/.cache/pip/http-v2/0/1",
        "/src/setup.cfg",
        "/tmp/minicloud-0.1.0-py3-none-any.whl",
    ],
)
def test_what_is_left_over_from_building_or_testing_is_found(path: str) -> None:
    needed = "/opt/minicloud/lib/python3.13/site-packages/attrs-26.1.0.dist-info/RECORD"
    assert image.left_over([needed, path], image.packages_of_tests()) == [path]


def test_what_the_base_image_has_too_counts_only_where_it_has_changed() -> None:
    assert image.added({"/a": 1, "/b": 2}, {"/a": 1, "/b": 3, "/c": 4}) == {"/b": 3, "/c": 4}


def test_what_lies_outside_the_environment_is_found() -> None:
    sizes = {"/opt/minicloud/bin/twistd": 9, "/etc/passwd": 9, "/configs": 9, "/etc/pip.conf": 0, "/usr/lib/more.so": 9}
    assert image.elsewhere(sizes) == ["/usr/lib/more.so"]


def test_it_reads_from_the_shipped_files_what_is_there() -> None:
    assert image.base_image().startswith("python:")
    assert {"pytest", "hypothesis", "mypy"} <= set(image.packages_of_tests())
    assert monitoring.image_of("prometheus").startswith("docker.io/prom/prometheus:")
    assert monitoring.image_of("grafana").startswith("docker.io/grafana/grafana:")
    assert monitoring.targets() == [f"{node}:9001" for node in PORTS]
    text = (TOP / "configs" / "monitoring" / "alerts.yml").read_text(encoding="utf-8")
    assert len(monitoring.alerts()) == len(re.findall(r"\balert:", text)) > 0


VOLUMES = {"Volumes": {"/data": {}}}
KEPT = {"Test": ["CMD", *HEALTH], "Interval": 5_000_000_000, "Timeout": 3_000_000_000, "Retries": 3}
DOCKER_FORMAT = "application/vnd.docker.distribution.manifest.v2+json"
OCI_FORMAT = "application/vnd.oci.image.manifest.v1+json"


@pytest.mark.parametrize(
    ("told", "compared"),
    [
        ({"Config": {"Healthcheck": KEPT, **VOLUMES}}, "its own health check"),
        ({"ManifestType": DOCKER_FORMAT, "Healthcheck": KEPT, "Config": VOLUMES}, "its own health check"),
        ({"ManifestType": OCI_FORMAT, "Config": VOLUMES}, "the Dockerfile's health check"),
    ],
    ids=["docker", "podman", "podman, OCI"],
)
def test_it_says_which_health_check_it_has_compared(
    told: dict[str, Any], compared: str, capsys: pytest.CaptureFixture[str]
) -> None:
    image.check_settings(told)
    assert f"  ok  {compared} is the one that is run below" in capsys.readouterr().out


OTHER = {**KEPT, "Test": ["CMD", "true"]}


@pytest.mark.parametrize(
    "told",
    [
        {"Config": VOLUMES},
        {"Config": {"Healthcheck": OTHER, **VOLUMES}},
        {"Config": {"Healthcheck": KEPT}},
        {"Config": {"Healthcheck": KEPT, "Volumes": None}},
        {"ManifestType": DOCKER_FORMAT, "Config": VOLUMES},
        {"ManifestType": OCI_FORMAT, "Healthcheck": OTHER, "Config": VOLUMES},
        {"ManifestType": OCI_FORMAT, "Config": {}},
    ],
)
def test_an_image_without_volume_or_health_check_is_found(told: dict[str, Any]) -> None:
    with pytest.raises(said.NotSoError):
        image.check_settings(told)


@pytest.mark.parametrize("changed", ["HEALTHCHECK NONE", '# HEALTHCHECK CMD ["python"]', 'HEALTHCHECK CMD ["true"]'])
def test_a_dockerfile_without_the_health_check_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    text = (TOP / "Dockerfile").read_text(encoding="utf-8")
    without = re.sub(r"^HEALTHCHECK .*\n.*$", changed, text, flags=re.MULTILINE)
    (tmp_path / "Dockerfile").write_text(without, encoding="utf-8")
    monkeypatch.setattr(image, "TOP", tmp_path)
    with pytest.raises(said.NotSoError, match="the Dockerfile's health check"):
        image.check_settings({"ManifestType": OCI_FORMAT, "Config": VOLUMES})


@define
class Restarting:
    """An engine whose containers end when they are told to, and run again if ``comes_back``."""

    name: str
    comes_back: bool
    policy: str = "unless-stopped"
    ends: bool = True
    running: dict[str, int] = field(factory=lambda: dict.fromkeys(PORTS, 1))
    """How many times each was started; 0 for one that does not run."""

    def containers(self) -> dict[str, str]:
        return {node: node for node in PORTS}

    def inspect(self, container: str) -> dict[str, Any]:
        starts = self.running[container]
        state = {"Running": starts > 0, "StartedAt": f"start {starts}"}
        return {"HostConfig": {"RestartPolicy": {"Name": self.policy}}, "State": state}

    def execute(self, container: str, *command: str) -> None:
        assert command == ("sh", "-c", "kill 1")
        if self.ends:
            self.running[container] = 2 if self.comes_back else 0

    def run(self, *command: str) -> None:
        assert command == ("start", "node2")
        self.running["node2"] = 2


@pytest.fixture
def _on_the_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that have what they had, and no time to wait for anything."""
    monkeypatch.setattr(life, "leader", lambda: "node1")
    monkeypatch.setattr(life, "get", lambda *_: Answer(200, {}, b"before"))
    monkeypatch.setattr(life, "wait_healthy", lambda *_: None)
    monkeypatch.setattr(life, "RESTART_LIMIT_S", 0)
    monkeypatch.setattr(said, "_unchecked", [])


@pytest.mark.usefixtures("_on_the_nodes")
@pytest.mark.parametrize("name", ["docker", "podman"])
def test_a_node_that_comes_back_by_itself_is_seen(name: str) -> None:
    engine: Any = Restarting(name, comes_back=True)
    life.check_comes_back(engine)
    assert (engine.running, said._unchecked) == ({"node1": 1, "node2": 2, "node3": 1}, [])


@pytest.mark.usefixtures("_on_the_nodes")
def test_podman_may_leave_to_others_what_has_ended_and_it_is_said() -> None:
    engine: Any = Restarting("podman", comes_back=False)
    life.check_comes_back(engine)
    assert engine.running["node2"] == 2
    assert said._unchecked == [
        "whether node2 comes back by itself: not checked, podman has not started it, which it does not do everywhere"
    ]


@pytest.mark.usefixtures("_on_the_nodes")
@pytest.mark.parametrize(
    ("engine", "fault"),
    [
        (Restarting("docker", comes_back=False), "node2 runs again"),
        (Restarting("docker", comes_back=True, policy="no"), "node1 is to be started again"),
        (Restarting("podman", comes_back=True, policy="no"), "node1 is to be started again"),
        (Restarting("podman", comes_back=True, ends=False), "node2 has ended"),
    ],
)
def test_a_node_that_would_stay_away_is_found(engine: Any, fault: str) -> None:
    with pytest.raises(said.NotSoError, match=fault):
        life.check_comes_back(engine)


@pytest.mark.parametrize(
    ("complaint", "unknown"),
    [
        ("Error response from daemon: manifest for prom/prometheus:v99 not found: manifest unknown", True),
        ("Error: initializing source docker://prom/prometheus:v99: reading manifest v99: manifest unknown", True),
        ("failed to resolve reference docker.io/prom/prometheus:v99: docker.io/prom/prometheus:v99: not found\n", True),
        ("pinging container registry: dial tcp: lookup a.registry on 192.0.2.1:53: no such host", False),
        ("toomanyrequests: You have reached your pull rate limit.", False),
    ],
)
def test_a_version_that_no_registry_knows_is_no_registry_that_is_out_of_reach(complaint: str, unknown: bool) -> None:
    assert monitoring.is_unknown(complaint) is unknown


def test_what_was_not_checked_is_said_again_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(said, "_unchecked", [])
    assert said.closing(True, 69.4) == "all is as it must be, after 69 s"
    said.unchecked("monitoring", "the images cannot be had here")
    assert capsys.readouterr().out == "  --  monitoring: not checked, the images cannot be had here\n"
    assert said.closing(True, 69.4).splitlines() == [
        "monitoring: not checked, the images cannot be had here",
        "all that was checked is as it must be, 1 not checked, after 69 s",
    ]
    assert said.closing(False, 1).splitlines()[-1] == "failed, after 1 s"
