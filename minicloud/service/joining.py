"""How a node becomes a member by itself: it asks the members that it was told of, until it is one."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Protocol

from attrs import asdict
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from minicloud.client.exchange import Answer, NoAnswer, NotSent, Request
from minicloud.node.status import JoinRequest

FIRST_DELAY_S = 0.2
"""After the first round that failed: three nodes that are started together find each other within a moment."""

MAX_DELAY_S = 10.0
"""Between later rounds: a cluster that is down for an hour is not asked more often than it matters."""

DELAY_FACTOR = 2.0

JITTER = 0.5
"""A delay is up to this share shorter, at random, so that many nodes which start together do not stay together."""

ANSWER_LIMIT_S = 15.0
"""How long a member may take to answer: its own limit of 10 s for the change, and the hop to the leader."""

JOINED_CHECK_S = 1.0
"""After a yes, until we look whether the leader has reached us. If not, it is asked again, which is harmless."""

MAX_DETAIL_CHARACTERS = 300
"""How much of a refusal is logged."""

_log = Logger()


class RandomSource(Protocol):
    """The part of ``random.Random`` that is needed."""

    def random(self) -> float:
        """Return a number from 0 to 1."""


class Asking(Protocol):
    """The part of the client's Exchange that is needed."""

    async def send(self, server: str, request: Request, token: str, limit_s: float) -> Answer:
        """Send a request to a server once; raises NotSent or NoAnswer."""


class Joiner:
    """Asks to become a member until told that there is no need.

    ``bases``: HTTP base URLs of members, asked in turn. ``wish``: who we are. ``is_settled``: whether there is nothing
    (more) to ask for. ``token``: bearer token of the cluster, or empty; it goes to ``bases`` alone.
    """

    def __init__(
        self,
        bases: Sequence[str],
        wish: JoinRequest,
        is_settled: Callable[[], bool],
        *,
        token: str,
        exchange: Asking,
        reactor: IReactorTime,
        random: RandomSource,
    ) -> None:
        self._bases = bases
        self._request = Request(
            "POST", "/raft/join", (("Content-Type", "application/json"),), json.dumps(asdict(wish)).encode("ascii")
        )
        self._is_settled = is_settled
        self._token = token
        self._exchange = exchange
        self._reactor = reactor
        self._random = random
        self._running: Deferred[None] | None = None
        self._told: dict[str, str] = {}
        """The newest line about each base."""

    def start(self) -> None:
        """Begin to ask."""
        self._running = Deferred.fromCoroutine(self._run())
        self._running.addErrback(self._ended)

    def stop(self) -> None:
        """Ask no longer; stopping twice does nothing."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()

    def _ended(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            _log.failure("no longer trying to join the cluster", failure=failure)

    async def _run(self) -> None:
        delay_s = FIRST_DELAY_S
        while not self._is_settled():
            if await self._ask_each():
                delay_s = FIRST_DELAY_S
                await self._sleep(JOINED_CHECK_S)
            else:
                await self._sleep(delay_s * (1 - JITTER * self._random.random()))
                delay_s = min(delay_s * DELAY_FACTOR, MAX_DELAY_S)

    async def _ask_each(self) -> bool:
        """Ask one member after the other; returns whether one said yes."""
        for base in self._bases:
            refusal = await self._ask(base)
            if refusal is None:
                self._tell(base, "has let this node into the cluster")
                return True
            self._tell(base, f"did not let this node into the cluster: {refusal}; it is asked again until it does")
        return False

    def _tell(self, base: str, news: str) -> None:
        """Log what came of asking, the same words once in a row: an hour without an answer needs no hundred lines."""
        if self._told.get(base) != news:
            self._told[base] = news
            _log.info("{base} {news}", base=base, news=news)

    async def _ask(self, base: str) -> str | None:
        """Ask one member. Returns its reason for a no, None for a yes."""
        try:
            answer = await self._exchange.send(base, self._request, self._token, ANSWER_LIMIT_S)
        except (NotSent, NoAnswer) as error:
            return str(error)
        if 200 <= answer.status < 300:
            return None
        return f"status {answer.status}{_detail(answer.body)}"

    def _sleep(self, seconds: float) -> Deferred[None]:
        slept: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._reactor.callLater(seconds, slept.callback, None)
        return slept


def _detail(body: bytes) -> str:
    """Return what a problem document (RFC 9457) says went wrong, empty where the body is none."""
    try:
        detail = json.loads(body)["detail"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return f": {str(detail)[:MAX_DETAIL_CHARACTERS].rstrip('.')}"
