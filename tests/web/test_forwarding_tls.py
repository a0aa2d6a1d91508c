"""A leader whose certificate is not accepted: nothing of the request gets there, and the follower says so."""

from pathlib import Path

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor, ssl
from twisted.internet.protocol import Factory, Protocol

from minicloud.raft.configuration import Member
from minicloud.web.forwarding import Forwarder, make_agent, make_pool
from minicloud.web.problems import Problem
from minicloud.web.settings import WebSettings
from tests.service.certificates import Authority


class Leader(Protocol):
    """Takes note of what arrives in the clear, and answers nothing."""

    received = b""

    def dataReceived(self, data: bytes) -> None:
        Leader.received += data
        self.transport.loseConnection()


@define
class Write:
    method: bytes = b"PUT"
    headers: dict[bytes, list[bytes]] = field(factory=dict)
    request_id: bytes = b"1"
    route: str = "/kv/{key}"
    key: str = "a"
    query: bytes = b""
    body: bytes = b"x"


class Follower:
    node_id = "node2"


@pytest.mark.filterwarnings("ignore:Passing pyOpenSSL:DeprecationWarning")
@pytest.mark.parametrize(
    ("authority", "host", "status", "arrives"),
    [
        ("other", "127.0.0.1", 503, False),
        ("ours", "localhost", 503, False),
        ("ours", "127.0.0.1", 504, True),
    ],
    ids=["unknown authority", "another name", "trusted"],
)
@pytest_twisted.inlineCallbacks
def test_a_leader_that_is_not_trusted_gets_nothing(
    tmp_path: Path, authority: str, host: str, status: int, arrives: bool
):
    authorities = {name: Authority(tmp_path, name) for name in ("ours", "other")}
    cert, key = authorities["ours"].issue("leader")
    pem = ssl.PrivateCertificate.loadPEM(cert.read_bytes() + key.read_bytes())
    Leader.received = b""
    listening = reactor.listenSSL(0, Factory.forProtocol(Leader), pem.options(), interface="127.0.0.1")
    leader = Member("node1", "127.0.0.1:1", f"{host}:{listening.getHost().port}")
    settings = WebSettings("127.0.0.1:1", tls=True, tls_ca=authorities[authority].file.read_bytes())
    pool = make_pool(reactor)
    forwarder = Forwarder(Follower(), reactor, make_agent(reactor, settings, pool))
    try:
        with pytest.raises(Problem) as caught:
            yield forwarder.forward(Write(), leader, f"https://{leader.http_addr}", 5.0)
    finally:
        yield pool.closeCachedConnections()
        yield listening.stopListening()
    assert (caught.value.status, b"PUT /kv/a" in Leader.received) == (status, arrives)
