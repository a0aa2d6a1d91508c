"""The Dockerfile and compose.yml as they ship: what SPEC 8 promises of them, as far as reading them can tell."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise
from typing import Any

import pytest
import yaml
from attrs import frozen

from minicloud.config import load_settings
from minicloud.service import health
from minicloud.service.node_service import HANDOVER_LIMIT_S, REQUEST_GRACE_S
from tests.containers import image
from tests.containers.engine import HEALTH
from tests.containers.nodes import PORTS
from tests.harness.processes import TOP

DOCKERFILE = (TOP / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load((TOP / "compose.yml").read_text(encoding="utf-8"))
DATA = "/data"
SECRET = "MINICLOUD_CLUSTER_SECRET"


@frozen
class Step:
    """One instruction of a Dockerfile, on one line."""

    name: str
    rest: str


def steps() -> list[Step]:
    """Return the instructions of the last stage, which is the image."""
    text = re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE).replace("\\\n", " ")
    found = [Step(*line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]
    last = max(number for number, step in enumerate(found) if step.name == "FROM")
    return found[last:]


def all_of(name: str) -> list[str]:
    return [step.rest for step in steps() if step.name == name]


def the(name: str) -> str:
    """Return what the image has to have once, and no more often."""
    (rest,) = all_of(name)
    return rest


def flags(rest: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+)=(\S+)", rest))


def settings(node: str) -> Any:
    """Return what a node in a container starts with."""
    return load_settings(TOP / "configs" / f"docker-{node}.yaml", {SECRET: "a secret"})


def seconds(duration: str) -> float:
    """Return how long that is. The files use nothing but seconds."""
    return float(duration.removesuffix("s"))


def test_the_image_is_made_from_a_slim_one() -> None:
    assert steps()[0].rest == image.base_image()
    assert re.fullmatch(r"python:3\.\d+-slim", image.base_image())


def test_the_image_runs_as_a_user_of_its_own_to_whom_the_data_belongs() -> None:
    user, made = the("USER"), " ".join(all_of("RUN"))
    assert user not in ("root", "0")
    assert re.search(rf"useradd --system --uid [1-9]\d* .*{user}\b", made)
    assert f"chown {user} {DATA}" in made
    names = [step.name for step in steps()]
    assert names.index("USER") > names.index("RUN"), "a RUN after it could not make the user"
    assert {"RUN", "COPY"}.isdisjoint(names[names.index("VOLUME") :]), "what they put there would be lost, or root's"


def test_the_image_keeps_the_data_of_every_node_in_a_volume() -> None:
    assert the("VOLUME") == the("WORKDIR") == DATA
    assert {settings(node).data_dir.as_posix() for node in PORTS} == {DATA}


def test_the_image_writes_nowhere_else() -> None:
    variables = dict(word.split("=", 1) for rest in all_of("ENV") for word in rest.split())
    assert (variables["HOME"], variables["PYTHONDONTWRITEBYTECODE"]) == (DATA, "1")


def test_signals_reach_the_node_itself() -> None:
    command = json.loads(the("ENTRYPOINT"))  # Anything but JSON would be given to a shell.
    assert command == ["twistd", "--nodaemon", "minicloud"]
    assert json.loads(the("CMD")) == ["--config", "/configs/docker-node1.yaml"]
    assert all_of("STOPSIGNAL") in ([], ["SIGTERM"])


def test_the_image_says_which_ports_it_serves() -> None:
    node = settings("node1")
    assert the("EXPOSE").split() == [str(node.listen_addr.port), str(node.raft_addr.port)]


def test_the_health_check_of_the_image_asks_whether_the_node_is_alive() -> None:
    options, _, command = the("HEALTHCHECK").partition(" CMD ")
    assert json.loads(command) == list(HEALTH), "tests/containers/check.py runs the same by hand"
    assert HEALTH[-1] == health.__name__
    assert f"http://127.0.0.1:{settings('node1').listen_addr.port}/livez" == health.DEFAULT_URL
    assert seconds(flags(options)["timeout"]) > health.TIMEOUT_S, "the check tells the reason itself"
    assert "retries" in flags(options)


def test_the_command_for_one_node_alone_fits_the_image() -> None:
    (line,) = re.findall(r"^# +(docker run .*)$", DOCKERFILE, re.MULTILINE)
    words = shlex.split(line)
    given = {name: word for name, word in pairwise(words) if name.startswith("-")}
    node = settings("node1")
    assert given["--hostname"] == node.advertise_addr.host, "it must find itself"
    assert given["-p"] == f"127.0.0.1:{PORTS['node1']}:{node.listen_addr.port}"
    assert given["-v"].partition(":")[2] == DATA
    assert given["-e"].partition("=")[0] == SECRET
    assert f"docker build -t {words[-1]} ." in DOCKERFILE
    assert words[-1] == image.IMAGE


def test_a_plain_up_starts_the_three_nodes() -> None:
    services = COMPOSE["services"]
    assert [name for name, service in services.items() if "profiles" not in service] == list(PORTS)


@pytest.fixture(params=PORTS)
def node(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def service(node: str) -> dict[str, Any]:
    """What compose.yml says of a node."""
    return COMPOSE["services"][node]


def test_a_node_is_the_one_that_its_config_says(node: str, service: dict[str, Any]) -> None:
    assert service["command"] == ["--config", f"/configs/docker-{node}.yaml"]
    assert settings(node).node_id == node
    assert {settings(node).advertise_addr.host, settings(node).raft_addr.host} == {node}, "its name in the network"
    assert service["hostname"] == node
    assert "entrypoint" not in service
    assert (service["build"], service["image"]) == (".", image.IMAGE)


def test_a_node_can_do_no_more_than_it_must(service: dict[str, Any]) -> None:
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    more = {"cap_add", "devices", "ipc", "network_mode", "pid", "privileged", "tmpfs", "user"}
    assert more.isdisjoint(service)


def test_a_node_is_published_on_loopback_only(node: str, service: dict[str, Any]) -> None:
    assert service["ports"] == [f"127.0.0.1:{PORTS[node]}:{settings(node).listen_addr.port}"]


def test_a_node_has_a_named_volume_of_its_own(node: str, service: dict[str, Any]) -> None:
    assert service["volumes"] == [f"{node}:{DATA}"]
    assert node in COMPOSE["volumes"]
    assert COMPOSE["volumes"][node] is None, "compose makes it, and down -v removes it"


def test_a_node_has_the_health_check_of_the_image(service: dict[str, Any]) -> None:
    options = flags(the("HEALTHCHECK"))
    assert service["healthcheck"] == {
        "test": ["CMD", *HEALTH],
        "interval": options["interval"],
        "timeout": options["timeout"],
        "start_period": options["start-period"],
        "retries": int(options["retries"]),
    }


def test_a_node_that_ends_is_started_again_unless_it_was_stopped(service: dict[str, Any]) -> None:
    assert service["restart"] == "unless-stopped"


def test_a_node_that_is_stopped_may_finish_its_requests(service: dict[str, Any]) -> None:
    assert seconds(service["stop_grace_period"]) > HANDOVER_LIMIT_S + REQUEST_GRACE_S
    assert "stop_signal" not in service, "the image has it"


def test_a_node_takes_secret_and_token_from_the_environment(service: dict[str, Any]) -> None:
    variables = service["environment"]
    assert set(variables) == {SECRET, "AUTH_TOKEN"}
    assert variables[SECRET].startswith(f"${{{SECRET}:-"), "with one of its own where there is none"
    assert variables["AUTH_TOKEN"] is None, "as it is there, or not at all"
