"""How long a cluster goes without an answered write when its leader is gone."""

from __future__ import annotations

import contextlib
import http.client
import signal
import threading
import time
from collections.abc import Callable

from attrs import frozen

from tests.bench.cluster import Cluster
from tests.harness.processes import NodeProcess

WRITES_BEFORE = 20
"""So that the leader is lost in the middle of work."""

ASK_INTERVAL_S = 0.002
"""Between two attempts at one node: what is measured is no more exact than this."""

ATTEMPT_LIMIT_S = 5.0
GIVE_UP_S = 30.0


@frozen
class Outage:
    """One loss of a leader."""

    milliseconds: float


def kill_leaders(cluster: Cluster, count: int) -> list[Outage]:
    """Kill one leader after the other, and start each again."""

    def kill(leader: NodeProcess) -> None:
        leader.process.kill()

    def bring_back(leader: NodeProcess) -> None:
        leader.wait()
        cluster.start(cluster.node_id(leader))

    return [_lose(cluster, f"kill-{n}", kill, bring_back) for n in range(count)]


def silence_leaders(cluster: Cluster, count: int) -> list[Outage]:
    """Stop one leader after the other, its connections staying open, and let each go on. Nothing on Windows."""
    if not hasattr(signal, "SIGSTOP"):
        return []

    def silence(leader: NodeProcess) -> None:
        leader.process.send_signal(signal.SIGSTOP)

    def wake(leader: NodeProcess) -> None:
        leader.process.send_signal(signal.SIGCONT)

    return [_lose(cluster, f"silence-{n}", silence, wake) for n in range(count)]


def _lose(
    cluster: Cluster, name: str, lose: Callable[[NodeProcess], None], bring_back: Callable[[NodeProcess], None]
) -> Outage:
    leader = cluster.leader()
    survivors = cluster.others(leader)
    _write_some(cluster, leader, name)
    lost_at = time.monotonic()
    lose(leader)
    answered_at = _next_answered_write(cluster, survivors, name)
    bring_back(leader)
    cluster.wait_whole()
    return Outage((answered_at - lost_at) * 1000)


def _write_some(cluster: Cluster, leader: NodeProcess, name: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", leader.port, timeout=ATTEMPT_LIMIT_S)
    with contextlib.closing(connection):
        for number in range(WRITES_BEFORE):
            _write(cluster, connection, f"{name}-before-{number}")


def _write(cluster: Cluster, connection: http.client.HTTPConnection, key: str) -> bool:
    value = key.encode("ascii")
    connection.request("PUT", f"/kv/{key}?redirect", value)
    answer = connection.getresponse()
    answer.read()
    if answer.status == 200:
        cluster.answered[key] = value
    return answer.status == 200


def _next_answered_write(cluster: Cluster, survivors: list[NodeProcess], name: str) -> float:
    """Return when the first write was answered; each survivor is asked all the time, by a thread of its own."""
    answered: list[float] = []
    done = threading.Event()

    def keep_asking(node: NodeProcess) -> None:
        deadline = time.monotonic() + GIVE_UP_S
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=ATTEMPT_LIMIT_S)
        with contextlib.closing(connection):
            while not done.is_set() and time.monotonic() < deadline:
                with contextlib.suppress(OSError):
                    if _write(cluster, connection, f"{name}-after-{node.port}"):
                        answered.append(time.monotonic())
                        break
                done.wait(ASK_INTERVAL_S)
        done.set()

    threads = [threading.Thread(target=keep_asking, args=(node,)) for node in survivors]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:
        done.set()  # on the way out by Ctrl+C, too
    if not answered:
        raise SystemExit(f"no write was answered within {GIVE_UP_S:.0f} s of the loss of the leader")
    return min(answered)
