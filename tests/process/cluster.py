"""Three nodes from the configs that ship, as processes of their own, and what is done to them."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from attrs import define, field

from tests.harness.ports import free_ports
from tests.harness.processes import TOP, NodeProcess, Nodes, nodes_in
from tests.process.plain_http import Answer, NeverSent, NoAnswer, ask_once

NAMES = ("node1", "node2", "node3")

PATIENCE_S = 40.0
"""For what must happen at all. Not a measure of speed: the machine may be busy with other things."""

PAUSE_S = 0.03
"""Between two looks."""

_T = TypeVar("_T")


def wait_for(look: Callable[[], _T], what: str, patience_s: float = PATIENCE_S) -> _T:
    """Return what ``look`` returns, once it is something; nodes may be away meanwhile."""
    deadline = time.monotonic() + patience_s
    last: object = None
    while time.monotonic() < deadline:
        try:
            last = found = look()
            if found:
                return found
        except (NeverSent, NoAnswer) as error:
            last = error
        time.sleep(PAUSE_S)
    raise AssertionError(f"this did not happen: {what}; seen last: {last!r}")


@define
class Member:
    """One node: its config, its ports, and its process as long as it has one."""

    name: str
    config: str
    http_port: int
    raft_port: int
    process: NodeProcess | None = None

    def ask(self, method: str, target: str, body: bytes = b"") -> Answer:
        """Ask this node; raises NeverSent and NoAnswer."""
        return ask_once(self.http_port, method, target, body)

    def json(self, target: str) -> Any:
        """Return a document of this node; raises NeverSent and NoAnswer."""
        return json.loads(self.ask("GET", target).body)

    def status(self) -> Any:
        """Return what this node says about consensus."""
        return self.json("/raft/status")

    def is_ready(self) -> bool:
        """Whether it knows a leader and has caught up."""
        return self.ask("GET", "/readyz").status == 200

    def metric(self, name: str) -> float:
        """Return a metric without labels."""
        lines = self.ask("GET", "/metrics").body.decode().splitlines()
        return float(next(line.split(" ")[1] for line in lines if line.startswith(f"{name} ")))

    def running(self) -> NodeProcess:
        """Return its process, which it must have."""
        assert self.process is not None
        return self.process


@define
class Cluster:
    """Nodes in one folder."""

    nodes: Nodes
    members: dict[str, Member] = field(factory=dict)
    logs: list[NodeProcess] = field(factory=list)

    @property
    def folder(self) -> Path:
        """The working folder of all nodes."""
        return self.nodes.folder

    # Nodes come and go

    def add_config(self, name: str, **keys: object) -> Member:
        """Write a config of its own for one more node, and do not start it yet."""
        http_port, raft_port = free_ports(2)
        addresses = {"listen_addr": f"127.0.0.1:{http_port}", "raft_addr": f"127.0.0.1:{raft_port}"}
        self._write(name, {"node_id": name, **addresses, **keys})
        self.members[name] = Member(name, f"{name}.yaml", http_port, raft_port)
        return self.members[name]

    def copy_shipped_configs(self, **keys: object) -> None:
        """Copy configs/node1.yaml to node3.yaml, with ports that are free here, and with more keys."""
        texts = {name: (TOP / "configs" / f"{name}.yaml").read_text(encoding="utf-8") for name in NAMES}
        ports = dict(zip((9001, 9002, 9003, 9011, 9012, 9013), free_ports(6), strict=True))
        for number, name in enumerate(NAMES, start=1):
            text = texts[name]
            for shipped, free in ports.items():
                text = text.replace(f"127.0.0.1:{shipped}", f"127.0.0.1:{free}")
            self._write(name, {**yaml.safe_load(text), **keys})
            self.members[name] = Member(name, f"{name}.yaml", ports[9000 + number], ports[9010 + number])

    def _write(self, name: str, settings: dict[str, object]) -> None:
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")

    def start(self, *names: str) -> None:
        """Start nodes, and return at once."""
        for name in names:
            member = self.members[name]
            assert member.process is None
            member.process = self.nodes.start(member.config, member.http_port)
            self.logs.append(member.process)

    def kill(self, *names: str) -> None:
        """End nodes with SIGKILL, as nearly at once as can be."""
        for name in names:
            self.members[name].running().process.kill()
        for name in names:
            self.members[name].running().wait()
            self.members[name].process = None

    def tell_to_end(self, *names: str) -> None:
        """Send SIGTERM, and return at once."""
        for name in names:
            self.members[name].running().process.terminate()

    def wait_end(self, name: str) -> int:
        """Return the exit status of a node that was told to end."""
        status = self.members[name].running().wait()
        self.members[name].process = None
        return status

    def terminate(self, name: str) -> int:
        """Tell a node to end, and return its exit status."""
        self.tell_to_end(name)
        return self.wait_end(name)

    def freeze(self, name: str) -> None:
        """Stop a node in the middle of whatever it does."""
        self.members[name].running().process.send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it go on."""
        self.members[name].running().process.send_signal(signal.SIGCONT)

    def wipe(self, name: str) -> None:
        """Delete the data folder of a node that is down."""
        assert self.members[name].process is None
        shutil.rmtree(self.data(name))

    def data(self, name: str) -> Path:
        """Return the data folder of a node."""
        return self.folder / "data" / name

    # What can be seen

    @property
    def up(self) -> list[Member]:
        """The nodes with a process, frozen ones included."""
        return [member for member in self.members.values() if member.process is not None]

    @property
    def ports(self) -> list[int]:
        """HTTP ports of all nodes, up or down."""
        return [member.http_port for member in self.members.values()]

    def others(self, *names: str) -> list[str]:
        """Return the names of all nodes but these."""
        return [name for name in self.members if name not in names]

    def leader_among(self, names: Sequence[str]) -> str:
        """Return the leader that all of these nodes agree on, and which is one of them, once there is one."""

        def look() -> str:
            seen = [self.members[name].status() for name in names]
            leaders = {status["leader_id"] for status in seen}
            terms = {status["term"] for status in seen}
            (leader,) = leaders if len(leaders) == len(terms) == 1 else {None}
            return leader if leader in names else ""

        return wait_for(look, f"one leader of {', '.join(names)}")

    def leader(self) -> str:
        """Return the leader that all nodes with a process agree on, once there is one."""
        return self.leader_among([member.name for member in self.up])

    def wait_ready(self, *names: str) -> None:
        """Return when these nodes (without names: all that have a process) are caught up."""
        for name in names or [member.name for member in self.up]:
            member = self.members[name]
            wait_for(member.is_ready, f"{name} is ready")

    def wait_caught_up(self, *names: str) -> None:
        """Return when these nodes have applied all that is committed now."""
        goal = self.members[self.leader()].status()["commit_index"]
        for name in names or [member.name for member in self.up]:
            member = self.members[name]
            wait_for(lambda member=member: member.status()["applied_index"] >= goal, f"{name} has applied {goal}")

    def suffrages(self, asked: str) -> dict[str, str]:
        """Return who is a voter and who a learner, as one node sees it."""
        return {server["node_id"]: server["suffrage"] for server in self.members[asked].json("/raft/config")["servers"]}

    def wait_voters(self, *names: str) -> None:
        """Return when exactly these nodes are members, all of them voters, and all nodes with a process know."""
        wish = dict.fromkeys(names, "Voter")
        for name in names:
            if self.members[name].process is not None:
                wait_for(lambda name=name: self.suffrages(name) == wish, f"{name} sees the voters {', '.join(names)}")

    def post(self, asked: str, path: str, **wish: object) -> Answer:
        """Send an admin request to one node."""
        return self.members[asked].ask("POST", path, json.dumps(wish).encode("ascii"))

    def check_logs(self) -> None:
        """Fail where a node has logged what it must never have to log."""
        for process in self.logs:
            assert "Traceback" not in process.log, process.log
            assert " CRITICAL " not in process.log, process.log


@contextlib.contextmanager
def cluster_in(folder: Path, **keys: object) -> Iterator[Cluster]:
    """Give three nodes that are a cluster; end all nodes afterwards, and look into their logs if all was well."""
    with nodes_in(folder) as nodes:
        cluster = Cluster(nodes)
        cluster.copy_shipped_configs(**keys)
        cluster.start(*NAMES)
        cluster.wait_voters(*NAMES)
        cluster.wait_ready()
        yield cluster
        cluster.check_logs()
