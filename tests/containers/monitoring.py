"""The profile "monitoring": what of it can be seen without its images, and all of it where they can be had."""

from __future__ import annotations

import base64
import http.client
import json
import re
import secrets
import subprocess
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from tests.containers.engine import PROFILE, TOP, Engine
from tests.containers.image import IMAGE
from tests.containers.nodes import PORTS, are_free
from tests.containers.said import NotSoError, say, so, unchecked, until

FILES = TOP / "configs" / "monitoring"
PROMETHEUS, GRAFANA = 9090, 3000
PULL_LIMIT_S = 180.0
"""For one image; Grafana's has some 250 MB. A registry that is slower than that is as good as none."""

START_LIMIT_S = 120.0
"""Until everything answers: Grafana makes its database at the first start, which takes half a minute on a small machine."""

USERS = {"prometheus": "65534", "grafana": "472"}
"""As whom the two images run, by their makers' Dockerfiles: the mounted files must be readable for these."""

_MOUNT = re.compile(r"^ +- (\./configs/[^:]+):([^:]+):ro$", re.MULTILINE)
_READ = """
import os, sys
paths = [os.path.join(folder, name) for folder, _, names in os.walk(sys.argv[1]) for name in names]
print(sum(1 for path in paths if open(path, "rb").read()))
"""
_FETCH = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"


def service(name: str) -> str:
    """Return what compose.yml says of a service."""
    text = (TOP / "compose.yml").read_text(encoding="utf-8")
    return re.split(r"^(?:  \w+|\w[\w-]*):$", text.partition(f"\n  {name}:\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def image_of(name: str) -> str:
    return re.findall(r"^ +image: (\S+)$", service(name), re.MULTILINE)[0]


def targets() -> list[str]:
    """Return whom Prometheus asks."""
    return re.findall(r'"([\w.-]+:\d+)"', (FILES / "prometheus.yml").read_text(encoding="utf-8"))


def alerts() -> list[str]:
    """Return the names of the rules."""
    return re.findall(r"^ *- alert: (\w+)$", (FILES / "alerts.yml").read_text(encoding="utf-8"), re.MULTILINE)


def check_files(engine: Engine, found: Mapping[str, str]) -> None:
    """See, with the nodes' own image, that the mounted files can be read, and that each target shows its numbers."""
    say("what monitoring needs")
    for name, user in USERS.items():
        mounts = _MOUNT.findall(service(name))
        so(f"{name}: compose.yml mounts its files", mounts)
        for source, target in mounts:
            expected = sum(1 for path in (TOP / source).rglob("*") if path.is_file())
            place = ("--user", user, "-v", f"{(TOP / source).resolve()}:{target}:ro", "--network", "none")
            read = ("--entrypoint", "python", IMAGE, "-c", _READ, target)
            done = engine.attempt(engine.name, "run", "--rm", *place, *read)
            so(f"{name}: can read {target} as user {user}", expected and done.stdout.split() == [str(expected)], done)
    so("Prometheus asks the three nodes", sorted(targets()) == sorted(f"{node}:9001" for node in PORTS), targets())
    for target in targets():
        done = engine.execute(found["node1"], "python", "-c", _FETCH, f"http://{target}/metrics")
        so(f"{target} shows its numbers to other containers", "\nraft_is_leader " in done.stdout, done)


def check_profile(engine: Engine) -> None:
    """See the profile work, where this compose knows profiles and the images can be had."""
    say("the profile monitoring")
    if not engine.knows_profiles:
        unchecked(
            "monitoring and a plain compose up",
            f"this {engine.compose_name} knows no profiles (podman-compose 1.1 does)",
        )
        return
    plain = engine.compose("config", "--services").split()
    so("without it, compose has the three nodes", sorted(plain) == sorted(PORTS), plain)
    more = engine.compose(*PROFILE, "config", "--services").split()
    so("with it, prometheus and grafana too", sorted(more) == sorted([*PORTS, *USERS]), more)
    if all(can_be_had(engine, image_of(name)) for name in USERS):
        check_running(engine)
    else:
        unchecked("monitoring", "the images cannot be had here")


def can_be_had(engine: Engine, image: str) -> bool:
    """Return whether an image is here or in the registry; a registry that does not know it is a fault of compose.yml."""
    if engine.has_image(image):
        return True
    try:
        done = engine.attempt(engine.name, "pull", image, limit_s=PULL_LIMIT_S)
    except subprocess.TimeoutExpired:
        return False
    if is_unknown(done.stderr):
        raise NotSoError(f"compose.yml names {image}, which the registry does not know: {done.stderr.strip()[-300:]}")
    return done.returncode == 0


def is_unknown(complaint: str) -> bool:
    """Return whether a registry has answered, and has no such image."""
    return bool(re.search(r"manifest unknown|: not found$", complaint.strip()))


def check_running(engine: Engine) -> None:
    """Start all five, and ask Prometheus and Grafana."""
    until("ports 9090 and 3000 are free", lambda: are_free((PROMETHEUS, GRAFANA)), 10)
    password = secrets.token_hex(8)
    engine.set(GRAFANA_PASSWORD=password)
    engine.compose(*PROFILE, "up", "-d")
    found = engine.containers()
    so("compose up starts five", sorted(found) == sorted([*PORTS, *USERS]), sorted(found))
    check_prometheus()
    check_grafana(password)
    engine.compose(*PROFILE, "down", "-v")
    so("compose down -v removes all of it", not (left := engine.left_behind()), left)


def ask_json(port: int, path: str, password: str = "") -> object:
    """Return what an API answers, None where nothing (or no JSON) comes. With a password, Grafana is asked as admin."""
    headers = {"Authorization": f"Basic {base64.b64encode(f'admin:{password}'.encode()).decode()}"} if password else {}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def at(found: object, *steps: str) -> list[dict]:
    """Return the list at a place of a JSON document, empty where there is none."""
    for step in steps:
        found = found.get(step) if isinstance(found, dict) else None
    return found if isinstance(found, list) else []


def check_prometheus() -> None:
    def up() -> bool:
        seen = at(ask_json(PROMETHEUS, "/api/v1/targets?state=active"), "data", "activeTargets")
        return sorted(each["labels"]["instance"] for each in seen if each["health"] == "up") == sorted(targets())

    def evaluated() -> bool:
        groups = at(ask_json(PROMETHEUS, "/api/v1/rules"), "data", "groups")
        seen = [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "ok"]
        return sorted(seen) == sorted(alerts())

    until(f"Prometheus: {len(targets())} targets are up", up, START_LIMIT_S)
    until(f"Prometheus: {len(alerts())} rules are loaded, and evaluated without an error", evaluated, START_LIMIT_S)


def check_grafana(password: str) -> None:
    source = re.findall(r"^ +uid: (\S+)", _provisioned("datasources/prometheus.yml"), re.MULTILINE)[0]
    board = json.loads((FILES / "grafana" / "dashboards" / "minicloud.json").read_text(encoding="utf-8"))

    def sees_nodes() -> bool:
        query = urllib.parse.urlencode({"query": 'up{job="minicloud"} == 1'})
        answer = ask_json(GRAFANA, f"/api/datasources/proxy/uid/{source}/api/v1/query?{query}")
        return len(at(answer, "data", "result")) == len(targets())

    until("Grafana answers", lambda: ask_json(GRAFANA, "/api/health"), START_LIMIT_S)
    told = ask_json(GRAFANA, f"/api/datasources/uid/{source}", password)
    so("Grafana: the data source is provisioned", isinstance(told, dict) and told.get("readOnly") is True, told)
    until("Grafana: whoever looks can ask Prometheus through it", sees_nodes, START_LIMIT_S)
    told = until(
        "Grafana: the dashboard is there for whoever looks",
        lambda: _dashboard(ask_json(GRAFANA, f"/api/dashboards/uid/{board['uid']}")),
        START_LIMIT_S,
    )
    so("Grafana: it is provisioned", told["meta"].get("provisioned") is True, told["meta"])
    shown = (len(told["dashboard"].get("panels", [])), told["dashboard"].get("title"))
    so("Grafana: it has all its panels", shown == (len(board["panels"]), board["title"]), shown)
    home = _dashboard(ask_json(GRAFANA, "/api/dashboards/home"))
    so("Grafana: it is what opens first", home and home["dashboard"].get("title") == board["title"], home)


def _provisioned(name: str) -> str:
    return (FILES / "grafana" / "provisioning" / Path(name)).read_text(encoding="utf-8")


def _dashboard(found: object) -> dict | None:
    return found if isinstance(found, dict) and "dashboard" in found and "meta" in found else None
