"""What the README's walkthroughs do, on the three nodes of compose.yml."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from tests.containers.engine import HEALTH, Engine
from tests.containers.nodes import PORTS, admin, ask, get, leader, member, put
from tests.containers.said import say, so, until


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
