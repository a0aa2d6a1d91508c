"""One Client object that changes keys while leaders are killed: it goes on, and applies nothing twice. Real processes."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure

from minicloud.client import Client, Item, OutcomeUnknown, PreconditionFailed
from tests.process.cluster import PATIENCE_S, Cluster, cluster_in

KILLS = 3
WRITERS = 8
"""At the same time, each with a key of its own: some of them wait for an answer when the leader is killed."""

CHANGES = 5
"""Of each writer, before a kill and after it."""


@define
class Changer:
    """Adds one word after the other to a key that nobody else changes, on the condition that it is as it was read."""

    client: Client
    key: str
    answered: list[bytes] = field(factory=list)
    unknown: list[bytes] = field(factory=list)
    """Words whose fate the client could not tell."""
    refused: list[bytes] = field(factory=list)
    """Words whose condition did not hold."""
    revision: int = 0
    """Of the last answer."""
    enough: bool = False
    _waiting: list[tuple[int, Deferred[None]]] = field(factory=list)

    def start(self) -> Deferred[None]:
        """Begin; the Deferred fires when it has ended, and whoever waits for more hears of a failure at once."""
        return Deferred.fromCoroutine(self._run()).addErrback(self._fail)

    async def _run(self) -> None:
        self.revision = (await self.client.put(self.key, b"", if_absent=True)).revision
        for number in count(1):
            if self.enough:
                return
            await self._add(b"%d" % number)
            self._tell()

    async def _add(self, word: bytes) -> None:
        found = await self.client.get(self.key)
        assert found.revision >= self.revision, "a read shows every write that was answered before"
        try:
            done = await self.client.put(self.key, b"%b %b" % (found.value, word), if_revision=found.revision)
        except OutcomeUnknown:
            self.unknown.append(word)
        except PreconditionFailed:
            self.refused.append(word)
        else:
            assert done.revision > found.revision
            self.answered.append(word)
            self.revision = done.revision

    def more(self, changes: int) -> Deferred[None]:
        """Return a Deferred that fires when so many more changes are answered."""
        waiting: Deferred[None] = Deferred()
        self._waiting.append((len(self.answered) + changes, waiting))
        return waiting.addTimeout(PATIENCE_S, reactor)

    def _tell(self) -> None:
        due = [waiting for goal, waiting in self._waiting if len(self.answered) >= goal]
        self._waiting = [(goal, waiting) for goal, waiting in self._waiting if waiting not in due]
        for waiting in due:
            waiting.callback(None)

    def _fail(self, failure: Failure) -> Failure:
        for _goal, waiting in self._waiting:
            waiting.errback(failure)
        return failure

    def check(self, item: Item) -> None:
        """Fail where the key is not what the answers have made of it."""
        words = (item.value or b"").split()
        assert words == sorted(set(words), key=int), "no word is there twice, and all are in order"
        assert set(self.answered) <= set(words) <= {*self.answered, *self.unknown}
        assert self.refused == [], "nobody else changes the key: only a second copy of a request could be too late"
        assert item.version == 1 + len(words), "no write but these was applied"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with cluster_in(tmp_path) as cluster:
        yield cluster


def kill_the_leader(cluster: Cluster) -> str:
    leader = cluster.leader()
    cluster.kill(leader)
    return leader


def bring_back(cluster: Cluster, name: str) -> None:
    cluster.start(name)
    cluster.wait_ready(name)


@pytest_twisted.ensureDeferred
async def test_one_client_goes_on_through_every_kill_and_applies_each_change_once(cluster: Cluster) -> None:
    client = Client([f"127.0.0.1:{port}" for port in cluster.ports], timeout_s=PATIENCE_S, reactor=reactor)
    changers = [Changer(client, f"changed/{number}") for number in range(WRITERS)]
    running = [changer.start() for changer in changers]

    async def all_of_them_go_on() -> None:
        await gatherResults([changer.more(CHANGES) for changer in changers])

    await all_of_them_go_on()
    for _ in range(KILLS):
        killed = await deferToThread(kill_the_leader, cluster)
        await all_of_them_go_on()
        await deferToThread(bring_back, cluster, killed)
        await all_of_them_go_on()
    for changer in changers:
        changer.enough = True
    await gatherResults(running)
    await check_all(client, changers)
    await client.close()


async def check_all(client: Client, changers: list[Changer]) -> None:
    items: Any = {item.key: item for item in (await client.list("changed/")).items}
    for changer in changers:
        changer.check(items[changer.key])
    assert all(len(changer.answered) >= CHANGES * (1 + 2 * KILLS) for changer in changers)
