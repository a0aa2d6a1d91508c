"""The life of the containers: how they are started, confined, found ill, killed, stopped, and started again."""

from __future__ import annotations

import time
from collections.abc import Mapping

from tests.containers.cloudctl import Cloudctl
from tests.containers.engine import HEALTH, Engine
from tests.containers.nodes import PORTS, ask, get, is_ready, leader, put, status
from tests.containers.said import NotSoError, say, so, unchecked, until

STOP_LIMIT_S = 3.0
FAILOVER_LIMIT_S = 5.0
RESTART_LIMIT_S = 30.0
"""Until a node has ended, and until an engine has started it again; it waits a moment before that, the first time 0.1 s."""

TOKEN = "a-token-of-the-container-check"


def up(engine: Engine) -> dict[str, str]:
    """Start the three nodes, with the plain command wherever that starts no more than them."""
    named = engine.all_of(PORTS)
    engine.compose("up", "-d", *named)
    found = engine.containers()
    so(
        f"{' '.join(['compose up -d', *named])} starts the three nodes and nothing else",
        sorted(found) == sorted(PORTS),
        found,
    )
    wait_healthy(engine, found)
    return found


def check_logs(engine: Engine) -> None:
    say("logs")
    lines = engine.compose("logs", *engine.all_of(PORTS)).splitlines()
    for node in PORTS:
        so(f"compose logs has what {node} says", [line for line in lines if f" {node} minicloud." in line], lines[-5:])
    lines = engine.compose("logs", "node2").splitlines()
    others = [line for line in lines if " node1 minicloud." in line or " node3 minicloud." in line]
    so("compose logs node2 has only what node2 says", lines and not others, others or "nothing at all")


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


def check_failover(engine: Engine, found: Mapping[str, str], cloudctl: Cloudctl | None) -> None:
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
    if cloudctl is not None:
        cloudctl.check_without(first)
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


def check_data_survives(engine: Engine, cloudctl: Cloudctl | None) -> None:
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
    if cloudctl is not None:
        cloudctl.check_token(TOKEN)


def check_comes_back(engine: Engine) -> None:
    """See that a node that ends by itself is started again. No signal may have gone to one through the engine before."""
    say("a node that ends by itself")
    found = engine.containers()
    for node, container in found.items():
        policy = engine.inspect(container)["HostConfig"]["RestartPolicy"]["Name"]
        so(f"{node} is to be started again unless it was stopped", policy == "unless-stopped", policy)
    node = next(node for node in PORTS if node != leader())
    container = found[node]
    before = running_since(engine, container)
    # From inside: a container that the engine itself sends a signal to was stopped, as engines see it.
    engine.execute(container, "sh", "-c", "kill 1")
    until(f"{node} has ended", lambda: running_since(engine, container) != before, RESTART_LIMIT_S)
    try:
        until(f"{node} runs again", lambda: running_since(engine, container), RESTART_LIMIT_S)
    except NotSoError:
        if engine.name != "podman":
            raise
        unchecked(f"whether {node} comes back by itself", "podman has not started it, which it does not do everywhere")
        engine.run("start", container)
    wait_healthy(engine, {node: container})
    so(f"{node} still has the data", (answer := get(node, "durable")).body == b"before", answer)


def running_since(engine: Engine, container: str) -> str:
    """Return when a container was started the last time, as the engine writes it; empty where it does not run."""
    state = engine.inspect(container)["State"]
    return state["StartedAt"] if state["Running"] else ""


def check_down_deletes(engine: Engine) -> None:
    say("down -v")
    so("before it, there is a volume for each node", len(engine.left("volume")) >= len(PORTS), engine.left("volume"))
    engine.compose("down", "-v")
    so("compose down -v removes containers and volumes", not (left := engine.ids() + engine.left("volume")), left)
    if engine.knows_profiles:  # an older podman-compose leaves it
        so("and the network", not (left := engine.left("network")), left)
