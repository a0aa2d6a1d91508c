"""Load without wrk: ``python -m tests.bench.treq_driver URL METHOD KEYS CONNECTIONS SECONDS``; prints JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

from treq.client import HTTPClient
from twisted.internet.defer import Deferred, DeferredList, ensureDeferred
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.task import react
from twisted.web.client import Agent, HTTPConnectionPool, ResponseFailed

from tests.bench.load import VALUE
from tests.bench.numbers import percentile


class Load:
    """As many requests one after the other as fit into the time, on each connection."""

    def __init__(self, reactor: Any, url: str, method: str, keys: int, connections: int, seconds: float) -> None:
        self._reactor = reactor
        self._url = url
        self._method = method
        self._keys = keys
        self._connections = connections
        self._pool = HTTPConnectionPool(reactor)
        self._pool.maxPersistentPerHost = connections
        self._pool.retryAutomatically = False
        self._client = HTTPClient(Agent(reactor, pool=self._pool))
        self._started_s = reactor.seconds()
        self._ends_s = self._started_s + seconds
        self._numbers = 0
        self._latencies_ms: list[float] = []
        self._errors = 0

    async def run(self) -> None:
        workers = [ensureDeferred(self._work()) for _ in range(self._connections)]
        await DeferredList(workers, fireOnOneErrback=True, consumeErrors=True)
        seconds = self._reactor.seconds() - self._started_s
        await self._pool.closeCachedConnections()
        print(json.dumps(self._result(seconds)))

    async def _work(self) -> None:
        while (asked_s := self._reactor.seconds()) < self._ends_s:
            try:
                status = await self._ask()
            except (ConnectError, ConnectionClosed, ResponseFailed):
                self._errors += 1
                await self._pause()
                continue
            self._latencies_ms.append((self._reactor.seconds() - asked_s) * 1000)
            self._errors += status >= 300

    async def _ask(self) -> int:
        self._numbers = self._numbers % self._keys + 1
        body = VALUE if self._method == "PUT" else None
        url = f"{self._url}/kv/bench-{self._numbers}"
        answer = await self._client.request(self._method, url, data=body, allow_redirects=False)
        await answer.content()
        return int(answer.code)

    def _pause(self) -> Deferred[None]:
        """A connection that was refused will be refused again at once."""
        paused: Deferred[None] = Deferred()
        self._reactor.callLater(0.01, paused.callback, None)
        return paused

    def _result(self, seconds: float) -> dict[str, float]:
        return {
            "requests": len(self._latencies_ms),
            "seconds": seconds,
            "p50_ms": percentile(self._latencies_ms, 50),
            "p99_ms": percentile(self._latencies_ms, 99),
            "errors": self._errors,
        }


def main(reactor: Any, url: str, method: str, keys: str, connections: str, seconds: str) -> Deferred[None]:
    return ensureDeferred(Load(reactor, url, method, int(keys), int(connections), float(seconds)).run())


if __name__ == "__main__":
    react(main, sys.argv[1:])
