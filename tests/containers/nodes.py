"""The three nodes of compose.yml, as they are reached from this machine: at the ports that are published."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterable, Mapping

PORTS = {"node1": 9001, "node2": 9002, "node3": 9003}


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


def member(node_id: str) -> dict:
    """Return what the leader knows of a member."""
    answer = ask(leader() or "node1", "GET", "/cluster/members")
    return next((each for each in answer.json()["members"] if each["node_id"] == node_id), {})


def are_free(ports: Iterable[int]) -> bool:
    """Return whether nobody listens on any of these ports of 127.0.0.1."""
    for port in ports:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return False
    return True
