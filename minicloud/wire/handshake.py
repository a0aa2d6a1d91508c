"""The lines by which two nodes prove to each other who they are, before any message is read.

::

    dialler                                                                                 acceptor
    Hello(version, cluster_id, from_id, to_id, instance_id, nonce, configuration_index)  →
                                                     ←  Challenge(cluster_id, instance_id, nonce, proof)
    Proof(proof)                                                                         →
                                                     ←  Welcome()

In the place of any of its answers either side may send Refused, and close. Both nonces are fresh, so a proof that
somebody recorded proves nothing the next time. What the proofs are made of is the business of the peer room.

Unlike all other lines these tolerate fields that they do not know, so that a later version's Hello can be understood
well enough to be refused in words.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta, Struct

from minicloud.wire.fields import ENCODER, Count, Id, OptionalId, decode_line
from minicloud.wire.limits import MAX_DETAIL_CHARACTERS, MAX_HANDSHAKE_LINE_BYTES

PROTOCOL_VERSION = 1
"""Version of all that peers say to each other; raised when a member of the old version could misunderstand the new."""

NONCE_BYTES = 16
"""128 random bits: no nonce comes twice. Sent as twice as many hex digits."""

Nonce: TypeAlias = Annotated[str, Meta(pattern=r"\A[0-9a-f]{32}\Z")]
ProofDigits: TypeAlias = Annotated[str, Meta(pattern=r"\A(?:[0-9a-f]{64})?\Z")]


class HandshakeLine(Struct, frozen=True, tag_field="type", gc=False):
    """Base of the handshake's lines."""


class Hello(HandshakeLine, frozen=True, tag="hello"):
    """The dialler says who it is and whom it wants to reach."""

    version: Count
    """The dialler's PROTOCOL_VERSION."""
    cluster_id: OptionalId
    """Empty where the dialler belongs to no cluster yet."""
    from_id: Id
    to_id: Id
    instance_id: Id
    """Which data folder the dialler is."""
    nonce: Nonce
    configuration_index: Count = 0
    """Log index of the newest configuration in the dialler's log, committed or not. An acceptor that lags behind it may
    not know the dialler as a member yet."""


class Challenge(HandshakeLine, frozen=True, tag="challenge"):
    """The acceptor says who it is, and that it knows the secret."""

    cluster_id: OptionalId
    """Empty where the acceptor belongs to no cluster yet."""
    instance_id: Id
    nonce: Nonce
    proof: ProofDigits
    """HMAC-SHA-256 in hex; empty where no secret is set."""


class Proof(HandshakeLine, frozen=True, tag="proof"):
    """The dialler knows the secret, too."""

    proof: ProofDigits


class Welcome(HandshakeLine, frozen=True, tag="welcome"):
    """From here on, messages."""


class Refused(HandshakeLine, frozen=True, tag="refused"):
    """The sender will not talk to the other side."""

    code: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,63}\Z")]
    """Stable name of the reason, in snake case."""
    detail: Annotated[str, Meta(pattern=rf"\A[ -~]{{0,{MAX_DETAIL_CHARACTERS}}}\Z")] = ""
    """For the other side's log: printable ASCII, so that it stays one harmless line."""
    configuration_index: Count = 0
    """Where the reason is that the dialler is no member: the log index of the committed configuration that says so."""


HandshakeMessage: TypeAlias = Hello | Challenge | Proof | Welcome | Refused

_DECODER: msgspec.json.Decoder[HandshakeMessage] = msgspec.json.Decoder(HandshakeMessage)


def refused(code: str, detail: str, configuration_index: int = 0) -> Refused:
    """Return a refusal whose ``detail`` was made printable and short enough, whatever it was."""
    printable = "".join(character if " " <= character <= "~" else "?" for character in detail[:MAX_DETAIL_CHARACTERS])
    return Refused(code, printable, configuration_index)


def encode_handshake(message: HandshakeMessage) -> bytes:
    """Return the line, without the newline."""
    return ENCODER.encode(message)


def decode_handshake(line: bytes) -> HandshakeMessage:
    """Return what the line says.

    Raises:
        WireError: it is no line of the handshake.
    """
    return decode_line(_DECODER, line, MAX_HANDSHAKE_LINE_BYTES, "handshake")
