"""What a process still holds when nothing is asked of it any more: each of these has grown without bound in some service.

Members that are up to date, and clients that have their answers, leave a node with its log, its newest snapshot and one
link each way with every peer. Whatever else it keeps then, it keeps for ever.
"""

from __future__ import annotations

from minicloud.storage.folder import LOCK_FILE
from minicloud.storage.hard_state import HARD_STATE_FILE
from minicloud.storage.identity import IDENTITY_FILE
from tests.sim.process import Process

CONNECTIONS_PER_PEER = 2
"""One that this node dialled, and one that the peer did."""

TIMERS = 4
"""Of a node at rest: its tick, the drain of this turn, the links' keep-alive, and the change of their peers."""

TIMERS_PER_HOST = 4
"""For each machine that there is: the limits of two handshakes, an attempt to connect, and the pause before the next."""


def leftovers(process: Process) -> dict[str, object]:
    """Return what a process holds that it need not, by what it is; empty where there is nothing."""
    found = {**_of_requests(process), **_of_transfers(process), **_of_the_disk(process), **_of_links(process)}
    return {what: held for what, held in found.items() if held}


def _of_requests(process: Process) -> dict[str, object]:
    driver = process.node._driver
    proposals, reads, core = driver.proposals, driver.reads, process.raft.reads
    return {
        "proposals": list(proposals._by_index) + list(proposals._held) + list(proposals._sizes),
        "bytes of proposals": proposals._pending_bytes,
        "reads": [*reads._new, *reads._again, *reads._asked, *reads._confirmed, *reads._heap],
        "reads in the core": [*core.pending, *core.asked, *core.done, *core.aborted],
        "waiters": [waiter for slot in driver.deadlines._slots.values() for waiter in slot],
        "answers": driver._answers,
    }


def _of_transfers(process: Process) -> dict[str, object]:
    driver = process.node._driver
    return {
        "snapshots on their way out": list(driver.sender._transfers),
        "snapshots on their way in": driver.receiver._incoming or driver.receiver._loading or driver.receiver._loaded,
        "snapshots being taken": driver.taker._work or driver.taker._view or driver.taker._writer,
        "views of the store": driver.store._views,
        "readers of snapshots": dict(process.storage._snapshots._readers),
    }


def _of_the_disk(process: Process) -> dict[str, object]:
    storage, files = process.storage, process.disk.files
    newest = storage._snapshots.newest
    known = {LOCK_FILE, IDENTITY_FILE, HARD_STATE_FILE}
    known |= {segment.path for segment in storage._log._segments}
    known |= {item.path for item in storage._garbage._items}
    known |= {newest.path} if newest is not None else set()
    users = files.users()
    log_file = storage._log._segments[-1].path
    return {
        "files on disk": sorted(set(users) - known),
        "open files": sorted(path for path, count in users.items() if count > (path == log_file)),
    }


def _of_links(process: Process) -> dict[str, object]:
    world = process.world
    peers = sorted(world.machines)
    connections = {peer: world.network.connections(process, peer) for peer in peers}
    timers = process.clock.getDelayedCalls()
    return {
        "connections": {peer: count for peer, count in connections.items() if count > CONNECTIONS_PER_PEER},
        "strangers": list(process.links._strangers) if len(process.links._strangers) > len(peers) else [],
        "timers": [call.name for call in timers] if len(timers) > TIMERS + TIMERS_PER_HOST * len(peers) else [],
    }
