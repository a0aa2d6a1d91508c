"""A whole cluster in one process: real nodes on one clock, in-memory disks and links, nothing left to chance."""

from collections import deque
from random import Random

from twisted.internet.task import Clock
from twisted.python.failure import Failure

from minicloud.kv.commands import Put
from minicloud.node.instruments import NodeInstruments
from minicloud.node.node import Node, NodeSettings
from minicloud.node.status import JoinRequest
from minicloud.raft.configuration import Configuration, Member
from minicloud.raft.entries import Entry, EntryKind
from minicloud.storage.memory_files import MemoryFiles
from minicloud.storage.storage import Storage
from minicloud.wire.messages import decode_message, encode_message

CLUSTER_ID = "c" * 32
STEP_S = 0.002


class ProcessClock:
    """The clock of one process: when that is killed, its timers go with it."""

    def __init__(self, clock):
        self._clock = clock
        self._calls = []
        self.seconds = clock.seconds

    def callLater(self, delay, function, *args, **kwargs):
        call = self._clock.callLater(delay, function, *args, **kwargs)
        self._calls.append(call)
        if len(self._calls) > 1000:
            self._calls = [each for each in self._calls if each.active()]
        return call

    def kill(self):
        for call in self._calls:
            if call.active():
                call.cancel()


class MemoryNetwork:
    """The links between processes: encoded lines, in order, each with the same delay; cut at will."""

    def __init__(self, clock, delay_s=0.001):
        self.clock = clock
        self.delay_s = delay_s
        self.processes = {}
        self.cut = set()
        self.queue = deque()
        self.passes = lambda sender, to, message: True
        self._up = set()
        self.by_type = {}

    def is_linked(self, one, other):
        return frozenset((one, other)) in self._up

    def send(self, process, to, message):
        if not self.is_linked(process.node_id, to):
            return False
        name = type(message).__name__
        self.by_type[name] = self.by_type.get(name, 0) + 1
        line = encode_message(message)
        target = self.processes[to]
        self.clock.callLater(self.delay_s, self._deliver, process, target, line)
        return True

    def _deliver(self, sender, target, line):
        pair = frozenset((sender.node_id, target.node_id))
        if not (sender.is_up and target.is_up and pair in self._up) or self.processes[target.node_id] is not target:
            return
        if self.processes[sender.node_id] is not sender:
            return
        message = decode_message(line)
        if self.passes(sender.node_id, target.node_id, message):
            target.node.message_received(sender.node_id, message)

    def reconcile(self):
        """Make and break links as both ends and the cables allow."""
        for one in list(self.processes.values()):
            for node_id in sorted(one.peers):
                other = self.processes.get(node_id)
                pair = frozenset((one.node_id, node_id))
                if other is None or not (one.is_up and other.is_up) or pair in self.cut or pair in self._up:
                    continue
                self._handshake(one, other, pair)
        for pair in sorted(self._up, key=sorted):
            one, other = (self.processes[node_id] for node_id in sorted(pair))
            wanted = any(
                acceptor.node_id in dialler.peers and not self._is_denied(dialler, acceptor)
                for dialler, acceptor in ((one, other), (other, one))
            )
            if not (one.is_up and other.is_up and wanted) or pair in self.cut:
                self.drop(pair)

    def _handshake(self, dialler, acceptor, pair):
        address = dialler.peers[acceptor.node_id]
        if address.raft_addr != acceptor.raft_addr:
            return
        instance_id = acceptor.storage.identity.instance_id
        if address.instance_id not in ("", instance_id):
            dialler.node.wrong_instance(acceptor.node_id, instance_id)
            return
        if self._is_denied(dialler, acceptor):
            dialler.node.told_removed(acceptor.node_id, acceptor.committed_index)
            return
        cluster_id = acceptor.storage.identity.cluster_id
        if not cluster_id and not acceptor.node.cluster_offered(dialler.storage.identity.cluster_id):
            return
        self._up.add(pair)
        dialler.node.link_up(acceptor.node_id, instance_id)
        acceptor.node.link_up(dialler.node_id, dialler.storage.identity.instance_id)

    def _is_denied(self, dialler, acceptor):
        if dialler.node_id in acceptor.peers:
            return False
        own = acceptor.node.status().configuration_index
        theirs = dialler.node.status().configuration_index
        return 0 < acceptor.committed_index >= own and theirs <= acceptor.committed_index

    def drop(self, pair):
        self._up.discard(pair)
        one, other = sorted(pair)
        for here, there in ((one, other), (other, one)):
            process = self.processes.get(here)
            if process is not None and process.is_up:
                process.node.link_lost(there)


class Process:
    """One node with its disk; implements Network for it."""

    def __init__(self, cluster, node_id, files, **settings):
        self.node_id = node_id
        self.raft_addr = cluster.raft_addr(node_id)
        self.files = files
        self.failures = []
        self.peers = {}
        self.committed_index = 0
        self.is_up = True
        self._network = cluster.network
        self.clock = ProcessClock(cluster.clock)
        self.storage = Storage.open(files, node_id=node_id, new_instance_id=cluster.new_instance_id)
        self.instruments = NodeInstruments()
        self.node = Node(
            settings=NodeSettings(node_id=node_id, **settings),
            storage=self.storage,
            reactor=self.clock,
            random=Random(cluster.random.random()),
            on_failed=self.failures.append,
            instruments=self.instruments,
        )

    def set_peers(self, peers, configuration_index):
        assert self.node_id not in peers
        self.peers = dict(peers)
        self.committed_index = configuration_index

    def send(self, to, message):
        assert self.is_up
        return self._network.send(self, to, message)


class Cluster:
    """Processes by node id, on one clock."""

    def __init__(self, size=3, seed=1, **settings):
        self.clock = Clock()
        self.random = Random(seed)
        self.network = MemoryNetwork(self.clock)
        self.settings = settings
        self._instances = 0
        self._addresses = {}
        self.processes = self.network.processes
        members = [
            Member(f"n{number}", self.raft_addr(f"n{number}"), f"127.0.0.1:{9000 + number}", instance_id="")
            for number in range(1, size + 1)
        ]
        for member in members:
            files = MemoryFiles()
            storage = Storage.open(files, node_id=member.node_id, new_instance_id=self.new_instance_id)
            entry = Entry(1, 1, EntryKind.CONFIGURATION, configuration=Configuration(tuple(members)))
            storage.append([entry])
            storage.sync()
            storage.set_cluster(CLUSTER_ID)
            storage.close()
            self.start(member.node_id, files)

    def raft_addr(self, node_id):
        return self._addresses.get(node_id, f"127.0.0.1:{9010 + int(node_id[1:])}")

    def move(self, node_id, raft_addr):
        self._addresses[node_id] = raft_addr

    def new_instance_id(self):
        self._instances += 1
        return f"{self._instances:032x}"

    # Processes

    def start(self, node_id, files=None, **settings):
        process = Process(self, node_id, files or MemoryFiles(), **{**self.settings, **settings})
        self.processes[node_id] = process
        process.node.start(process)
        return process

    def kill(self, node_id, power=None):
        """Kill a process, or cut its power where a Random for that is given; returns what its successor finds."""
        process = self.processes[node_id]
        process.is_up = False
        process.clock.kill()
        files = process.files.kill() if power is None else process.files.crash(power)
        self.network.reconcile()
        return files

    def restart(self, node_id):
        return self.start(node_id, self.kill(node_id))

    def isolate(self, node_id):
        self.network.cut |= {frozenset((node_id, other)) for other in self.processes if other != node_id}

    def heal(self):
        self.network.cut.clear()

    # Time

    def run(self, seconds):
        for _ in range(round(seconds / STEP_S)):
            self.network.reconcile()
            self.clock.advance(STEP_S)

    def until(self, condition, limit_s=30.0):
        for _ in range(round(limit_s / STEP_S)):
            if condition():
                return
            self.network.reconcile()
            self.clock.advance(STEP_S)
        raise AssertionError(f"not within {limit_s} s: {[p.node.status() for p in self.processes.values()]}")

    def result(self, deferred, limit_s=30.0):
        """Let time pass until the Deferred has a result; returns it or raises its failure."""
        results = []
        deferred.addBoth(results.append)
        self.until(lambda: results, limit_s)
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    # Nodes

    def node(self, node_id):
        return self.processes[node_id].node

    def leaders(self):
        return [
            process.node for process in self.processes.values() if process.is_up and process.node.status().is_leader
        ]

    def leader(self, limit_s=30.0):
        """Wait for a leader that has the support of a majority of those that run, and return it."""

        def supported():
            found = max(self.leaders(), key=lambda node: node.status().term, default=None)
            if found is None:
                return None
            status = found.status()
            votes = [
                process
                for node_id, process in self.processes.items()
                if process.is_up
                and status.configuration.is_voter(node_id)
                and process.node.status().term == status.term
                and process.node.status().leader is not None
                and process.node.status().leader.node_id == found.node_id
            ]
            return found if len(votes) >= status.configuration.quorum else None

        self.until(lambda: supported() is not None, limit_s)
        return supported()

    def followers(self):
        leader = self.leader()
        return [process.node for process in self.processes.values() if process.is_up and process.node is not leader]

    def put(self, key, value=b"v", node=None, timeout_s=10.0):
        return self.result((node or self.leader()).propose(Put(key, value), timeout_s))

    def read(self, node, key):
        self.result(node.read_barrier(10.0))
        record = node.store.get(key)
        return None if record is None else record.value

    def join(self, node_id, **fields):
        process = self.processes[node_id]
        fields.setdefault("instance_id", process.storage.identity.instance_id)
        request = JoinRequest(node_id, process.raft_addr, f"127.0.0.1:{9000 + int(node_id[1:])}", **fields)
        return self.result(self.leader().join(request, 10.0))

    def converge(self, limit_s=30.0):
        """Wait until all that run have applied the same."""

        def same():
            up = [process.node for process in self.processes.values() if process.is_up]
            return len({(node.store.applied_index, node.store.digest()) for node in up}) == 1

        self.until(same, limit_s)
