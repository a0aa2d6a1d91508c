"""TLS of the HTTP port, from PEM files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOProtocol
from zope.interface import implementer

from minicloud.config import TlsSettings
from minicloud.service.errors import StartError


@implementer(IOpenSSLServerConnectionCreator)
@frozen(eq=False)
class HttpsConnections:
    """Makes the TLS side of each connection to the HTTP port."""

    context: SSL.Context

    def serverConnectionForTLS(self, tlsProtocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """Return the TLS side of a connection that was accepted."""
        return SSL.Connection(self.context, None)


def server_tls(tls: TlsSettings) -> HttpsConnections | None:
    """Return what makes the server side of HTTPS connections, None where HTTP goes as it is.

    Raises StartError where a file is not what it should be.
    """
    if tls.cert is None or tls.key is None:
        return None
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION)
    _load("cert", "certificates in PEM", tls.cert, context.use_certificate_chain_file)
    # Looked at first: OpenSSL itself would ask for a passphrase on the terminal and wait.
    _load("key", "a private key in PEM without a passphrase", tls.key, _parse_key)
    _load("key", f"the private key of the certificate in {tls.cert}", tls.key, context.use_privatekey_file)
    return HttpsConnections(context)


def authority_pem(tls: TlsSettings) -> bytes:
    """Return the certificate of who signs those of other members, empty for the system's own list.

    Raises StartError where the file is not what it should be.
    """
    if tls.ca is None:
        return b""
    try:
        pem = tls.ca.read_bytes()
        x509.load_pem_x509_certificates(pem)
    except (OSError, ValueError):
        raise StartError(f"tls.ca: expected certificates in PEM, {tls.ca} has none that can be read") from None
    return pem


def _load(key: str, expected: str, path: Path, load: Callable[[str], object]) -> None:
    try:
        load(str(path))
    except (SSL.Error, OSError, ValueError, TypeError):
        raise StartError(f"tls.{key}: expected {expected}, and {path} has none") from None


def _parse_key(path: str) -> object:
    return serialization.load_pem_private_key(Path(path).read_bytes(), None)
