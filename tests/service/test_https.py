"""The files for HTTPS."""

import contextlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from OpenSSL import SSL

from minicloud.config import TlsSettings
from minicloud.service.errors import StartError
from minicloud.service.https import HttpsConnections, authority_pem, server_tls
from tests.service.certificates import Authority


def complaint(tls: TlsSettings) -> str:
    with pytest.raises(StartError) as caught:
        server_tls(tls)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def shown_certificates(connections: HttpsConnections, authority: Path) -> list[object]:
    """Return the chain that a client gets to see, in a handshake in memory."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.load_verify_locations(str(authority))
    context.set_verify(SSL.VERIFY_PEER, lambda *arguments: bool(arguments[-1]))
    client, server = SSL.Connection(context, None), connections.serverConnectionForTLS(None)
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(4):
        for one, other in ((client, server), (server, client)):
            with contextlib.suppress(SSL.WantReadError):
                one.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                other.bio_write(one.bio_read(65536))
    return list(client.get_peer_cert_chain() or ())


def test_without_a_certificate_there_is_no_tls() -> None:
    assert server_tls(TlsSettings()) is None
    assert authority_pem(TlsSettings()) == b""


def test_a_certificate_is_shown_with_the_chain_that_follows_it(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("node1")
    chain = tmp_path / "chain.pem"
    chain.write_bytes(cert.read_bytes() + authority.file.read_bytes())
    connections = server_tls(TlsSettings(cert=chain, key=key))
    assert connections is not None
    assert len(shown_certificates(connections, authority.file)) == 2
    assert authority_pem(TlsSettings(ca=authority.file)) == authority.file.read_bytes()


def test_files_that_do_not_fit_are_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.issue("node1")
    _, other_key = authority.issue("node2")
    assert complaint(TlsSettings(cert=key, key=key)).startswith("tls.cert: expected certificates in PEM, ")
    assert complaint(TlsSettings(cert=cert, key=cert)).startswith("tls.key: expected a private key in PEM without a")
    assert complaint(TlsSettings(cert=cert, key=other_key)).startswith("tls.key: expected the private key of the")
    assert complaint(TlsSettings(cert=tmp_path, key=key)).startswith("tls.cert: expected certificates in PEM, ")
    with pytest.raises(StartError, match=r"tls\.ca: expected certificates in PEM"):
        authority_pem(TlsSettings(ca=key))


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    cert, key = Authority(tmp_path).issue("node1")
    loaded = serialization.load_pem_private_key(key.read_bytes(), None)
    key.write_bytes(
        loaded.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    assert "without a passphrase" in complaint(TlsSettings(cert=cert, key=key))
