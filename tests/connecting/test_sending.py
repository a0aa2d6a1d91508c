"""Requests go out as they are written, wherever that is, and bring no cookies along."""

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from minicloud.connecting.failures import NotMade, never_sent
from minicloud.connecting.sending import Sender
from tests.client.network import Network, found


@pytest.fixture
def network() -> Network:
    return Network()


def send(network: Network, url: str, method: str = "GET", body: bytes | None = None) -> Deferred[IResponse]:
    return Sender(network.agent(), network.clock).send(method, url, Headers({"X-Mine": ["yes"]}), body)


@pytest.mark.parametrize(
    ("authority", "server", "host"),
    [
        ("127.0.0.1:9001", "127.0.0.1:9001", "127.0.0.1:9001"),
        ("[::1]:9001", "::1:9001", "[::1]:9001"),
        ("[fe80::1%eth0]:9001", "fe80::1%eth0:9001", "[fe80::1]:9001"),
        ("[fe80::1%25eth0]:9001", "fe80::1%25eth0:9001", "[fe80::1]:9001"),
        ("project_node-1:9001", "project_node-1:9001", "project_node-1:9001"),
        ("ab--cd:9001", "ab--cd:9001", "ab--cd:9001"),
        ("xn--bcher-kva:9001", "xn--bcher-kva:9001", "xn--bcher-kva:9001"),
    ],
)
@pytest.mark.parametrize("target", ["/kv/..", "/kv/a%2F..%2Fb", "/kv/%25?forward&timeout=1s", "/kv/a;b=+~%E4%B8%AD?"])
def test_a_url_is_used_as_it_is(network: Network, authority: str, server: str, host: str, target: str) -> None:
    network.serve(server, found(b"", 1))
    network.result(send(network, f"http://{authority}{target}"))
    (seen,) = network.seen
    assert (seen.uri.rstrip("?"), seen.headers["host"]) == (target.rstrip("?"), host)
    assert seen.headers["x-mine"] == "yes"


@pytest.mark.parametrize("body", [b"", b"x" * 70_000])
def test_a_body_is_sent_with_its_length(network: Network, body: bytes) -> None:
    network.serve("a:1", found(b"", 1))
    network.result(send(network, "http://a:1/", "PUT", body))
    (seen,) = network.seen
    assert (seen.body, seen.headers["content-length"]) == (body, str(len(body)))


def test_cookies_are_neither_kept_nor_sent(network: Network) -> None:
    def with_cookie(request: Any) -> bytes:
        request.addCookie(b"c%d" % len(network.seen), b"v", path=b"/")
        return b""

    network.serve("a:1", always=with_cookie)
    sender = Sender(network.agent(), network.clock)
    for _ in range(3):
        network.result(sender.send("GET", "http://a:1/", Headers()))
    assert [seen.headers.get("cookie") for seen in network.seen] == [None] * 3


@pytest.mark.parametrize("url", ["http://a:1/ä", "http://a:1/a b", "http://a:1/\udcff", "http://[::1/x"])
def test_a_request_that_cannot_be_made_was_never_sent(network: Network, url: str) -> None:
    with pytest.raises(NotMade, match="cannot be made: ") as caught:
        network.result(send(network, url, "PUT", b"x"))
    assert never_sent(caught.value)
