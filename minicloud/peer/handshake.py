"""How a link opens: what each side does with each line, as a pure state machine without clock or transport.

::

    dialler                 acceptor                        the side that reads the line then …
    awaits Challenge        awaits Hello
              Hello  →                                      checks version, ids and cluster; proves the secret
                     ←  Challenge                           checks the proof, cluster and instance; proves the secret
    awaits Welcome          awaits Proof
              Proof  →                                      checks the proof; decides whether that peer may come in
                     ←  Welcome                             may send messages
    done                    done

Instead of its answer either side may send Refused. Any other line at any of these points ends the attempt. What a
refusal says is acted on only when the acceptor has proved the secret before; until then it is only logged.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

from minicloud.peer.identity import LocalPeer, RemotePeer
from minicloud.peer.proofs import ACCEPTOR, DIALLER, is_proof, prove
from minicloud.wire.handshake import (
    PROTOCOL_VERSION,
    Challenge,
    HandshakeMessage,
    Hello,
    Proof,
    Refused,
    Welcome,
    refused,
)


class Cause(enum.Enum):
    """Why a link did not open, or closed. The values are the codes of refusals."""

    VERSION = "version"
    WRONG_NODE = "wrong_node"
    WRONG_CERTIFICATE = "wrong_certificate"
    WRONG_CLUSTER = "wrong_cluster"
    WRONG_SECRET = "wrong_secret"
    WRONG_INSTANCE = "wrong_instance"
    NOT_MEMBER = "not_member"
    BAD_LINE = "bad_line"
    TOO_SLOW = "too_slow"
    SILENT = "silent"
    REFUSED = "refused"
    """The other side refused us."""


@frozen
class Reply:
    """Send that line and wait for the next one."""

    line: HandshakeMessage


@frozen
class Complete:
    """Both sides have proved who they are: messages may follow."""

    remote: RemotePeer
    line: Welcome | None
    """To be sent first, by the acceptor."""


@frozen
class Failed:
    """The link does not open."""

    cause: Cause
    detail: str
    """One line for our log."""
    line: Refused | None = None
    """To be sent before closing."""
    remote: RemotePeer | None = None
    """The other side, where it has proved who it is."""
    refusal: Refused | None = None
    """What the other side said, where it refused us."""


Step: TypeAlias = Reply | Complete | Failed

CertificateNames: TypeAlias = Callable[[], frozenset[str] | None]
"""Returns the names in the other side's verified certificate; None where the link goes without TLS."""


@frozen
class Denial:
    """Why a peer that proved the secret may not come in."""

    cause: Cause
    detail: str
    configuration_index: int = 0
    """For NOT_MEMBER: the log index of the committed configuration that says so."""


class DiallerHandshake:
    """The side that opened the connection."""

    def __init__(
        self,
        local: LocalPeer,
        secret: bytes,
        to_id: str,
        instance_id: str,
        nonce: str,
        certificate_names: CertificateNames,
    ) -> None:
        """Prepare to reach that node.

        Args:
            local: this side.
            secret: the cluster's; empty where none is set.
            to_id: node id of the peer that is dialled.
            instance_id: the only instance of it that will do; empty where any does.
            nonce: hex digits, fresh from the operating system's random source.
            certificate_names: see there.
        """
        self._secret = secret
        self._instance_id = instance_id
        self._certificate_names = certificate_names
        self._remote: RemotePeer | None = None
        """The acceptor, once it has proved who it is; from then on Welcome is awaited."""
        self.hello = Hello(
            PROTOCOL_VERSION,
            local.cluster_id(),
            local.node_id,
            to_id,
            local.instance_id,
            nonce,
            local.configuration_index(),
        )
        """The first line, to be sent at once."""

    def receive(self, line: HandshakeMessage) -> Step:
        """Take the acceptor's next line."""
        if isinstance(line, Refused):
            return Failed(Cause.REFUSED, _said(line), remote=self._remote, refusal=line)
        if isinstance(line, Challenge) and self._remote is None:
            return self._answer(line)
        if isinstance(line, Welcome) and self._remote is not None:
            return Complete(self._remote, None)
        return _unexpected(line)

    def _answer(self, challenge: Challenge) -> Step:
        hello = self.hello
        remote = RemotePeer(hello.to_id, challenge.instance_id, challenge.cluster_id)
        if problem := _certificate_problem(self._certificate_names(), hello.to_id):
            return _refuse(Cause.WRONG_CERTIFICATE, problem)
        if not is_proof(challenge.proof, self._secret, ACCEPTOR, hello, challenge):
            return _refuse(Cause.WRONG_SECRET, _secret_problem(challenge.proof, self._secret))
        if challenge.cluster_id not in ("", hello.cluster_id):
            return _refuse(Cause.WRONG_CLUSTER, f"it belongs to cluster {challenge.cluster_id}", remote)
        if self._instance_id not in ("", challenge.instance_id):
            return _refuse(Cause.WRONG_INSTANCE, _instance_problem(self._instance_id, challenge.instance_id), remote)
        self._remote = remote
        return Reply(Proof(prove(self._secret, DIALLER, hello, challenge)))


class AcceptorHandshake:
    """The side that was dialled."""

    def __init__(
        self,
        local: LocalPeer,
        secret: bytes,
        nonce: str,
        certificate_names: CertificateNames,
        admit: Callable[[RemotePeer], Denial | None],
    ) -> None:
        """Wait for a dialler.

        Args:
            local: this side.
            secret: the cluster's; empty where none is set.
            nonce: hex digits, fresh from the operating system's random source.
            certificate_names: see there.
            admit: asked once, about a dialler that has proved the secret: None lets it in. Judges its cluster again,
                because ours may have become known in the meantime.
        """
        self._local = local
        self._secret = secret
        self._nonce = nonce
        self._certificate_names = certificate_names
        self._admit = admit
        self.claimed_id = ""
        """Who the dialler says it is, true or not; empty until it has said so."""
        self._said: tuple[Hello, Challenge] | None = None
        """What was said so far; from then on Proof is awaited."""

    def receive(self, line: HandshakeMessage) -> Step:
        """Take the dialler's next line."""
        if isinstance(line, Refused):
            return Failed(Cause.REFUSED, _said(line), refusal=line)
        if isinstance(line, Hello) and self._said is None:
            return self._challenge(line)
        if isinstance(line, Proof) and self._said is not None:
            return self._decide(line, *self._said)
        return _unexpected(line)

    def _challenge(self, hello: Hello) -> Step:
        local = self._local
        cluster_id = local.cluster_id()
        self.claimed_id = hello.from_id
        if hello.version != PROTOCOL_VERSION:
            return _refuse(Cause.VERSION, f"this node speaks version {PROTOCOL_VERSION}, not {hello.version}")
        if hello.to_id != local.node_id:
            return _refuse(Cause.WRONG_NODE, f"this is node {local.node_id}, not {hello.to_id}")
        if hello.from_id == local.node_id:
            return _refuse(Cause.WRONG_NODE, f"{hello.from_id} is the id of this node itself")
        if problem := _certificate_problem(self._certificate_names(), hello.from_id):
            return _refuse(Cause.WRONG_CERTIFICATE, problem)
        if problem := cluster_problem(cluster_id, hello.cluster_id):
            return _refuse(Cause.WRONG_CLUSTER, problem)
        unproved = Challenge(cluster_id, local.instance_id, self._nonce, "")
        proof = prove(self._secret, ACCEPTOR, hello, unproved)
        challenge = Challenge(cluster_id, local.instance_id, self._nonce, proof)
        self._said = (hello, challenge)
        return Reply(challenge)

    def _decide(self, line: Proof, hello: Hello, challenge: Challenge) -> Step:
        if not is_proof(line.proof, self._secret, DIALLER, hello, challenge):
            return _refuse(Cause.WRONG_SECRET, _secret_problem(line.proof, self._secret))
        remote = RemotePeer(hello.from_id, hello.instance_id, hello.cluster_id, hello.configuration_index)
        if denial := self._admit(remote):
            return _refuse(denial.cause, denial.detail, remote, denial.configuration_index)
        return Complete(remote, Welcome())


def cluster_problem(own: str, offered: str) -> str:
    """Return why a dialler of the ``offered`` cluster is none of ours; empty where nothing speaks against it so far."""
    if not offered:
        return "a node that belongs to no cluster has nobody to dial"
    if own not in ("", offered):
        return f"this node belongs to cluster {own}, not {offered}"
    return ""


def _certificate_problem(names: frozenset[str] | None, node_id: str) -> str:
    if names is None or node_id in names:
        return ""
    return f"the certificate does not name {node_id}"


def _secret_problem(claimed: str, secret: bytes) -> str:
    if not secret:
        return "cluster_secret is set on one side only"
    return "it has another cluster_secret" if claimed else "it has no cluster_secret"


def _instance_problem(expected: str, actual: str) -> str:
    return f"it is instance {actual} (another data folder), the configuration names {expected}"


def _refuse(cause: Cause, detail: str, remote: RemotePeer | None = None, configuration_index: int = 0) -> Failed:
    return Failed(cause, detail, refused(cause.value, detail, configuration_index), remote)


def _said(line: Refused) -> str:
    return f"it refused us: {line.code}" + (f" ({line.detail})" if line.detail else "")


def _unexpected(line: HandshakeMessage) -> Failed:
    return Failed(Cause.BAD_LINE, f"{type(line).__name__} at the wrong moment")
