"""The face of the client: one method for each thing that a cluster can be asked."""

from __future__ import annotations

import json
import random as random_module
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar, cast
from urllib.parse import quote

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.web.iweb import IAgent

from minicloud.client import answers
from minicloud.client.answers import DeleteResult, Members, NodeReport, Page, PutResult, Value
from minicloud.client.exchange import Answer, Exchange, Request
from minicloud.client.routing import Router
from minicloud.client.servers import DEFAULT_SERVER, parse_servers
from minicloud.client.survey import Survey

DEFAULT_TIMEOUT_S = 10.0
"""Longest time for one call, all retries included; the same as a node's own limit for a write."""

_Result = TypeVar("_Result")
_Reports: TypeAlias = list[NodeReport]
"""Named out here: inside the class, ``list`` is the method."""


class Client:
    """Talks to a cluster through any of its servers.

    Every method returns a Deferred, which can be awaited, and fails with a
    :class:`~minicloud.client.errors.ClientError`. Reads and safe retries move on to the next server by themselves; a
    write whose fate is not known is never sent again, it fails with OutcomeUnknown.

    ``servers``: base URLs; the first is asked first, later on the one that answered last. ``token``: sent to these
    servers and to members that one of them names, to nobody else. ``timeout_s``: seconds that one call may take in all.
    ``reactor``: the global one where none is given. ``agent``: takes the place of real connections, in tests.
    ``random``: returns numbers from 0 to 1, and spreads the retries of many clients.
    """

    def __init__(
        self,
        servers: Iterable[str] = (DEFAULT_SERVER,),
        *,
        token: str = "",
        timeout_s: float = DEFAULT_TIMEOUT_S,
        reactor: IReactorTime | None = None,
        agent: IAgent | None = None,
        random: Callable[[], float] = random_module.random,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor as global_reactor

            reactor = cast(IReactorTime, global_reactor)
        self._reactor = reactor
        self._timeout_s = timeout_s
        self._exchange = Exchange(reactor, agent)
        self._router = Router(parse_servers(servers), token, self._exchange, reactor, random)

    def put(
        self, key: str, value: bytes, *, if_revision: int | None = None, if_absent: bool = False
    ) -> Deferred[PutResult]:
        """Give ``key`` the value ``value``.

        ``if_revision``: only where the key is at that revision; ``if_absent``: only where it does not exist; else
        PreconditionFailed. Raises TypeError for a value that is not ``bytes``, a text above all.
        """
        if not isinstance(value, bytes):
            raise TypeError(f"a value is bytes, not {type(value).__name__}; encode a text: text.encode()")
        headers = (*_condition(if_revision, if_absent), ("Content-Type", "application/octet-stream"))
        request = Request("PUT", _key_path(key), headers, body=value, writes=True, waits=True)
        return self._call(request, lambda answer: answers.put_result(key, answer))

    def get(
        self, key: str, *, stale: bool = False, min_revision: int | None = None, unless_revision: int | None = None
    ) -> Deferred[Value]:
        """Return the value of ``key``; NotFound where there is none.

        ``stale``: what the server has at hand, without asking the cluster. ``min_revision``: not before the server has
        applied that revision. ``unless_revision``: NotModified where the key is still at that revision.
        """
        request = Request(
            "GET", _key_path(key) + _read_query(stale, min_revision), _unless(unless_revision), waits=True
        )
        return self._call(request, lambda answer: answers.value(key, answer))

    def head(self, key: str, *, stale: bool = False, min_revision: int | None = None) -> Deferred[int]:
        """Return the revision of ``key``, without its value; NotFound where there is none."""
        request = Request("HEAD", _key_path(key) + _read_query(stale, min_revision), waits=True)
        return self._call(request, lambda answer: answers.value(key, answer).revision)

    def delete(self, key: str, *, if_revision: int | None = None) -> Deferred[DeleteResult]:
        """Remove ``key``, if it is there.

        ``if_revision``: only where it is at that revision, else PreconditionFailed.
        """
        request = Request("DELETE", _key_path(key), _condition(if_revision, False), writes=True, waits=True)
        return self._call(request, lambda answer: answers.delete_result(key, answer))

    def list(
        self,
        prefix: str = "",
        *,
        start: str = "",
        limit: int = 100,
        keys_only: bool = False,
        cursor: str = "",
        stale: bool = False,
        min_revision: int | None = None,
    ) -> Deferred[Page]:
        """Return one page of the keys that begin with ``prefix``, in the order of their UTF-8 bytes.

        ``start``: no key before this one. ``limit``: how many at most, 1 to 1000; large values make a page shorter.
        ``keys_only``: leave the values out. ``cursor``: the ``next_cursor`` of the page before, which had the same
        prefix. ``stale`` and ``min_revision`` as in :meth:`get`. :meth:`pages` goes through all pages.
        """
        parameters = {"prefix": prefix, "start": start, "limit": str(limit), "cursor": cursor}
        wishes = _wishes(parameters, ["keys_only"] if keys_only else [], stale, min_revision)
        return self._call(Request("GET", "/kv" + wishes, waits=True), answers.page)

    async def pages(
        self,
        prefix: str = "",
        *,
        start: str = "",
        limit: int = 1000,
        keys_only: bool = False,
        stale: bool = False,
        min_revision: int | None = None,
    ) -> AsyncIterator[Page]:
        """Go through all pages of a listing: ``async for page in client.pages("users/")``. Arguments as in :meth:`list`.

        Each page shows one moment, the next page a later one: a key that is there all the time comes once, one that is
        written or deleted meanwhile may or may not. Raises what :meth:`list` fails with.
        """
        cursor = ""
        while True:
            page = await self.list(
                prefix,
                start=start,
                limit=limit,
                keys_only=keys_only,
                cursor=cursor,
                stale=stale,
                min_revision=min_revision,
            )
            yield page
            cursor = page.next_cursor
            if not cursor:
                return

    def count(
        self, prefix: str = "", *, start: str = "", stale: bool = False, min_revision: int | None = None
    ) -> Deferred[int]:
        """Return how many keys begin with ``prefix`` and do not come before ``start``. The rest as in :meth:`get`."""
        wishes = _wishes({"prefix": prefix, "start": start}, ["count"], stale, min_revision)
        return self._call(Request("GET", "/kv" + wishes, waits=True), answers.count)

    def members(self) -> Deferred[Members]:
        """Return the members of the cluster, as the leader sees them.

        Where no leader can be reached: as the first server that answers sees them, which leaves more of it unknown.
        """
        return _started(self._survey().members())

    def status(self) -> Deferred[_Reports]:
        """Return what each member says of itself; one that gives no answer is there with the reason.

        A member that one of the servers turns out to be is asked there, each other one at the address that it advertises.
        """
        return _started(self._survey().reports())

    def join(self, node_id: str, raft_addr: str, *, http_addr: str = "", voter: bool = True) -> Deferred[None]:
        """Make the node ``node_id``, which listens for its peers on ``raft_addr``, a member.

        ``http_addr``: where clients reach it, by default ten ports below ``raft_addr``. ``voter``: whether it gets a
        vote once it has caught up. Asking again for what is so already is no error.
        """
        wish: dict[str, Any] = {"node_id": node_id, "raft_addr": raft_addr, "voter": voter}
        return self._change("/raft/join", wish | ({"http_addr": http_addr} if http_addr else {}))

    def remove(self, node_id: str, *, force: bool = False) -> Deferred[None]:
        """Remove a member; NotFound where there is none of that id.

        Conflict where it would leave the healthy voters without a majority, unless ``force`` is set.
        """
        return self._change("/raft/remove", {"node_id": node_id, "force": force})

    def transfer(self, node_id: str | None = None) -> Deferred[None]:
        """Make ``node_id`` the leader, or whichever member is best placed where it is None."""
        return self._change("/raft/transfer", {} if node_id is None else {"node_id": node_id})

    def close(self) -> Deferred[None]:
        """Close the connections that are kept open. Returns a Deferred that fires when they are closed."""
        return self._exchange.close()

    def _survey(self) -> Survey:
        return Survey(self._router, self._reactor, self._timeout_s)

    def _call(self, request: Request, understand: Callable[[Answer], _Result]) -> Deferred[_Result]:
        async def work() -> _Result:
            return understand(await self._router.call(request, self._timeout_s))

        return _started(work())

    def _change(self, path: str, wish: dict[str, Any]) -> Deferred[None]:
        body = json.dumps(wish).encode("ascii")
        request = Request("POST", path, (("Content-Type", "application/json"),), body=body, writes=True, waits=True)
        return self._call(request, _done)


def _done(answer: Answer) -> None:
    answers.succeed_or_raise(answer)


def _started(work: Coroutine[Any, Any, _Result]) -> Deferred[_Result]:
    return Deferred.fromCoroutine(work)


def _key_path(key: str) -> str:
    """Return the path of a key. All but letters, digits and ``_.-~`` is encoded, so that any key arrives as it was.

    Bytes of a command line that are not UTF-8 (PEP 383) arrive as they were, too, for the node to refuse. Raises
    ValueError for an empty key, which would be another resource, and for half a surrogate pair.
    """
    if not key:
        raise ValueError("a key has at least one byte")
    return "/kv/" + _quoted(key)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogateescape"), safe="")


def _condition(if_revision: int | None, if_absent: bool) -> tuple[tuple[str, str], ...]:
    headers: list[tuple[str, str]] = []
    if if_revision is not None:
        headers.append(("If-Match", f'"{if_revision}"'))
    if if_absent:
        headers.append(("If-None-Match", "*"))
    return tuple(headers)


def _unless(revision: int | None) -> tuple[tuple[str, str], ...]:
    return () if revision is None else (("If-None-Match", f'"{revision}"'),)


def _read_query(stale: bool, min_revision: int | None) -> str:
    return _wishes({}, [], stale, min_revision)


def _wishes(parameters: Mapping[str, str], flags: Sequence[str], stale: bool, min_revision: int | None) -> str:
    """Return the query of a read, with its question mark; without those parameters that are empty."""
    wishes = [*(f"{name}={_quoted(text)}" for name, text in parameters.items() if text), *flags]
    if stale:
        wishes.append("stale")
    if min_revision is not None:
        wishes.append(f"min_revision={min_revision}")
    return f"?{'&'.join(wishes)}" if wishes else ""
