"""The client over real sockets: reuse of connections, what refuses, what resets, and TLS."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import reactor, ssl
from twisted.internet.defer import ensureDeferred
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from minicloud.client import Client, OutcomeUnknown, Unavailable


class Page(Resource):
    """Answers as a node does for a key; keeps who asked. ``mood`` ``reset`` closes the connection instead."""

    def __init__(self) -> None:
        super().__init__()
        self.isLeaf = True
        self.callers: list[int] = []
        self.mood = "well"

    def render(self, request: Any) -> Any:
        self.callers.append(request.getClientAddress().port)
        if self.mood == "reset":
            request.transport.abortConnection()
            return NOT_DONE_YET
        request.setHeader("ETag", '"4"')
        return b'{"revision": 4, "created": true}' if request.method == b"PUT" else b"value"


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def port(page: Page) -> Iterator[int]:
    listening = reactor.listenTCP(0, Site(page), interface="127.0.0.1")
    yield listening.getHost().port
    pytest_twisted.blockon(ensureDeferred(_stop(listening)))


async def _stop(listening: Any) -> None:
    await listening.stopListening()


@pytest_twisted.ensureDeferred
async def test_requests_in_a_row_share_one_connection(page: Page, port: int) -> None:
    client = Client([f"127.0.0.1:{port}"])
    for _ in range(3):
        await client.put("k", b"v")
        assert (await client.get("k")).value == b"value"
        assert await client.head("k") == 4
    await client.close()
    assert len(page.callers) == 9
    assert len(set(page.callers)) == 1


@pytest_twisted.ensureDeferred
async def test_a_port_where_nobody_listens_is_refused_at_once(port: int) -> None:
    unused = reactor.listenTCP(0, Site(Resource()), interface="127.0.0.1")
    number = unused.getHost().port
    await unused.stopListening()
    client = Client([f"127.0.0.1:{number}"])
    with pytest.raises(Unavailable, match="connection refused"):
        await client.put("k", b"v")


@pytest_twisted.ensureDeferred
async def test_a_reset_after_the_request_leaves_the_outcome_of_a_write_unknown(page: Page, port: int) -> None:
    page.mood = "reset"
    client = Client([f"127.0.0.1:{port}"])
    with pytest.raises(OutcomeUnknown, match="the connection ended before the answer"):
        await client.delete("k")
    assert len(page.callers) == 1


@pytest_twisted.ensureDeferred
async def test_a_host_that_does_not_exist_has_seen_nothing() -> None:
    with pytest.raises(Unavailable, match=r"no such host|no connection"):
        await Client(["nowhere.invalid:9001"], timeout_s=5).put("k", b"v")


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
@pytest_twisted.ensureDeferred
async def test_a_server_whose_certificate_nobody_vouches_for_has_seen_nothing(page: Page) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    listening = reactor.listenSSL(0, Site(page), ssl.PrivateCertificate.loadPEM(pem).options(), interface="127.0.0.1")
    try:
        with pytest.raises(Unavailable, match="TLS certificate"):
            await Client([f"https://localhost:{listening.getHost().port}"]).put("k", b"v")
    finally:
        await listening.stopListening()
    assert page.callers == []
