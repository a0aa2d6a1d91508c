"""What the tests of the storage room share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from random import Random

from minicloud.raft.configuration import Configuration, Member
from minicloud.raft.entries import Entry, EntryKind, SnapshotMeta
from minicloud.storage.files import Files
from minicloud.storage.memory_files import MachineStopped, MemoryFiles
from minicloud.storage.storage import Storage

NODE_ID = "n1"
INSTANCE_ID = "a" * 32
CLUSTER_ID = "c" * 32
SMALL_SEGMENT_BYTES = 400
CONFIGURATION = Configuration((Member("n1", "127.0.0.1:9011", "127.0.0.1:9001"),))
CHANGES = frozenset({"make_dir", "lock", "create", "write", "sync", "truncate", "rename", "remove", "sync_dir"})
"""Operations that a crash can come before and that make a difference."""


def entry(index: int, term: int = 1, text: str = "") -> Entry:
    return Entry(term, index, EntryKind.COMMAND, f'{{"i":{index},"t":{term},"x":"{text}"}}'.encode())


def entries(first: int, last: int, term: int = 1) -> list[Entry]:
    return [entry(index, term) for index in range(first, last + 1)]


def meta(index: int, term: int = 1) -> SnapshotMeta:
    return SnapshotMeta(index, term, CONFIGURATION, 1)


def open_storage(files: Files, segment_bytes: int = SMALL_SEGMENT_BYTES, node_id: str = NODE_ID) -> Storage:
    return Storage.open(files, node_id=node_id, new_instance_id=lambda: INSTANCE_ID, segment_bytes=segment_bytes)


def open_in_cluster(files: Files, segment_bytes: int = SMALL_SEGMENT_BYTES) -> Storage:
    storage = open_storage(files, segment_bytes)
    storage.set_cluster(CLUSTER_ID)
    return storage


def append_synced(storage: Storage, new: Iterable[Entry]) -> None:
    """Append one by one, each with its sync."""
    for item in new:
        storage.append([item])
        storage.sync()


def take_snapshot(storage: Storage, of: SnapshotMeta, payloads: Iterable[bytes] = (b'{"p":1}',)) -> None:
    writer = storage.create_snapshot(of)
    for payload in payloads:
        writer.write(payload)
    writer.commit()


def snapshot_bytes(of: SnapshotMeta, payloads: Iterable[bytes] = (b'{"p":1}',)) -> bytes:
    """Return the file of a snapshot that another node took."""
    return _snapshot_bytes(of, tuple(payloads))


@cache
def _snapshot_bytes(of: SnapshotMeta, payloads: tuple[bytes, ...]) -> bytes:
    files = MemoryFiles()
    other = open_in_cluster(files, 1 << 20)
    other.append(entries(1, of.index, of.term))
    take_snapshot(other, of, payloads)
    source = other.open_snapshot()
    assert source is not None
    data = b""
    while part := source.read(len(data), 1 << 20):
        data += part
    return data


def receive(storage: Storage, of: SnapshotMeta, data: bytes, chunk_bytes: int = 1 << 18):
    incoming = storage.receive_snapshot(of, len(data))
    for offset in range(0, len(data), chunk_bytes):
        incoming.write_chunk(offset, data[offset : offset + chunk_bytes])
    return incoming


def log_files(files: MemoryFiles) -> list[str]:
    return [f"log/{name}" for name in files.list("log")]


class KeepNothing(Random):
    """Nothing that was not synced survives a power loss."""

    def random(self) -> float:
        return 0.99

    def randint(self, a: int, b: int) -> int:
        return a


class KeepAll(KeepNothing):
    """Everything survives a power loss, though nobody could know."""

    def random(self) -> float:
        return 0.0

    def randint(self, a: int, b: int) -> int:
        return b


def crash_before(files: MemoryFiles, step: int) -> None:
    """Stop the machine before the change of that number, counted from 0."""
    count = 0

    def before_step(operation: str, path: str) -> None:
        nonlocal count
        if operation in CHANGES:
            if count == step:
                files.stop()
            count += 1

    files.before_step = before_step


def every_outcome(files: MemoryFiles, seeds: Iterable[int]) -> Iterable[MemoryFiles]:
    """What a killed process or a power loss can leave, in a few forms."""
    yield files.kill()
    yield files.crash(KeepNothing())
    yield files.crash(KeepAll())
    for seed in seeds:
        yield files.crash(Random(seed))


def run_until_crash(action: Callable[[], object]) -> bool:
    """Run it; return whether the machine stopped in it."""
    try:
        action()
    except MachineStopped:
        return True
    return False
