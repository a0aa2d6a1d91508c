"""A scripted node for errors that a real cluster cannot be made to give at will."""

from twisted.internet.defer import Deferred, fail, succeed

from minicloud.kv.commands import DeleteDone, PreconditionFailed, Put, PutDone, Record
from minicloud.node.errors import NodeError, NotLeader, ReadTimeout, UnknownMember
from minicloud.node.status import MemberStatus, NodeStatus
from minicloud.raft.configuration import Configuration, Member, Suffrage


class StandInStore:
    def __init__(self):
        self.records = {}
        self.applied_index = 0

    def __len__(self):
        return len(self.records)

    @property
    def bytes_used(self):
        return sum(len(key.encode()) + len(record.value) for key, record in self.records.items())

    def get(self, key):
        return self.records.get(key)

    def items(self, keys):
        begun = sorted(key for key in self.records if key.startswith(keys.prefix) and key >= keys.start)
        return iter([(key, self.records[key]) for key in begun if keys.after is None or key > keys.after])

    def count(self, keys):
        return len(list(self.items(keys)))


class StandInCluster:
    """Three nodes over one store, of which the first leads."""

    def __init__(self):
        self.members = tuple(Member(f"node{n}", f"127.0.0.1:901{n}", f"127.0.0.1:900{n}") for n in (1, 2, 3))
        self.configuration = Configuration(self.members)
        self.committed_configuration = self.configuration
        self.configuration_index = 1
        self.leader = self.members[0]
        self.store = StandInStore()
        self.store.applied_index = 3
        self.waiting = []
        self.nodes = {member.node_id: StandInNode(self, member) for member in self.members}

    def apply(self, command):
        store = self.store
        store.applied_index += 1
        index, old = store.applied_index, store.records.get(command.key)
        try:
            return self._apply(command, store, index, old)
        finally:
            for revision, waiting in self.waiting:
                if revision == index:
                    waiting.callback(None)

    def _apply(self, command, store, index, old):
        if not _holds(command.precondition, old):
            return PreconditionFailed(old.revision if old else None)
        if isinstance(command, Put):
            created = old is None
            store.records[command.key] = Record(
                command.value, index, index if created else old.create_revision, 1 if created else old.version + 1
            )
            return PutDone(index, created)
        store.records.pop(command.key, None)
        return DeleteDone(index, old is not None)


def _holds(precondition, record):
    if precondition.exists is not None and precondition.exists != (record is not None):
        return False
    return precondition.revisions is None or (record is not None and record.revision in precondition.revisions)


class StandInNode:
    """One node; ``script`` holds what the next calls do in the place of the real thing."""

    def __init__(self, cluster, member):
        self.cluster = cluster
        self.member = member
        self.node_id = member.node_id
        self.script = []
        self.calls = []
        self.last_contact_ms = 7
        self.caught_up = True
        self.state = None

    @property
    def store(self):
        return self.cluster.store

    def _scripted(self, call, result):
        self.calls.append(call)
        if self.script:
            step = self.script.pop(0)
            if isinstance(step, Exception):
                return fail(step)
            if isinstance(step, Deferred):
                return step
            raise AssertionError(step)
        if call[0] not in ("read_barrier", "wait_applied") and self.cluster.leader != self.member:
            return fail(NotLeader(self.cluster.leader))
        try:
            return succeed(result() if callable(result) else result)
        except NodeError as error:
            return fail(error)

    def propose(self, command, timeout_s):
        return self._scripted(("propose", command, timeout_s), lambda: self.cluster.apply(command))

    def read_barrier(self, timeout_s):
        if self.cluster.leader is None:
            return fail(NotLeader(None))
        return self._scripted(("read_barrier", timeout_s), None)

    def wait_applied(self, revision, timeout_s):
        if self.store.applied_index < revision < self.store.applied_index + 10:
            waiting = Deferred()
            self.cluster.waiting.append((revision, waiting))
            return waiting
        if revision > self.store.applied_index:
            return fail(ReadTimeout(f"revision {revision} is not here yet"))
        return self._scripted(("wait_applied", revision, timeout_s), None)

    def status(self):
        leads = self.cluster.leader == self.member
        index = self.store.applied_index
        return NodeStatus(
            node_id=self.node_id,
            state=self.state or ("Leader" if leads else "Follower"),
            leader=self.cluster.leader,
            term=1,
            commit_index=index,
            applied_index=index,
            last_log_index=index,
            snapshot_index=0,
            log_entries=index,
            last_contact_ms=0 if leads else self.last_contact_ms,
            pending_proposals=0,
            caught_up=self.caught_up,
            cluster_id="c" * 32,
            instance_id="i" * 32,
            configuration=self.cluster.configuration,
            configuration_index=self.cluster.configuration_index,
            committed_configuration=self.cluster.committed_configuration,
        )

    def members(self):
        leads = self.cluster.leader == self.member
        return [
            MemberStatus(
                member=member,
                is_leader=member == self.cluster.leader,
                healthy=True if leads else None,
                match_index=self.store.applied_index if leads else None,
                lag_entries=0 if leads else None,
                last_contact_ms=0 if leads else None,
                round_trip_seconds=None,
            )
            for member in self.cluster.configuration.members
        ]

    def join(self, request, timeout_s):
        member = Member(request.node_id, request.raft_addr, request.http_addr, Suffrage.LEARNER)
        return self._scripted(("join", request, timeout_s), lambda: self._change(lambda old: old.with_member(member)))

    def remove(self, node_id, force, timeout_s):
        def removed():
            if self.cluster.configuration.get(node_id) is None:
                raise UnknownMember(node_id)
            self._change(lambda old: old.without(node_id))

        return self._scripted(("remove", node_id, force, timeout_s), removed)

    def _change(self, change):
        cluster = self.cluster
        changed = change(cluster.configuration)
        if changed != cluster.configuration:
            cluster.store.applied_index += 1
            cluster.configuration = cluster.committed_configuration = changed
            cluster.configuration_index = cluster.store.applied_index

    def transfer(self, node_id, timeout_s):
        def transferred():
            others = (member for member in self.cluster.members if member != self.member)
            self.cluster.leader = self.cluster.configuration.get(node_id) if node_id else next(others)

        return self._scripted(("transfer", node_id, timeout_s), transferred)
