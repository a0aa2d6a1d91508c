"""What a cluster says of itself: its members as the leader sees them, and what each member says.

Members advertise addresses that may mean nothing from here: names that only containers know, a network of their own. The
servers that the user named are ways in as well, and the answer says which member is behind each of them.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.interfaces import IReactorTime

from minicloud.client import answers
from minicloud.client.answers import Member, Members, NodeReport
from minicloud.client.errors import ClientError, Setback
from minicloud.client.exchange import Answer, Request
from minicloud.client.routing import Router
from minicloud.client.servers import member_server

_MEMBERS = Request("GET", "/cluster/members")
_STATUS = Request("GET", "/raft/status")

_Result = TypeVar("_Result")


@frozen
class _Heard:
    """What the servers that the user named said when they were asked for their status."""

    outcomes: Mapping[str, Answer | Setback]
    """By base URL."""
    servers: Mapping[str, str]
    """By the id of the node that answered: the base URL where it did."""


class Survey:
    """Asks around, within ``limit_s`` seconds from now."""

    def __init__(self, router: Router, reactor: IReactorTime, limit_s: float) -> None:
        self._router = router
        self._reactor = reactor
        self._deadline = reactor.seconds() + limit_s

    async def members(self) -> Members:
        """Return the members as the leader sees them, or as the first server that answers does."""
        answer = await self._router.call(_MEMBERS, self._remaining_s())
        found = answers.members(answer)
        self._router.remember_members(answer.server, [member.http_addr for member in found.members])
        leader = next((member for member in found.members if member.is_leader), None)
        if leader is None or answer.header("Minicloud-Node") in ("", leader.node_id):
            return found
        for server in self._ways_to(leader, answer.server):
            told = await self._router.ask_member(server, _MEMBERS, self._remaining_s())
            if isinstance(told, Answer) and told.header("Minicloud-Node") == leader.node_id:
                return _members_or(found, told)
        return found

    async def reports(self) -> list[NodeReport]:
        """Return what each member says of itself; one that gives no answer is there with the reason."""
        known = await self.members()
        heard = await self._ask_given()
        return await _at_once(
            self._report(member, self._server_of(member, known.server, heard), heard) for member in known.members
        )

    def _ways_to(self, member: Member, named_by: str) -> Iterator[str]:
        """Give the servers where a member may be found, likely ones first, without the one that has named it."""
        advertised = member_server(member.http_addr, named_by)
        if advertised is None or not self._router.is_given(advertised):
            yield from (server for server in self._router.given if server != named_by)
        if advertised is not None:
            yield advertised

    async def _ask_given(self) -> _Heard:
        given = self._router.given
        outcomes = dict(zip(given, await _at_once(self._ask_status(server) for server in given), strict=True))
        servers: dict[str, str] = {}
        for server, outcome in outcomes.items():
            node_id = _node_id(outcome)
            if node_id is not None:
                servers.setdefault(node_id, server)
        return _Heard(outcomes, servers)

    def _server_of(self, member: Member, named_by: str, heard: _Heard) -> str | None:
        """Return where to ask a member: where it has answered already, else at the address that it advertises."""
        return heard.servers.get(member.node_id) or member_server(member.http_addr, named_by)

    async def _report(self, member: Member, server: str | None, heard: _Heard) -> NodeReport:
        if server is None:
            return NodeReport(member.node_id, "", None, "it has no HTTP address", member)
        outcome = heard.outcomes.get(server) or await self._ask_status(server)
        if isinstance(outcome, Setback):
            return NodeReport(member.node_id, server, None, outcome.reason, member)
        try:
            document = answers.json_object(answers.succeed_or_raise(outcome))
        except ClientError as error:
            return NodeReport(member.node_id, server, None, str(error), member)
        return NodeReport(member.node_id, server, document, "", member)

    async def _ask_status(self, server: str) -> Answer | Setback:
        return await self._router.ask_member(server, _STATUS, self._remaining_s())

    def _remaining_s(self) -> float:
        return self._deadline - self._reactor.seconds()


async def _at_once(work: Iterable[Coroutine[Any, Any, _Result]]) -> list[_Result]:
    """Do several things at the same time, and return what each comes to.

    Raises what the first one that fails does: CancelledError where the caller gives up, which ends all of them.
    """
    begun = [Deferred.fromCoroutine(one) for one in work]
    try:
        return list(await gatherResults(begun, consumeErrors=True))
    except FirstError as error:
        for other in begun:
            other.cancel()
        error.subFailure.raiseException()


def _members_or(found: Members, told: Answer) -> Members:
    """Return what an answer says, or what was found before where it says nothing of members."""
    try:
        return answers.members(told)
    except ClientError:
        return found


def _node_id(outcome: Answer | Setback) -> str | None:
    """Return who answered, None where nobody did, or no node of ours."""
    if isinstance(outcome, Setback):
        return None
    try:
        node_id = answers.json_object(answers.succeed_or_raise(outcome)).get("node_id")
    except ClientError:
        return None
    return node_id if isinstance(node_id, str) else None
