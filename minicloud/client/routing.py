"""Where a request goes, and where it goes next: fail-over, following the leader, and whom the token is for.

What decides whether a request is sent again:

====================================  ===================  ===================
what happened                         a read               a write
====================================  ===================  ===================
no connection                         next server          next server
sent, and no complete answer          next server          OutcomeUnknown
an answer that is too long            next server          OutcomeUnknown
307 to a member                       follow               follow
no connection to that member          ask to forward       ask to forward
503 that says ``retryable``           next server          next server
503 or 504 to a HEAD                  next server
another 5xx that says ``retryable``   next server          that is the answer
500, 502, ``outcome_unknown``         that is the answer   OutcomeUnknown
5xx that is no problem document       next server          OutcomeUnknown
any other answer                      that is the answer   that is the answer
====================================  ===================  ===================

The answer to a HEAD has no body that could say ``retryable``; a node says it of each 503, and of each 504 to a read.

When all servers are through, it starts anew after a pause; unless not one of them was there at all, or the answer of one was
too long: it would be so again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from urllib.parse import urlsplit

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from minicloud.client.answers import is_problem, members, problem
from minicloud.client.errors import (
    BadAnswer,
    ClientError,
    ForeignRedirect,
    OutcomeUnknown,
    Problem,
    Setback,
    Unavailable,
)
from minicloud.client.exchange import Answer, EndlessAnswer, Exchange, NoAnswer, NotSent, Request
from minicloud.client.servers import member_server, origin_of

FIRST_PAUSE_S = 0.05
"""Pause after the first round in which no server could do it: an election takes a few times that."""

LONGEST_PAUSE_S = 1.0
"""The pause doubles up to this, which is what nodes ask for with ``Retry-After``."""

READ_PATIENCE_S = 2.0
"""How long a server may be silent on a read before the next is asked: a frozen one must not cost the whole limit. One whose
answer is long, or the way to it slow, is not silent as long as pieces of it come."""

ANSWER_MARGIN_S = 0.25
"""How much earlier than we the node gives up: its answer tells more than silence, above all if a write was proposed."""

LONGEST_WAIT_MS = 300_000
"""Longest time limit that a node accepts."""

MAX_HOPS = 4
"""Redirects followed in a row. One is normal, a few happen during an election; more, and the nodes are at odds."""

OUT_OF_REACH_S = 10.0
"""How long a member that could not be connected to is left out where a redirect leads to it: the server that sent us there
passes the request on, and not every write waits for a connection that will not come. One that was only restarted is
followed to again soon."""

_MEMBERS = Request("GET", "/cluster/members")


class Router:
    """Finds a server that answers. Remembers which server answered last, who leads, and who the members are.

    ``servers``: base URLs, in the order of preference. ``token``: empty where there is none. ``random``: returns
    numbers from 0 to 1, and spreads the retries of many clients.
    """

    def __init__(
        self,
        servers: Sequence[str],
        token: str,
        exchange: Exchange,
        reactor: IReactorTime,
        random: Callable[[], float],
    ) -> None:
        self._servers = list(servers)
        self._token = token
        self._exchange = exchange
        self._reactor = reactor
        self._random = random
        self._leader: str | None = None
        self._named: dict[str, frozenset[str]] = {}
        """For each server that was given: the members that it named, as base URLs."""
        self._out_of_reach: str | None = None
        """The last member that could not be connected to and was not given; for a while."""
        self._out_of_reach_until = 0.0

    @property
    def given(self) -> tuple[str, ...]:
        """The servers that the user gave."""
        return tuple(self._servers)

    async def call(self, request: Request, limit_s: float) -> Answer:
        """Return the answer of the first server that has one, within ``limit_s`` seconds.

        Raises Unavailable, OutcomeUnknown, ForeignRedirect, BadAnswer.
        """
        deadline = self._reactor.seconds() + limit_s
        pause_s = FIRST_PAUSE_S
        while True:
            setbacks: dict[str, Setback] = {}
            for server in self._order(request):
                if self._remaining(deadline) <= 0:
                    break
                outcome = await self._ask(server, request, deadline)
                if isinstance(outcome, Answer):
                    self._prefer(server)
                    return outcome
                setbacks[server] = outcome
            for setback in setbacks.values():
                if setback.endless:
                    raise BadAnswer(setback.server, setback.reason)
            # Nobody is there: waiting would not help a person who mistyped an address.
            nobody = bool(setbacks) and not any(setback.reached for setback in setbacks.values())
            if nobody or self._remaining(deadline) <= pause_s:
                raise Unavailable(tuple(setbacks.values()), timed_out=not nobody)
            await self._sleep(pause_s * (0.5 + self._random() / 2))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def ask_member(self, server: str, request: Request, limit_s: float) -> Answer | Setback:
        """Ask one server, which must be given or named as a member, and no other."""
        return await self._send(server, request, self._reactor.seconds() + limit_s, READ_PATIENCE_S)

    def is_given(self, server: str) -> bool:
        """Return whether the user gave that server."""
        return server in self._servers

    def _order(self, request: Request) -> list[str]:
        """Return the servers in the order in which to ask them: writes go to the leader first, where it is known."""
        if request.writes and self._leader is not None and self._leader not in self._servers[:1]:
            return [self._leader, *(server for server in self._servers if server != self._leader)]
        return list(self._servers)

    def _prefer(self, server: str) -> None:
        if server in self._servers:
            self._servers.remove(server)
            self._servers.insert(0, server)

    def _demote(self, server: str) -> None:
        """Ask a server that was silent last from now on, and take it for the leader no longer."""
        if server == self._leader:
            self._leader = None
        if server in self._servers:
            self._servers.remove(server)
            self._servers.append(server)

    async def _ask(self, server: str, request: Request, deadline: float) -> Answer | Setback:
        """Ask one server, following its redirects."""
        target, asked = server, request
        for _hop in range(MAX_HOPS):
            if target != server and self._is_out_of_reach(target):
                return await self._ask_to_forward(server, request, deadline)
            outcome = await self._send(target, asked, deadline, self._patience(request))
            if isinstance(outcome, Setback) and target == self._leader:
                self._leader = None
            if isinstance(outcome, Setback) and target != server and not outcome.reached:
                return await self._ask_to_forward(server, request, deadline)
            if isinstance(outcome, Setback) or outcome.status != 307:
                return outcome
            if not self.is_given(server):
                self._leader = None
                return Setback(server, "it is no longer the leader")
            followed = await self._follow(server, outcome, request, deadline)
            if isinstance(followed, Setback):
                return followed
            target, asked = followed
        return Setback(server, "the nodes do not agree on a leader")

    async def _ask_to_forward(self, server: str, request: Request, deadline: float) -> Answer | Setback:
        """Ask a server to pass a request on to the leader, whose address means nothing from here (another network)."""
        self._leader = None
        outcome = await self._send(server, request.with_query("forward"), deadline, self._patience(request))
        if isinstance(outcome, Answer) and outcome.status == 307:  # Something in between has lost our wish.
            return Setback(server, "it does not pass this on to the leader, which cannot be reached from here")
        return outcome

    async def _follow(
        self, server: str, answer: Answer, request: Request, deadline: float
    ) -> tuple[str, Request] | Setback:
        """Return where a 307 leads and what to ask there; ForeignRedirect where ``server`` names no such member."""
        location = answer.header("Location")
        leader = origin_of(location)
        if leader is not None and not self._is_trusted(leader):
            outcome = await self._send(server, _MEMBERS, deadline, READ_PATIENCE_S)
            if isinstance(outcome, Setback):
                return outcome
            self._learn_members(server, outcome)
        if leader is None or not self._is_trusted(leader):
            raise ForeignRedirect(answer.server, location)
        self._leader = leader
        parts = urlsplit(location)
        # Its own time limit is put in when it is sent, so the one that was quoted back to us goes.
        query = "&".join(part for part in parts.query.split("&") if part and not part.startswith("timeout="))
        return leader, evolve(request, target=parts.path + (f"?{query}" if query else ""))

    def _is_trusted(self, server: str) -> bool:
        return server in self._servers or any(server in named for named in self._named.values())

    def _learn_members(self, server: str, answer: Answer) -> None:
        with suppress(ClientError):
            self.remember_members(server, [member.http_addr for member in members(answer).members])

    def remember_members(self, server: str, http_addrs: Sequence[str]) -> None:
        """Take note of whom a server names as members. Only servers that were given are believed."""
        if self.is_given(server):
            named = (member_server(http_addr, server) for http_addr in http_addrs)
            self._named[server] = frozenset(member for member in named if member is not None)

    async def _send(self, server: str, request: Request, deadline: float, patience_s: float) -> Answer | Setback:
        limit_s = self._remaining(deadline)
        if limit_s <= 0:
            return Setback(server, "the time limit has passed")
        silence_s = min(patience_s, limit_s)
        token = self._token if self._is_trusted(server) else ""
        if request.waits:
            request = request.with_query(f"timeout={_wait_ms(silence_s)}ms")
        try:
            answer = await self._exchange.send(server, request, token, limit_s, silence_s)
        except NotSent as error:
            self._note_out_of_reach(server)
            return Setback(server, str(error), reached=False)
        except NoAnswer as error:
            self._demote(server)
            if request.writes:
                raise OutcomeUnknown(server, str(error)) from error
            return Setback(server, str(error), endless=isinstance(error, EndlessAnswer))
        return _judge(answer, request)

    def _note_out_of_reach(self, server: str) -> None:
        if not self.is_given(server):
            self._out_of_reach, self._out_of_reach_until = server, self._reactor.seconds() + OUT_OF_REACH_S

    def _is_out_of_reach(self, server: str) -> bool:
        return server == self._out_of_reach and self._reactor.seconds() < self._out_of_reach_until

    def _patience(self, request: Request) -> float:
        """Return how long a server may be silent. A write that was sent can go to no other one: it waits to the end."""
        return float("inf") if request.writes or len(self._servers) == 1 else READ_PATIENCE_S

    def _remaining(self, deadline: float) -> float:
        return deadline - self._reactor.seconds()

    async def _sleep(self, seconds: float) -> None:
        slept: Deferred[None] = Deferred(lambda _: timer.cancel())
        timer = self._reactor.callLater(seconds, slept.callback, None)
        await slept


def _judge(answer: Answer, request: Request) -> Answer | Setback:
    """Return the answer, or that it is none; the table at the top of this module. Raises OutcomeUnknown."""
    if answer.status < 500:
        return answer
    found = problem(answer)
    if request.writes and _may_have_happened(answer, found):
        raise OutcomeUnknown(answer.server, str(found), found)
    try_next = answer.status == 503 and found.retryable if request.writes else _may_fare_better(answer, found, request)
    return Setback(answer.server, str(found), found) if try_next else answer


def _may_have_happened(answer: Answer, found: Problem) -> bool:
    """Return whether a write that got this 5xx may have taken effect. A node says so; of a stranger we assume it."""
    return not is_problem(answer) or found.code == "outcome_unknown" or answer.status in (500, 502)


def _may_fare_better(answer: Answer, found: Problem, request: Request) -> bool:
    """Return whether a read that got this 5xx may have another answer elsewhere, or later."""
    unsaid = request.method == "HEAD" and answer.status in (503, 504)
    return found.retryable or unsaid or not is_problem(answer)


def _wait_ms(silence_s: float) -> int:
    """Return how long a node may wait where we bear ``silence_s`` seconds without an answer."""
    wait_s = max(silence_s - ANSWER_MARGIN_S, silence_s / 2)
    return max(1, min(round(wait_s * 1000), LONGEST_WAIT_MS))
