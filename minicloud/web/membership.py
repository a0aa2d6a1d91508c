"""Admin requests: join, remove, transfer. Only the leader serves them; any node passes them on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, TypeVar

import msgspec
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from minicloud.addresses import parse_address
from minicloud.node.errors import NotLeader
from minicloud.node.status import JoinRequest
from minicloud.web.answers import Answer, no_content
from minicloud.web.face import NodeFace
from minicloud.web.leader import LeaderPath
from minicloud.web.problems import Problem, bad_request
from minicloud.web.query import parse_query, timeout_seconds
from minicloud.web.request import Request

_KNOWN = frozenset({"timeout", "forward"})
"""``forward`` is what happens anyway; a page need not know which requests it must ask it for."""

HTTP_PORT_DISTANCE = 10
"""The contract's default: a node's HTTP port is its Raft port minus 10."""

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,64}\Z")]
InstanceId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,64}\Z")]


class JoinBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /raft/join."""

    node_id: Id
    raft_addr: str
    http_addr: str = ""
    voter: bool = True
    instance_id: InstanceId = ""


class RemoveBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /raft/remove."""

    node_id: Id
    force: bool = False


class TransferBody(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /raft/transfer."""

    node_id: Id | None = None


Body = TypeVar("Body", bound=msgspec.Struct)


class Membership:
    """The meaning of the admin routes."""

    def __init__(self, node: NodeFace, leader_path: LeaderPath) -> None:
        self._node = node
        self._leader_path = leader_path

    def join(self, request: Request) -> Deferred[Answer]:
        """Make a node a member."""
        body = _decoded(request, JoinBody)
        raft_addr = _address("raft_addr", body.raft_addr)
        http_addr = _address("http_addr", body.http_addr or _default_http_addr(raft_addr))
        wish = JoinRequest(body.node_id, raft_addr, http_addr, body.voter, body.instance_id)
        return self._lead(request, partial(self._node.join, wish))

    def remove(self, request: Request) -> Deferred[Answer]:
        """Remove a member."""
        body = _decoded(request, RemoveBody)
        return self._lead(request, partial(self._node.remove, body.node_id, body.force))

    def transfer(self, request: Request) -> Deferred[Answer]:
        """Hand leadership over."""
        body = _decoded(request, TransferBody, empty_is={})
        return self._lead(request, partial(self._node.transfer, body.node_id))

    def _lead(self, request: Request, act: Callable[[float], Deferred[None]]) -> Deferred[Answer]:
        timeout_s = timeout_seconds(parse_query(request.query, _KNOWN))
        return act(timeout_s).addCallbacks(_done, self._refused, errbackArgs=(request, timeout_s))

    def _refused(self, failure: Failure, request: Request, timeout_s: float) -> Answer | Deferred[Answer] | Failure:
        error = failure.value
        if not isinstance(error, NotLeader):
            return failure
        return self._leader_path.lead(request, error.leader, forward=True, timeout_s=timeout_s)


def _done(_: None) -> Answer:
    return no_content()


def _decoded(request: Request, body_type: type[Body], empty_is: dict[str, str] | None = None) -> Body:
    """Return the body as what the route expects; raises Problem (415, 400 naming the field).

    The content type is asked for because a form of another site cannot send it.
    """
    content_type = request.headers.get(b"Content-Type", (b"",))[0]
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise Problem(
            415, "unsupported_media_type", "Unsupported media type", "This needs Content-Type: application/json."
        )
    try:
        if not request.body and empty_is is not None:
            return msgspec.convert(empty_is, body_type)
        return msgspec.json.decode(request.body, type=body_type)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _bad_body(str(error)) from None


def _address(name: str, text: str) -> str:
    try:
        address = parse_address(text)
    except ValueError as error:
        raise _bad_body(f"expected {error} - at `$.{name}`") from None
    if address.is_wildcard:
        raise _bad_body(f"expected an address that others can reach, not a wildcard - at `$.{name}`")
    return str(address)


def _default_http_addr(raft_addr: str) -> str:
    host, _, port = raft_addr.rpartition(":")
    return f"{host}:{int(port) - HTTP_PORT_DISTANCE}"


def _bad_body(detail: str) -> Problem:
    return bad_request("bad_body", "Bad body", detail)
