"""Writers that keep a record of their own of every write that a cluster has answered."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

from attrs import define, field, frozen

from tests.process.cluster import PATIENCE_S, Cluster, wait_for
from tests.process.plain_http import Answer, Connection, NeverSent, NoAnswer, Request

PAUSE_S = 0.004
"""Between two writes of one writer: the machine has other things to do, and every write is looked up in the end."""

RETRY_S = 0.02
"""After a node that could not help."""

ATTEMPT_LIMIT_S = 3.0
"""How long one attempt waits: a node that is frozen never answers."""


@frozen
class Written:
    """A write that was answered with 200."""

    key: str
    value: bytes
    revision: int
    attempts: int
    """How many requests may have reached a node: with more than one, a later revision than the answered one is right."""


@define
class Record:
    """What writers have seen, in the order of the answers."""

    written: list[Written] = field(factory=list)
    errors: list[Answer] = field(factory=list)
    """Answers that were neither a 200 nor a way to the leader."""
    broken: list[str] = field(factory=list)
    """Requests that were sent and never answered."""


class Writer(threading.Thread):
    """Writes one key after the other, each until it is answered, wherever the leader is."""

    def __init__(self, name: str, ports: Sequence[int]) -> None:
        super().__init__(name=f"writer {name}", daemon=True)
        self.record = Record()
        self.failure: BaseException | None = None
        self._prefix = name
        self._ports = list(ports)
        self._enough = threading.Event()
        self._connection: Connection | None = None

    def run(self) -> None:
        number = 0
        try:
            while not self._enough.is_set():
                number += 1
                self._write(f"{self._prefix}/{number}", f"value {number} of {self._prefix}".encode())
                time.sleep(PAUSE_S)
        except BaseException as error:
            self.failure = error
        finally:
            self._hang_up()

    def stop(self) -> None:
        """Write no more after the write that is on its way."""
        self._enough.set()

    def finish(self) -> Record:
        """Let the write that is on its way be answered, and return the record."""
        self.stop()
        self.join(PATIENCE_S)
        assert not self.is_alive(), f"{self.name} still waits for an answer"
        if self.failure is not None:
            raise self.failure
        return self.record

    def _write(self, key: str, value: bytes) -> None:
        attempts = 0
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                connection = self._connected()
                attempts += 1
                answer = connection.ask(Request("PUT", f"/kv/{key}", value))
            except NeverSent:
                self._try_next()
                continue
            except NoAnswer as error:
                self.record.broken.append(str(error))
                self._try_next()
                continue
            if answer.status == 200:
                self.record.written.append(Written(key, value, answer.revision, attempts))
                if connection.is_ending:
                    self._try_next()
                return
            attempts -= answer.status in (307, 503)
            self._go_on(answer)
        raise AssertionError(f"{key} was never answered; errors so far: {self.record.errors}, {self.record.broken}")

    def _go_on(self, answer: Answer) -> None:
        if answer.status == 307:
            self._hang_up()
            port = urlsplit(answer.headers["location"]).port
            assert port in self._ports
            self._ports.remove(port)
            self._ports.insert(0, port)
        else:
            self.record.errors.append(answer)
            self._try_next()

    def _try_next(self) -> None:
        self._hang_up()
        self._ports.append(self._ports.pop(0))
        time.sleep(RETRY_S)

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(self._ports[0], ATTEMPT_LIMIT_S)
        return self._connection

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Load:
    """Several writers at once."""

    def __init__(self, cluster: Cluster, prefix: str, count: int) -> None:
        self.writers = [Writer(f"{prefix}{number}", cluster.ports) for number in range(count)]

    @property
    def answered(self) -> int:
        """How many writes are answered so far."""
        return sum(len(writer.record.written) for writer in self.writers)

    def wait_answers(self, count: int) -> None:
        """Return when so many more writes are answered."""
        goal = self.answered + count
        wait_for(lambda: self.answered >= goal, f"{count} more writes are answered")

    def finish(self) -> Record:
        """End the writers, and return what all of them have seen."""
        records = [writer.finish() for writer in self.writers]
        for record in records:
            revisions = [written.revision for written in record.written]
            assert revisions == sorted(set(revisions)), "a later write of the same writer has a later revision"
        return Record(
            [written for record in records for written in record.written],
            [answer for record in records for answer in record.errors],
            [error for record in records for error in record.broken],
        )


@contextlib.contextmanager
def load_on(cluster: Cluster, prefix: str = "w", count: int = 3) -> Iterator[Load]:
    """Keep writing until the end of the block, or until the load is told to finish."""
    load = Load(cluster, prefix, count)
    for writer in load.writers:
        writer.start()
    try:
        yield load
    finally:
        for writer in load.writers:
            writer.stop()


def assert_nothing_lost(cluster: Cluster, written: Sequence[Written]) -> None:
    """Read every answered write on every node with a process: linearizable on the first, from its own state on each."""
    assert written
    newest = max(each.revision for each in written)
    for member in cluster.up:
        wait_for(lambda member=member: member.status()["applied_index"] >= newest, f"{member.name} has applied all")
        query = "?stale"
        _read_all(member.http_port, written, query)
    _read_all(cluster.up[0].http_port, written[:: max(1, len(written) // 200)], "")


def _read_all(port: int, written: Sequence[Written], query: str) -> None:
    connection = Connection(port)
    try:
        answers = connection.ask_all(Request("GET", f"/kv/{each.key}{query}") for each in written)
    finally:
        connection.close()
    lost = [each for each, answer in zip(written, answers, strict=True) if not _holds(each, answer)]
    assert not lost, f"port {port} has lost {len(lost)} of {len(written)} answered writes: {lost[:5]}"


def _holds(written: Written, answer: Answer) -> bool:
    if answer.status != 200 or answer.body != written.value:
        return False
    return answer.revision == written.revision or (written.attempts > 1 and answer.revision > written.revision)
