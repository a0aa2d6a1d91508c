"""The image, compose.yml and the walkthrough on whatever container engine is here: docker compose, or podman-compose.

    python tests/containers/check.py

Each line says what was seen. The first thing that is not so ends it with status 1; without a working engine the status
is 77. It takes ports 9001 to 9003 of 127.0.0.1, a project name of its own (so that no volume of yours is touched), and
leaves nothing behind but the image. It needs Python 3.11 and nothing else.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
PORTS = {"node1": 9001, "node2": 9002, "node3": 9003}
NO_ENGINE = 77
LIMIT_S = 600
"""For all of it. Most of that is for the first build, which downloads."""

STOP_LIMIT_S = 3.0
FAILOVER_LIMIT_S = 5.0
SETTLE_LIMIT_S = 60.0
HEALTH = ("python", "-m", "minicloud.service.health")
TOKEN = "a-token-of-the-container-check"

ENGINES = (
    (("docker", "info"), ("docker", "compose", "version"), "docker", ("docker", "compose")),
    (("podman", "info"), ("podman-compose", "version"), "podman", ("podman-compose",)),
)
"""What must work, and then: the engine and its compose."""


class NotSoError(Exception):
    """Something is not as it must be."""


def say(line: str) -> None:
    print(line, flush=True)


def so(what: str, holds: object, seen: object = "") -> None:
    """Print one thing that was checked, or end with it."""
    if not holds:
        raise NotSoError(f"{what}{f': {seen}' if seen != '' else ''}")
    say(f"  ok  {what}")


class Answer:
    """One HTTP answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self.status, self.headers, self.body = status, headers, body

    def json(self) -> dict:
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} {self.body[:300]!r}"


def ask(node: str, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
    """Send one request to the published port of a node."""
    connection = http.client.HTTPConnection("127.0.0.1", PORTS[node], timeout=15)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def put(node: str, key: str, value: bytes, query: str = "", **headers: str) -> Answer:
    return ask(node, "PUT", f"/kv/{key}{query}", value, **headers)


def get(node: str, key: str) -> Answer:
    return ask(node, "GET", f"/kv/{key}")


def admin(node: str, path: str, **body: object) -> Answer:
    return ask(node, "POST", path, json.dumps(body).encode(), Content_Type="application/json")


def status(node: str) -> dict | None:
    """Return /raft/status, None from a node that does not answer."""
    try:
        return ask(node, "GET", "/raft/status").json()
    except (OSError, http.client.HTTPException):
        return None


def leader() -> str | None:
    """Return who says of itself that it leads."""
    return next((node for node in PORTS if (told := status(node)) and told["is_leader"]), None)


def is_ready(node: str) -> bool:
    try:
        return ask(node, "GET", "/readyz").status == 200
    except (OSError, http.client.HTTPException):
        return False


def until(what: str, holds: Callable[[], object], limit_s: float = SETTLE_LIMIT_S) -> object:
    """Wait for something, and return it."""
    began = time.monotonic()
    while not (found := holds()):
        if time.monotonic() - began > limit_s:
            raise NotSoError(f"{what}, within {limit_s:g} s")
        time.sleep(0.05)
    say(f"  ok  {what} (after {time.monotonic() - began:.1f} s)")
    return found


class Engine:
    """A container engine, and one compose project in it."""

    def __init__(self, name: str, compose: tuple[str, ...]) -> None:
        self.name = name
        self.project = f"minicloudcheck{secrets.token_hex(4)}"
        self._compose = (*compose, "-p", self.project, "-f", "compose.yml")
        self._ends_at = time.monotonic() + LIMIT_S
        self.environment = dict(os.environ, MINICLOUD_CLUSTER_SECRET=secrets.token_hex(16), AUTH_TOKEN="")

    def set(self, **variables: str) -> None:
        """Set what compose.yml takes from the environment."""
        self.environment.update(variables)

    def attempt(self, *command: str, limit_s: float = 60) -> subprocess.CompletedProcess[str]:
        """Run a command, however it ends."""
        limit_s = max(5.0, min(limit_s, self._ends_at - time.monotonic()))
        return subprocess.run(
            command,
            cwd=TOP,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )

    def run(self, *arguments: str, limit_s: float = 60) -> str:
        """Run a command of the engine that must work, and return what it prints."""
        return self._must(self.attempt(self.name, *arguments, limit_s=limit_s))

    def compose(self, *arguments: str, limit_s: float = 120) -> str:
        """Run a command of compose that must work."""
        return self._must(self.attempt(*self._compose, *arguments, limit_s=limit_s))

    def _must(self, done: subprocess.CompletedProcess[str]) -> str:
        if done.returncode:
            raise NotSoError(
                f"{' '.join(done.args)} ends with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
            )
        return done.stdout

    def ids(self) -> list[str]:
        """Return all containers of the project."""
        return self.run("ps", "-aq", "--filter", f"label=com.docker.compose.project={self.project}").split()

    def inspect(self, container: str) -> dict:
        return json.loads(self.run("inspect", container))[0]

    def containers(self) -> dict[str, str]:
        """Return the container of each service."""
        told = [self.inspect(container) for container in self.ids()]
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each["Id"] for each in told}

    def execute(self, container: str, *command: str) -> subprocess.CompletedProcess[str]:
        return self.attempt(self.name, "exec", container, *command)

    def is_healthy(self, container: str) -> bool:
        """Return what the configured health check says."""
        if self.name == "podman":  # where no systemd runs, nobody else would ask
            return self.attempt(self.name, "healthcheck", "run", container).returncode == 0
        return self.inspect(container)["State"]["Health"]["Status"] == "healthy"

    def clean_up(self) -> None:
        """Remove what bears the project's name."""
        self._ends_at = time.monotonic() + 120
        self.attempt(*self._compose, "down", "-v", limit_s=60)
        for container in self.ids():
            self.attempt(self.name, "rm", "-f", "-v", container)
        for kind in ("volume", "network"):
            for name in self.left(kind):
                self.attempt(self.name, kind, "rm", name)

    def left(self, kind: str) -> list[str]:
        return self.run(kind, "ls", "-q", "--filter", f"name={self.project}").split()


def find_engine() -> Engine | None:
    """Return the first engine that works, with a compose that works."""
    for info, version, name, compose in ENGINES:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if all(subprocess.run(each, capture_output=True, timeout=30).returncode == 0 for each in (info, version)):
                return Engine(name, compose)
    return None


def ports_are_free() -> bool:
    for port in PORTS.values():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return False
    return True


def up(engine: Engine) -> dict[str, str]:
    """Start the three nodes; named one by one, because older podman-compose knows no profiles."""
    engine.compose("up", "-d", *PORTS)
    found = engine.containers()
    so("compose up starts node1, node2 and node3", sorted(found) == sorted(PORTS), sorted(found))
    wait_healthy(engine, found)
    return found


def wait_healthy(engine: Engine, found: Mapping[str, str]) -> None:
    for node, container in found.items():
        until(f"{node} is healthy", lambda container=container: engine.is_healthy(container))
        until(f"{node} is ready", lambda node=node: is_ready(node))


def check_confinement(engine: Engine, found: Mapping[str, str]) -> None:
    say("confinement")
    for node, container in found.items():
        told = engine.inspect(container)
        so(f"{node}: the root file system is read-only", told["HostConfig"]["ReadonlyRootfs"])
        probe = engine.execute(container, "sh", "-c", "touch /probe || touch /opt/minicloud/probe")
        so(f"{node}: nothing can be written there", probe.returncode and "Read-only" in probe.stderr, probe)
        who = engine.execute(
            container, "sh", "-c", "id -u; awk '/^(Uid|CapEff|NoNewPrivs):/ {print $2}' /proc/1/status"
        )
        user, runs_as, capabilities, no_more = who.stdout.split()
        so(f"{node}: runs as user 10001", (user, runs_as) == ("10001", "10001"), who.stdout)
        so(f"{node}: has no capability and gets none", int(capabilities, 16) == 0 and no_more == "1", who.stdout)
        published = [binding["HostIp"] for each in told["NetworkSettings"]["Ports"].values() for binding in each or ()]
        so(f"{node}: is published on 127.0.0.1 only", published == ["127.0.0.1"], published)


def check_health(engine: Engine, found: Mapping[str, str]) -> None:
    say("health check")
    node = next(node for node in PORTS if node != leader())
    container = found[node]
    so(f"{node}: /livez answers 200", ask(node, "GET", "/livez").status == 200)
    so(f"{node}: the health check passes", engine.execute(container, *HEALTH).returncode == 0)
    engine.run("kill", "--signal", "STOP", container)
    try:
        failed = engine.execute(container, *HEALTH)
        so(f"{node} frozen: the health check says so", failed.returncode == 1 and "/livez" in failed.stdout, failed)
        until(f"{node} frozen: is unhealthy", lambda: not engine.is_healthy(container))
    finally:
        engine.run("kill", "--signal", "CONT", container)
    wait_healthy(engine, {node: container})


def check_keys() -> None:
    say("keys and values")
    so("PUT stores", (answer := put("node1", "foo", b"bar")).status == 200, answer)
    so("GET reads it", (answer := get("node1", "foo")).body == b"bar", answer)
    so("DELETE removes it", (answer := ask("node1", "DELETE", "/kv/foo")).json()["deleted"] is True, answer)
    so("GET then is a 404", (answer := get("node1", "foo")).status == 404, answer)
    so("and says Key not found", b"Key not found" in answer.body, answer)
    first = leader() or "nobody"
    follower = next(node for node in PORTS if node != first)
    answer = put(follower, "redirect-test", b"ok", "?redirect")
    so(f"{follower} redirects a write on request", answer.status == 307, answer)
    location = answer.headers.get("Location", "").partition("?")[0]
    so(f"to {first}", location == f"http://{first}:9001/kv/redirect-test", location)
    answer = put(follower, "redirect-test", b"ok")
    so(f"{follower} forwards a write by itself", answer.headers.get("Minicloud-Forwarded-By") == follower, answer)
    for node in PORTS:
        so(f"{node} reads it", (answer := get(node, "redirect-test")).body == b"ok", answer)


def check_status() -> None:
    say("status, dashboard and metrics")
    for node in PORTS:
        so(f"{node}: /health prints OK", (answer := ask(node, "GET", "/health")).body == b"OK", answer)
        so(f"{node}: /dashboard is a page", b"<html" in (answer := ask(node, "GET", "/dashboard")).body, answer)
    leaders = [node for node in PORTS if b"\nraft_is_leader 1.0\n" in ask(node, "GET", "/metrics").body]
    so("raft_is_leader is 1 on the leader, and on nobody else", leaders == [leader()], leaders)
    page = ask(leaders[0], "GET", "/metrics").body
    for name in (b"kv_put_operations_total", b"kv_get_operations_total", b"kv_delete_operations_total"):
        so(f"/metrics has {name.decode()}", b"\n" + name + b" " in page)
    told = ask("node1", "GET", "/cluster/status").json()
    so("/cluster/status names the others", sorted(told["peers"]) == ["node2:9001", "node3:9001"], told)


def member(node_id: str) -> dict:
    """Return what the leader knows of a member."""
    answer = ask(leader() or "node1", "GET", "/cluster/members")
    return next((each for each in answer.json()["members"] if each["node_id"] == node_id), {})


@contextlib.contextmanager
def fourth_node(engine: Engine, beside: str) -> Iterator[str]:
    """Run a node that compose.yml does not know, in the same network."""
    (network,) = engine.inspect(beside)["NetworkSettings"]["Networks"]
    settings = {
        "MINICLOUD_CLUSTER_SECRET": engine.environment["MINICLOUD_CLUSTER_SECRET"],
        "MINICLOUD_NODE_ID": "node4",
        "MINICLOUD_ADVERTISE_ADDR": "node4:9001",
        "MINICLOUD_RAFT_ADDR": "node4:9011",
        "MINICLOUD_JOIN_URL": "",
    }
    variables = [argument for name, value in settings.items() for argument in ("-e", f"{name}={value}")]
    labels = ("--label", f"com.docker.compose.project={engine.project}", "--label", "com.docker.compose.service=node4")
    place = (
        "--network",
        network,
        "--network-alias",
        "node4",
        "--hostname",
        "node4",
        "--read-only",
        "--cap-drop",
        "ALL",
    )
    image = engine.inspect(beside)["Config"]["Image"]
    container = engine.run(
        "run", "-d", *labels, *place, *variables, image, "--config", "/configs/docker-node2.yaml"
    ).split()[-1]
    try:
        yield container
    finally:
        engine.attempt(engine.name, "rm", "-f", "-v", container)


def check_membership(engine: Engine, found: Mapping[str, str]) -> None:
    say("joining and leaving")
    with fourth_node(engine, found["node1"]) as container:
        until("node4 runs", lambda: engine.execute(container, *HEALTH).returncode == 0)
        answer = admin("node2", "/raft/join", node_id="node4", raft_addr="node4:9011", http_addr="node4:9001")
        so("POST /raft/join lets node4 in", answer.status == 204, answer)
        until("node4 gets its vote", lambda: member("node4").get("suffrage") == "Voter" and member("node4")["healthy"])
        servers = [each["node_id"] for each in ask("node3", "GET", "/raft/config").json()["servers"]]
        so("/raft/config of another node has it", "node4" in servers, servers)
        copied = engine.execute(container, "cloudctl", "-server", "http://node4:9001", "get", "redirect-test")
        so("node4 has the data", copied.stdout == "ok", copied)
        answer = admin("node3", "/raft/remove", node_id="node4")
        so("POST /raft/remove takes it out", answer.status == 204, answer)
        so("it is no member any more", member("node4") == {}, member("node4"))
        so(
            "removing it again is a 404",
            (answer := admin("node3", "/raft/remove", node_id="node4")).status == 404,
            answer,
        )


def check_cloudctl(engine: Engine, found: Mapping[str, str]) -> None:
    say("cloudctl in the container")
    for command, expected in (
        (("put", "by-hand", "value"), "created"),
        (("get", "by-hand"), "value"),
        (("members",), "node3"),
        (("status",), "Leader"),
        (("-server", "http://node2:9001", "delete", "by-hand"), "deleted"),
    ):
        done = engine.execute(found["node1"], "cloudctl", *command)
        so(f"cloudctl {' '.join(command)}", done.returncode == 0 and expected in done.stdout, done)


def check_failover(engine: Engine, found: Mapping[str, str]) -> None:
    say("fail-over")
    first = str(until("there is a leader", leader))
    survivors = [node for node in PORTS if node != first]
    so("a write before", (answer := put(first, "durable", b"before")).status == 200, answer)
    term = (status(first) or {"term": 0})["term"]
    engine.run("kill", found[first])
    say(f"      {first} led, and its container is killed")
    until(
        f"the next write is answered, by {' or '.join(survivors)}",
        lambda: put(survivors[0], "failover", b"after").status == 200,
        FAILOVER_LIMIT_S,
    )
    told = until("a survivor leads", lambda: [s for n in survivors if (s := status(n)) and s["is_leader"]])
    so("in a newer term", told[0]["term"] > term, told)
    so("what was written before is there", (answer := get(survivors[1], "durable")).body == b"before", answer)
    engine.run("start", found[first])
    wait_healthy(engine, {first: found[first]})
    so(f"{first} is back, and has what it missed", (answer := get(first, "failover")).body == b"after", answer)


def stop(engine: Engine, node: str, container: str) -> None:
    """Stop one container as compose does, and look how it ended."""
    began = time.monotonic()
    engine.run("stop", "-t", "15", container)
    took = time.monotonic() - began
    so(f"{node} stops in {took:.1f} s", took < STOP_LIMIT_S, f"expected less than {STOP_LIMIT_S:g} s")
    code = engine.inspect(container)["State"]["ExitCode"]
    so(f"{node} exits with 0", code == 0, code)


def check_restarts(engine: Engine, found: Mapping[str, str]) -> None:
    say("stop and start, one after the other")
    order = sorted(PORTS, key=lambda node: node == leader())
    for node in order:
        stop(engine, node, found[node])
        engine.run("start", found[node])
        wait_healthy(engine, {node: found[node]})
        so(f"{node} has kept its data", (answer := get(node, "durable")).body == b"before", answer)
    say("stop all, the last ones without a majority")
    for node in order:
        stop(engine, node, found[node])


def check_data_survives(engine: Engine) -> None:
    say("down and up, this time with a token")
    cluster = set()
    engine.compose("down")
    so("down removes the containers", engine.ids() == [])
    engine.set(AUTH_TOKEN=TOKEN)
    up(engine)
    for node in PORTS:
        so(f"{node} still has the data", (answer := get(node, "durable")).body == b"before", answer)
        cluster.add(ask(node, "GET", "/cluster/status").json()["cluster_id"])
    so("it is one cluster", len(cluster) == 1, cluster)
    answer = put("node1", "protected", b"value")
    so("a write without the token is a 401", answer.status == 401 and answer.headers["WWW-Authenticate"], answer)
    for node in PORTS:
        answer = put(node, "protected", node.encode(), Authorization=f"Bearer {TOKEN}")
        so(f"{node} takes a write with the token", answer.status == 200, answer)
    so("a read needs none", (answer := get("node2", "protected")).body == b"node3", answer)


def check(engine: Engine) -> None:
    """See everything that SPEC 8 and the walkthrough promise."""
    until("ports 9001 to 9003 are free", ports_are_free, 10)
    say("image")
    engine.compose("build", limit_s=LIMIT_S)
    say("  ok  compose build")
    found = up(engine)
    so("and its user is not root", engine.inspect(found["node1"])["Config"]["User"] not in ("", "root", "0"))
    until("three voters", lambda: all(member(node).get("suffrage") == "Voter" for node in PORTS))
    check_confinement(engine, found)
    check_health(engine, found)
    check_keys()
    check_status()
    check_membership(engine, found)
    check_cloudctl(engine, found)
    check_failover(engine, found)
    check_restarts(engine, found)
    check_data_survives(engine)


def clean_up(engine: Engine) -> bool:
    """Remove everything, and return whether that worked."""
    try:
        engine.clean_up()
        left = engine.ids() + engine.left("volume") + engine.left("network")
    except (NotSoError, subprocess.TimeoutExpired) as error:
        left = [str(error)]
    say("  ok  no container, volume or network is left" if not left else f"NOT SO: left behind: {left}")
    return not left


def show_logs(engine: Engine) -> None:
    for container in engine.ids():
        logs = engine.attempt(engine.name, "logs", "--tail", "30", container)
        print(f"--- {container[:12]}\n{logs.stdout}{logs.stderr}", file=sys.stderr, flush=True)


def main() -> int:
    """Check, clean up, and return the exit status."""
    engine = find_engine()
    if engine is None:
        say("no container engine works here: looked for docker with docker compose, and podman with podman-compose")
        return NO_ENGINE
    say(f"{engine.name}, project {engine.project}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began, passed = time.monotonic(), False
    try:
        check(engine)
        passed = True
    except (NotSoError, OSError, http.client.HTTPException, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        say(f"NOT SO: {error if isinstance(error, NotSoError) else repr(error)}")
        with contextlib.suppress(Exception):
            show_logs(engine)
    finally:
        passed = clean_up(engine) and passed
    say(f"{'all is as it must be' if passed else 'failed'}, after {time.monotonic() - began:.0f} s")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
