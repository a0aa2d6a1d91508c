"""The client over real sockets: reuse of connections, what refuses, what resets, and TLS."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor, ssl
from twisted.internet.defer import ensureDeferred
from twisted.internet.protocol import Factory, Protocol
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from minicloud.client import Client, OutcomeUnknown, Unavailable
from tests.service.certificates import Authority


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


@pytest.mark.parametrize("requests_before", [0, 1])
@pytest_twisted.ensureDeferred
async def test_a_reset_after_the_request_leaves_the_outcome_of_a_write_unknown(
    page: Page, port: int, requests_before: int
) -> None:
    """On a connection that was in use before, too: an HTTP client may well repeat a DELETE there by itself."""
    client = Client([f"127.0.0.1:{port}"])
    for _ in range(requests_before):
        await client.get("k")
    page.mood = "reset"
    with pytest.raises(OutcomeUnknown, match="the connection ended before the answer"):
        await client.delete("k", if_revision=4)
    assert len(page.callers) == requests_before + 1
    assert len(set(page.callers)) == 1


@pytest_twisted.ensureDeferred
async def test_a_host_that_does_not_exist_has_seen_nothing() -> None:
    with pytest.raises(Unavailable, match=r"no such host|no connection"):
        await Client(["nowhere.invalid:9001"], timeout_s=5).put("k", b"v")


# TLS


ServeHttps = Callable[[Authority, str], int]


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """One that the client trusts."""
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    return authority


@pytest.fixture
def serve_https(page: Page) -> Iterator[ServeHttps]:
    """Serves the page with a certificate for 127.0.0.1 and another name, and returns the port."""
    ports: list[Any] = []

    def serve(authority: Authority, name: str) -> int:
        pem = b"".join(file.read_bytes() for file in authority.issue("server", name))
        context = ssl.PrivateCertificate.loadPEM(pem).options()
        ports.append(reactor.listenSSL(0, Site(page), context, interface="127.0.0.1"))
        number: int = ports[-1].getHost().port
        return number

    yield serve
    for listening in ports:
        pytest_twisted.blockon(ensureDeferred(_stop(listening)))


without_warnings = pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")


@without_warnings
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest_twisted.ensureDeferred
async def test_a_server_that_a_known_authority_vouches_for_is_talked_to(
    page: Page, authority: Authority, serve_https: ServeHttps, host: str
) -> None:
    client = Client([f"https://{host}:{serve_https(authority, 'localhost')}"])
    assert (await client.put("k", b"v" * 100_000)).revision == 4
    assert (await client.get("k")).value == b"value"
    await client.close()
    assert len(page.callers) == 2
    assert len(set(page.callers)) == 1


@without_warnings
@pytest_twisted.ensureDeferred
async def test_a_server_whose_certificate_nobody_vouches_for_has_seen_nothing(
    page: Page, authority: Authority, serve_https: ServeHttps, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path, "stranger")
    with pytest.raises(Unavailable, match=r"its TLS certificate is not to be trusted .*SSL_CERT_FILE"):
        await Client([f"https://localhost:{serve_https(stranger, 'localhost')}"]).put("k", b"v")
    assert page.callers == []


@without_warnings
@pytest_twisted.ensureDeferred
async def test_a_server_whose_certificate_is_for_another_name_has_seen_nothing(
    page: Page, authority: Authority, serve_https: ServeHttps
) -> None:
    with pytest.raises(Unavailable, match="its TLS certificate is for other names, not for this host"):
        await Client([f"https://localhost:{serve_https(authority, 'node1.example')}"]).put("k", b"v")
    assert page.callers == []


@without_warnings
@pytest_twisted.ensureDeferred
async def test_a_server_that_speaks_no_tls_has_seen_nothing_and_another_one_is_asked(
    page: Page, authority: Authority, serve_https: ServeHttps
) -> None:
    class SpeaksHttp(Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    listening = reactor.listenTCP(0, Factory.forProtocol(SpeaksHttp), interface="127.0.0.1")
    plain = f"https://127.0.0.1:{listening.getHost().port}"
    with pytest.raises(
        Unavailable, match=r"no TLS there \(wrong version number\); check https:// and the port of the address"
    ):
        await Client([plain]).put("k", b"v")
    client = Client([plain, f"https://127.0.0.1:{serve_https(authority, 'localhost')}"])
    assert (await client.put("k", b"v")).revision == 4
    await client.close()
    await listening.stopListening()


@without_warnings
@pytest_twisted.ensureDeferred
async def test_a_server_that_hangs_up_instead_of_speaking_tls_has_seen_nothing() -> None:
    """As the port for peers does."""

    class HangsUp(Protocol):
        def dataReceived(self, data: bytes) -> None:
            self.transport.loseConnection()

    listening = reactor.listenTCP(0, Factory.forProtocol(HangsUp), interface="127.0.0.1")
    with pytest.raises(Unavailable, match=r"no TLS there \(.*\); check https:// and the port of the address"):
        await Client([f"https://127.0.0.1:{listening.getHost().port}"]).put("k", b"v")
    await listening.stopListening()


@without_warnings
@pytest_twisted.ensureDeferred
async def test_a_write_in_the_clear_to_a_server_that_speaks_tls_stays_unknown(
    page: Page, authority: Authority, serve_https: ServeHttps
) -> None:
    """It hangs up without a word, as a node does that dies right after it has written."""
    server = f"127.0.0.1:{serve_https(authority, 'localhost')}"
    with pytest.raises(OutcomeUnknown, match="the connection ended before the answer"):
        await Client([server]).put("k", b"v")
    assert page.callers == []
