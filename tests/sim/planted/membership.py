"""Bugs in who takes part."""

from __future__ import annotations

from attrs import evolve

from minicloud.peer.interface import PeerAddress
from minicloud.peer.links import PeerLinks
from minicloud.raft import membership, replication
from minicloud.raft.configuration import Configuration
from minicloud.raft.core import Raft
from minicloud.raft.entries import EntryKind
from minicloud.raft.log import RaftLog
from tests.sim.planted.patcher import Patcher, bug


@bug("A leader changes the configuration although the last change is not committed.")
def two_changes_at_once(patcher: Patcher) -> None:
    patcher.set(membership, "change_is_pending", lambda raft: raft.commit_index < raft.term_start_index)


@bug("A new leader changes the configuration before an entry of its term is committed.")
def change_before_the_first_commit(patcher: Patcher) -> None:
    patcher.set(membership, "change_is_pending", lambda raft: raft.configuration_index > raft.commit_index)


@bug("A configuration stays in force though its entry was cut off.")
def truncation_keeps_the_configuration(patcher: Patcher) -> None:
    original = RaftLog.truncate_from

    def truncate_from(log, index):
        configurations = list(log._configurations)
        original(log, index)
        log._configurations = configurations

    patcher.set(RaftLog, "truncate_from", truncate_from)


@bug("After a restart, a configuration that is kept behind the snapshot replaces the snapshot's.")
def old_configuration_comes_back(patcher: Patcher) -> None:
    original = RaftLog._push

    def push(log, entry):
        known = log._configurations
        log._configurations = [(0, Configuration())]
        original(log, entry)
        log._configurations = known + log._configurations[1:]

    patcher.set(RaftLog, "_push", push)


@bug("Learners count when an entry is committed.")
def learners_commit(patcher: Patcher) -> None:
    def commit(raft):
        values = [progress.match_index for progress in raft.progress.values()]
        if raft.configuration.get(raft.node_id) is not None:
            values.append(raft.log.stable_index)
        index = sorted(values, reverse=True)[raft.configuration.quorum - 1]
        if index > raft.commit_index and raft.log.term_at(index) == raft.current_term:
            raft.commit_index = index

    patcher.set(replication, "commit", commit)


@bug("A leader that is no voter any more counts its own log.")
def removed_leader_counts_itself(patcher: Patcher) -> None:
    def commit(raft):
        voters = [voter for voter in raft.configuration.voters if voter != raft.node_id]
        values = sorted([raft.log.stable_index, *(raft.progress[voter].match_index for voter in voters)], reverse=True)
        index = values[raft.configuration.quorum - 1]
        if index > raft.commit_index and raft.log.term_at(index) == raft.current_term:
            raft.commit_index = index

    patcher.set(replication, "commit", commit)


@bug("A node that lost its data comes back under its old name, and votes as if it remembered.")
def wiped_node_is_let_in(patcher: Patcher) -> None:
    original = PeerLinks.set_peers

    def set_peers(self, peers, configuration_index):
        anybody = {node_id: PeerAddress(address.raft_addr, "") for node_id, address in peers.items()}
        original(self, anybody, configuration_index)

    patcher.set(PeerLinks, "set_peers", set_peers)


@bug("Nodes of another cluster are let in, whatever their data.")
def other_cluster_is_let_in(patcher: Patcher) -> None:
    original = PeerLinks.__init__

    def init(self, reactor, local, *args, **kw):
        original(self, reactor, evolve(local, cluster_id=lambda: local.cluster_id() and "c" * 32), *args, **kw)

    patcher.set(PeerLinks, "__init__", init)
    wiped_node_is_let_in.plant(patcher)


@bug("Two members are removed in one change.")
def two_votes_in_one_change(patcher: Patcher) -> None:
    original = Raft.append

    def append(raft, kind, data=b"", configuration=None):
        voters = configuration.voters if configuration is not None else ()
        if kind is EntryKind.CONFIGURATION and len(voters) > 2 and len(voters) < len(raft.configuration.voters):
            other = next(voter for voter in voters if voter != raft.node_id)
            configuration = configuration.without(other)
        return original(raft, kind, data, configuration)

    patcher.set(Raft, "append", append)
