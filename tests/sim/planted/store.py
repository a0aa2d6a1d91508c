"""Bugs in the store, and in what clients are told."""

from __future__ import annotations

from minicloud.kv import store
from minicloud.kv.commands import DeleteDone, PutDone
from minicloud.kv.store import FrozenView, Store, StoreBuilder
from minicloud.node import slices, snapshots
from minicloud.node.driver import Driver
from minicloud.node.errors import OutcomeUnknown, ProposalLost
from minicloud.node.node import Node
from minicloud.node.proposals import Proposals
from minicloud.node.slices import SlicedWork
from minicloud.raft.role import Role
from tests.sim.planted.patcher import Patcher, bug


@bug("Conditions hold, whatever the key is.")
def conditions_ignored(patcher: Patcher) -> None:
    patcher.set(store, "_holds", lambda precondition, revision: True)


@bug("That a key has a certain revision is taken for: that it exists.")
def revisions_not_compared(patcher: Patcher) -> None:
    def holds(precondition, revision):
        wanted = precondition.exists if precondition.revisions is None else True
        return wanted is None or wanted == (revision is not None)

    patcher.set(store, "_holds", holds)


@bug("A condition is compared with the revision that created the key.")
def creation_compared(patcher: Patcher) -> None:
    original = Store.apply

    def apply(self, index, command):
        held = self._records.get(command.key)
        if held is None or command.precondition.revisions is None:
            return original(self, index, command)
        holds = held[2] in command.precondition.revisions
        always = type(command.precondition)(exists=holds)
        return original(self, index, type(command)(*_but_condition(command), always))

    patcher.set(Store, "apply", apply)


def _but_condition(command):
    return (command.key, command.value) if hasattr(command, "value") else (command.key,)


@bug("A delete says that it deleted something, whether it did or not.")
def delete_always_deleted(patcher: Patcher) -> None:
    original = Store._delete

    def delete(self, index, key, old):
        original(self, index, key, old)
        return DeleteDone(index, deleted=True)

    patcher.set(Store, "_delete", delete)


@bug("A put says that it created a key which was there.")
def put_always_created(patcher: Patcher) -> None:
    original = Store._put

    def put(self, index, command, old):
        original(self, index, command, old)
        return PutDone(index, created=True)

    patcher.set(Store, "_put", put)


class _LateClock:
    """Takes 3 ms for each piece of work, and so lets something else happen in between."""

    def __init__(self, reactor):
        self.seconds = reactor.seconds
        self.callLater = lambda delay, function: reactor.callLater(delay + 0.003, function)


@bug("A view of the store does not keep what changes after it was made. Snapshots take their time, key by key.")
def view_does_not_stand_still(patcher: Patcher) -> None:
    original = SlicedWork.__init__

    def init(work, reactor, steps, guard):
        original(work, _LateClock(reactor), steps, guard)

    patcher.set(SlicedWork, "__init__", init)
    patcher.set(slices, "MAX_STEPS", 1)
    patcher.set(snapshots, "SLICE_ITEMS", 1)
    patcher.set(FrozenView, "keep", lambda view, key, old: None)


@bug("A snapshot does not bring back how often a key was written.")
def snapshot_forgets_versions(patcher: Patcher) -> None:
    original = StoreBuilder.finish

    def finish(builder, applied_index):
        for key, (value, revision, created, _) in builder._records.items():
            builder._records[key] = (value, revision, created, 1)
        return original(builder, applied_index)

    patcher.set(StoreBuilder, "finish", finish)


# Answers


@bug("A leader that leads no more says of all that waits that it is lost; it may be applied yet.")
def waiting_writes_called_lost(patcher: Patcher) -> None:
    original = Driver._finish

    def finish(driver, ready):
        original(driver, ready)
        proposals = driver.proposals
        if driver.raft.role is not Role.LEADER:
            for index in list(proposals._by_index):
                for _, waiter in proposals._by_index.pop(index):
                    proposals._refuse(waiter, ProposalLost(None))

    patcher.set(Driver, "_finish", finish)


@bug("A write whose time is over is called lost; it may be applied yet.")
def late_writes_called_lost(patcher: Patcher) -> None:
    original = Proposals._too_late

    def too_late(self, waiter, index):
        original(self, waiter, index)
        return ProposalLost(None)

    patcher.set(Proposals, "_too_late", too_late)


@bug("Whatever is applied at the index of a write is taken for that write.")
def answered_by_index_alone(patcher: Patcher) -> None:
    original = Proposals._tell

    def tell(self, found, term, outcome):
        original(self, [(term, waiter) for _, waiter in found], term, outcome)

    patcher.set(Proposals, "_tell", tell)


@bug("A write of unknown outcome is proposed once more.")
def unknown_outcomes_are_tried_again(patcher: Patcher) -> None:
    original = Node.propose

    def propose(node, command, timeout_s):
        def again(failure):
            failure.trap(OutcomeUnknown)
            return original(node, command, timeout_s)

        return original(node, command, timeout_s).addErrback(again)

    patcher.set(Node, "propose", propose)


@bug("A write that waits is proposed once more after each election.")
def proposed_again_after_an_election(patcher: Patcher) -> None:
    original, original_finish = Proposals.propose, Driver._finish

    def propose(self, data, timeout_s):
        asked = original(self, data, timeout_s)
        if not asked.called:
            vars(self).setdefault("waiting", []).append((asked, data, self._raft.current_term))
        return asked

    def finish(driver, ready):
        original_finish(driver, ready)
        raft, proposals = driver.raft, driver.proposals
        waiting = [item for item in vars(proposals).get("waiting", []) if not item[0].called]
        vars(proposals)["waiting"] = waiting
        for number, (asked, data, term) in enumerate(waiting):
            if raft.role is Role.LEADER and raft.current_term > term and raft.transfer_target is None:
                waiting[number] = (asked, data, raft.current_term)
                raft.propose(data)

    patcher.set(Proposals, "propose", propose)
    patcher.set(Driver, "_finish", finish)
