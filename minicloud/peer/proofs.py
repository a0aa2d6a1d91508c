"""What each side computes to show that it knows the cluster's secret, without saying it.

A proof is HMAC-SHA-256 (RFC 2104), keyed with the secret, over everything that both sides said up to then and over who
is proving. So it is good for one purpose only:

- Another time: both nonces are in it, each side chose one of them at random. A recorded handshake proves nothing again.
- For the other role: the role is in it. What an acceptor proved cannot be sent back to it as a dialler's proof.
- Between other nodes, folders or clusters: all ids of both sides are in it.
- With parts shifted: each part goes in with its length before it.

It proves who is there when the link opens. Who can change packets on their way can still take the link over afterwards
(and who hears an acceptor's proof can try out secrets at home): across networks that are not trusted, mutual TLS is
the answer, and a long random secret always is.
"""

from __future__ import annotations

import hmac

from minicloud.wire.handshake import Challenge, Hello

ACCEPTOR = "acceptor"
DIALLER = "dialler"

_LABEL = "minicloud peer handshake"
_LENGTH_BYTES = 4


def prove(secret: bytes, role: str, hello: Hello, challenge: Challenge) -> str:
    """Return the proof of the side in that role, in hex; empty where no secret is set.

    Args:
        secret: the cluster's; empty where none is set.
        role: ACCEPTOR or DIALLER.
        hello: what the dialler said.
        challenge: what the acceptor says; its ``proof`` plays no part.
    """
    if not secret:
        return ""
    return hmac.new(secret, _transcript(role, hello, challenge), "sha256").hexdigest()


def is_proof(claimed: str, secret: bytes, role: str, hello: Hello, challenge: Challenge) -> bool:
    """Return whether the other side's proof is the right one, in a time that does not depend on how wrong it is."""
    return hmac.compare_digest(claimed.encode(), prove(secret, role, hello, challenge).encode())


def _transcript(role: str, hello: Hello, challenge: Challenge) -> bytes:
    parts = (
        _LABEL,
        role,
        str(hello.version),
        hello.cluster_id,
        hello.from_id,
        hello.to_id,
        hello.instance_id,
        hello.nonce,
        str(hello.configuration_index),
        challenge.cluster_id,
        challenge.instance_id,
        challenge.nonce,
    )
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in encoded)
