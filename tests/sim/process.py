"""A machine, and the processes that run on it one after the other: all of minicloud between its disk and its links."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import TYPE_CHECKING, Any

from attrs import define, evolve, field

from minicloud.node.instruments import NodeInstruments
from minicloud.node.node import Node
from minicloud.node.settings import NodeSettings
from minicloud.peer.identity import LocalPeer
from minicloud.peer.interface import PeerAddress
from minicloud.peer.links import PeerLinks
from minicloud.raft.core import Raft
from minicloud.raft.messages import Message
from minicloud.storage.errors import Damaged, StorageError
from minicloud.storage.identity import IDENTITY_FILE, decode_identity
from minicloud.storage.memory_files import MachineStopped
from minicloud.storage.storage import Storage
from tests.sim.clock import TICK, ProcessClock
from tests.sim.disk import Disk
from tests.sim.network import SimEndpoints

if TYPE_CHECKING:
    from tests.sim.world import World

CLUSTER_ID = "c" * 32

SECRET = b"the secret of the simulated cluster"


@define(eq=False)
class Machine:
    """Where one node lives: what outlasts its processes."""

    node_id: str
    disk: Disk = field(factory=Disk)
    clock_rate: float = 1.0
    has_power: bool = True
    process: Process | None = None
    started: int = 0
    """How many processes there have been."""
    is_refusing: str = ""
    """Why the newest start was refused by what is on the disk; empty where it was not."""

    @property
    def cluster_id(self) -> str:
        """The cluster that its folder belongs to, whether a process runs or not; empty where none is to be read.

        Read from outside: that is none of the operations of a process, at which the disk could fail it.
        """
        try:
            return decode_identity(self.disk.files.content(IDENTITY_FILE), IDENTITY_FILE).cluster_id
        except (FileNotFoundError, Damaged):
            return ""

    @property
    def raft_addr(self) -> str:
        """Where its node accepts peers."""
        return f"{self.node_id}:9011"

    @property
    def http_addr(self) -> str:
        """Where its node would serve HTTP."""
        return f"{self.node_id}:9001"


class Process:
    """One life of a node (implements Network, to watch what is sent).

    Everything that happens to it comes in by ``run``: it is late while the process is stopped (SIGSTOP) or waits for its
    disk, and is followed by a look at all invariants.
    """

    def __init__(self, world: World, machine: Machine, random: Random) -> None:
        """Open the data folder and put the parts together. Raises StorageError where the folder is refused."""
        self.world = world
        self.machine = machine
        self.node_id = machine.node_id
        self.name = f"{machine.node_id}.{machine.started}"
        self.is_up = True
        self.is_stopped = False
        self.busy_until = 0.0
        self.acceptor: Any = None
        """What makes a protocol for a connection that comes in."""
        self.seen: dict[str, Any] = {}
        """What invariants remember of this process."""
        self.fingerprint: Any = None
        self.failure: Exception | None = None
        self._backlog: list[tuple[str, Callable[..., Any], tuple[Any, ...]]] = []
        self._is_inside = False
        self.clock = ProcessClock(world.clock, self, machine.clock_rate)
        self.disk = machine.disk
        self.disk.on_slow = self._wait_for_disk
        self.disk.on_crash = self._crash
        self.storage = Storage.open(
            self.disk.files,
            node_id=machine.node_id,
            new_instance_id=world.new_id,
            segment_bytes=world.settings.segment_bytes,
        )
        self.node = Node(
            settings=self._settings(),
            storage=self.storage,
            reactor=self.clock,
            random=random,
            on_failed=self._node_failed,
            instruments=NodeInstruments(),
        )
        self.raft: Raft = self.node._driver.raft
        if world.settings.small_messages:
            self.raft.settings = evolve(self.raft.settings, max_append_bytes=1, max_inflight_messages=2)
        identity = self.storage.identity
        self.instance_id = identity.instance_id
        self.is_foreign = identity.cluster_id not in ("", CLUSTER_ID)
        """Whether its folder is of another cluster: then nothing that is true of ours need be true of it."""
        local = LocalPeer(
            machine.node_id,
            identity.instance_id,
            lambda: self.storage.identity.cluster_id,
            lambda: self.node.status().configuration_index,
        )
        self.links = PeerLinks(
            self.clock, local, SECRET, self.node, random, endpoints=SimEndpoints(self), new_nonce=world.new_id
        )

    def _settings(self) -> NodeSettings:
        settings = self.world.settings
        return NodeSettings(
            node_id=self.node_id,
            election_timeout_ms=settings.election_timeout_ms,
            heartbeat_ms=settings.heartbeat_ms,
            snapshot_entries=settings.snapshot_entries,
            snapshot_trailing_entries=settings.snapshot_trailing_entries,
        )

    def start(self) -> None:
        """Serve peers and take part."""
        self.links.listen(self.machine.raft_addr)
        self.node.start(self)

    # What happens to it

    @property
    def is_held(self) -> bool:
        """Whether it cannot act now."""
        return self.is_stopped or self.busy_until > self.world.clock.rightNow

    def run(self, what: str, function: Callable[..., Any], *args: Any) -> None:
        """Let the process do something, as soon as it can."""
        if not self.is_up:
            return
        if self.is_held:
            self._backlog.append((what, function, args))
            return
        if self._is_inside:
            function(*args)
            return
        self._is_inside = True
        try:
            function(*args)
        except MachineStopped:
            pass
        except Exception as error:
            self.world.violated("no fault of a node's own", f"{self.name}: {error!r}", error)
        finally:
            self._is_inside = False
        self._after(what)

    def _after(self, what: str) -> None:
        world = self.world
        world.steps += 1
        if self.failure is not None and self.is_up:
            if not isinstance(self.failure, StorageError):
                world.violated("no fault of a node's own", f"{self.name}: {self.failure!r}", self.failure)
            world.note("ends", self.node_id, str(self.failure))
            world.kill(self.node_id)
        if self.is_up and what != TICK:
            world.look_at(self)

    def _go_on(self) -> None:
        """Do what came while it could not act, all of it in one turn."""
        while self._backlog and self.is_up and not self.is_held:
            self.run(*(item := self._backlog.pop(0))[:2], *item[2])

    def stop_acting(self) -> None:
        """SIGSTOP."""
        self.is_stopped = True

    def act_again(self) -> None:
        """SIGCONT."""
        if self.is_stopped:
            self.is_stopped = False
            self._go_on()

    def _wait_for_disk(self, seconds: float) -> None:
        self.busy_until = max(self.busy_until, self.world.clock.rightNow) + seconds
        self.world.clock.call_at(self.busy_until, self._go_on)

    def _crash(self) -> None:
        self.world.counts["crash point"] += 1
        self.world.kill(self.node_id)

    def _node_failed(self, error: Exception) -> None:
        self.failure = error

    # Network

    def set_peers(self, peers: Mapping[str, PeerAddress], configuration_index: int) -> None:
        self.links.set_peers(peers, configuration_index)

    def send(self, to: str, message: Message) -> bool:
        self.world.sending(self, to, message)
        return self.links.send(to, message)
