"""What is said where the address is wrong: another scheme, another port, or a server that is not trusted."""

from __future__ import annotations

import socketserver
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from minicloud.cli.failures import Explanation, explain
from minicloud.client import ClientError, OutcomeUnknown, Unavailable
from minicloud.client.errors import Problem, Setback
from tests.cli.little_node import little_node
from tests.cli.real_cluster import CLOUDCTL
from tests.harness.processes import run
from tests.service.certificates import Authority

ADDRESS = "check the address: http:// or https://, and the HTTP port of a node, not its Raft port"
LOOK = "look before you do it again"
START = "start a node"


@contextmanager
def port_for_peers() -> Iterator[str]:
    """Serve a port that hangs up on whoever speaks HTTP, as that for peers does."""

    class HangUp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), HangUp) as server:
        server.daemon_threads = True
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        serving.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        serving.join()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def https(authority: Authority) -> Iterator[str]:
    """The ``host:port`` of a node that serves HTTPS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("node1"))
    with little_node(context) as server:
        yield server


@pytest.fixture(scope="module")
def servers(https: str) -> Iterator[dict[str, str]]:
    """Wrong addresses, by what is wrong with them."""
    with little_node() as http, port_for_peers() as peers:
        yield {
            "https:// of an HTTP port": f"https://{http}",
            "http:// of an HTTPS port": f"http://{https}",
            "a port for peers": f"http://{peers}",
            "not trusted": f"https://{https}",
        }


PUT, GET = ("put", "k", "v"), ("get", "k", "--timeout", "1")


@pytest.mark.parametrize(
    ("verb", "wrong", "status", "told", "hints"),
    [
        (PUT, "https:// of an HTTP port", 5, "no TLS there", [ADDRESS]),
        (GET, "https:// of an HTTP port", 5, "no TLS there", [ADDRESS]),
        (PUT, "not trusted", 5, "SSL_CERT_FILE", []),
        (GET, "not trusted", 5, "SSL_CERT_FILE", []),
        (PUT, "http:// of an HTTPS port", 6, "not known whether", [LOOK, ADDRESS]),
        (GET, "http:// of an HTTPS port", 5, "", [ADDRESS]),
        (PUT, "a port for peers", 6, "not known whether", [LOOK, ADDRESS]),
        (GET, "a port for peers", 5, "", [ADDRESS]),
    ],
)
def test_a_wrong_address_is_what_there_is_to_check(
    servers: dict[str, str],
    tmp_path: Path,
    verb: tuple[str, ...],
    wrong: str,
    status: int,
    told: str,
    hints: list[str],
) -> None:
    ended = run(tmp_path, CLOUDCTL, *verb, "-s", servers[wrong])
    assert (ended.returncode, ended.stdout) == (status, "")
    assert told in ended.stderr
    assert [hint for hint in (LOOK, ADDRESS) if hint in ended.stderr] == hints
    assert START not in ended.stderr
    assert "is a node running?" not in ended.stderr


def test_the_authority_that_is_named_is_trusted(https: str, authority: Authority, tmp_path: Path) -> None:
    ended = run(tmp_path, CLOUDCTL, *PUT, "-s", f"https://{https}", SSL_CERT_FILE=str(authority.file))
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "k: created, revision 4\n", "")


NOBODY = Setback("http://a:1", "connection refused", reached=False)
NO_TLS = Setback("https://b:1", "no TLS there (wrong version number); check …", reached=False)
SILENT = Setback("http://c:1", "no answer within 10 s")
A_NODE_SAYS = Problem(503, "disk_full", "", "no room", False, "")
A_STRANGER_SAYS = Problem(502, "", "", "", False, "")


def unavailable(*setbacks: Setback) -> Callable[[], ClientError]:
    return lambda: Unavailable(setbacks, timed_out=any(setback.reached for setback in setbacks))


@pytest.mark.parametrize(
    ("error", "hints"),
    [
        (unavailable(NOBODY), [START]),
        (unavailable(NO_TLS), [ADDRESS]),
        (unavailable(NOBODY, NO_TLS), [ADDRESS]),
        (unavailable(NOBODY, SILENT), ["waits longer", ADDRESS]),
        (unavailable(SILENT, Setback("http://d:1", "no room", A_NODE_SAYS)), ["waits longer"]),
        (unavailable(Setback("http://d:1", "HTTP status 502", A_STRANGER_SAYS)), ["waits longer", ADDRESS]),
        (lambda: OutcomeUnknown("http://c:1", "no answer within 10 s"), [LOOK, ADDRESS]),
        (lambda: OutcomeUnknown("http://d:1", "who knows", A_NODE_SAYS), [LOOK]),
        (lambda: OutcomeUnknown("http://d:1", "HTTP status 502", A_STRANGER_SAYS), [LOOK, ADDRESS]),
    ],
)
def test_the_address_is_doubted_where_no_node_has_answered(error: Callable[[], ClientError], hints: list[str]) -> None:
    told: Explanation = explain(error())
    assert [hint for hint in (LOOK, START, "waits longer", ADDRESS) if hint in told.try_next] == hints
    assert ("is a node running?" in told.happened) == (START in hints)
    assert "\n" not in told.happened + told.try_next
