"""Mutual TLS between peers.

Each node has a certificate, issued by the cluster's own authority, that names the node's id among its DNS names
(subject alternative name, RFC 5280, section 4.2.1.6). Both sides check both things. The id is checked, not the host
name, because the side that is dialled has no host name to check, and because the id is what a node could lie about:
whoever steals the key of node 3 cannot be node 1.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from attrs import frozen
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

_Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey


class PeerTlsError(Exception):
    """A file for TLS between peers is missing or does not fit. The text is one line that names it."""


@frozen
class PeerTls:
    """Where the files are, all in PEM."""

    certificate_file: str
    """This node's certificate, followed by those of authorities between it and ``ca_file``, if any."""
    key_file: str
    """Its private key, without a passphrase."""
    ca_file: str
    """Certificate of the authority that issues those of all members, and no others."""

    def load(self) -> PeerConnections:
        """Read the files.

        Raises:
            PeerTlsError: one of them cannot be used.
        """
        context = SSL.Context(SSL.TLS_METHOD)
        # Both ends are this program: nothing older has to be spoken, and no session is ever resumed.
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_COMPRESSION)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        _load("certificate", self.certificate_file, context.use_certificate_chain_file)
        _load("key without passphrase", self.key_file, lambda path: context.use_privatekey(_read_key(path)))
        _load("key of that certificate", self.key_file, lambda _: context.check_privatekey())
        _load("CA certificate", self.ca_file, context.load_verify_locations)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _as_openssl_says)
        return PeerConnections(context)


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
@frozen(eq=False)
class PeerConnections:
    """Makes the TLS side of each connection, for both directions alike."""

    context: SSL.Context

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return the TLS side of a connection that this node dialled."""
        return SSL.Connection(self.context, None)

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return the TLS side of a connection that this node accepted."""
        return SSL.Connection(self.context, None)


def certificate_names(certificate: crypto.X509 | None) -> frozenset[str]:
    """Return the DNS names in the other side's certificate, none where it has shown none."""
    if certificate is None:
        return frozenset()
    try:
        extension = certificate.to_cryptography().extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return frozenset()
    return frozenset(extension.value.get_values_for_type(x509.DNSName))


def _load(what: str, path: str, load: Callable[[str], object]) -> None:
    try:
        load(path)
    except (SSL.Error, OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PeerTlsError(f"{path}: expected the {what} for TLS between peers, in PEM ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    """OpenSSL's errors come as lists of (library, function, reason)."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    text = ", ".join(str(reason[-1]) for reason in reasons) or str(error) or type(error).__name__
    return " ".join(text.split())


def _read_key(path: str) -> _Key:
    """Not by OpenSSL, which would ask for a passphrase on the terminal, and wait."""
    key = serialization.load_pem_private_key(Path(path).read_bytes(), password=None)
    if not isinstance(key, _Key):
        raise ValueError(f"{type(key).__name__} is no key for TLS")
    return key


def _as_openssl_says(connection: object, certificate: object, error: int, depth: int, is_good: int) -> bool:
    return bool(is_good)
