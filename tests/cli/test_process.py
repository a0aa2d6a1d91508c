"""``cloudctl`` as a process of its own, against a server on a real socket."""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_twisted
from attrs import define, field
from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ProcessDone
from twisted.internet.protocol import ProcessProtocol
from twisted.web.server import Site

from tests.client.network import Network, Scripted, document, found, silence
from tests.harness.processes import run
from tests.service.test_names import SILENT_NAME_SERVER

ROOT = Path(__file__).resolve().parents[2]


@define
class Run(ProcessProtocol):
    """One process, its output and how it ends."""

    ended: Deferred[int] = field(factory=Deferred)
    out: bytes = b""
    err: bytes = b""

    def outReceived(self, data: bytes) -> None:
        self.out += data

    def errReceived(self, data: bytes) -> None:
        self.err += data

    def processEnded(self, reason: Any) -> None:
        self.ended.callback(0 if reason.check(ProcessDone) else reason.value.exitCode)


def start(*arguments: str, stdin: bytes = b"") -> Run:
    run = Run()
    environ = {name: value for name, value in os.environ.items() if name not in ("AUTH_TOKEN", "MINICLOUD_SERVER")}
    command = [sys.executable, "-m", "minicloud.cli", *arguments]
    reactor.spawnProcess(run, sys.executable, command, env=environ | {"PYTHONUTF8": "0"}, path=str(ROOT))
    run.transport.write(stdin)
    run.transport.closeStdin()
    return run


@pytest.fixture
def network() -> Network:
    return Network()


@pytest.fixture
def server(network: Network) -> Iterator[Scripted]:
    page = Scripted(network, "here", [], None)
    listening = reactor.listenTCP(0, Site(page), interface="127.0.0.1")
    page.port = listening.getHost().port
    yield page
    pytest_twisted.blockon(ensureDeferred(_stop(listening)))


async def _stop(listening: Any) -> None:
    await listening.stopListening()


@pytest_twisted.ensureDeferred
async def test_bytes_go_in_and_come_out_unchanged(network: Network, server: Scripted) -> None:
    every_byte = bytes(range(256)) + b"\r\n\x1a"
    server.script[:] = [document({"revision": 1, "created": True}), found(every_byte, 1)]
    where = f"127.0.0.1:{server.port}"
    assert await start("put", "k", "-", "-server", where, stdin=every_byte).ended == 0
    assert network.seen[0].body == every_byte
    reading = start("-server", where, "get", "k")
    assert await reading.ended == 0
    assert (reading.out, reading.err) == (every_byte, b"")


@pytest_twisted.ensureDeferred
async def test_the_time_limit_reaches_the_node_from_before_the_verb_and_from_after_it(
    network: Network, server: Scripted
) -> None:
    server.script[:] = [found(b"v", 1)] * 3
    where = ("-server", f"127.0.0.1:{server.port}")
    for arguments in (("--timeout", "3", "get", "k"), ("get", "k", "--timeout=7"), ("get", "k")):
        assert await start(*arguments, *where).ended == 0
    told_ms = [int(seen.uri.removeprefix("/kv/k?timeout=").removesuffix("ms")) for seen in network.seen]
    # What a busy machine needs before it sends them is taken off. (By the fake clock, test_timeout.py has them exactly.)
    for told, limit_ms in zip(told_ms, (2750, 6750, 9750), strict=True):
        assert limit_ms - 2500 < told <= limit_ms


@pytest_twisted.ensureDeferred
async def test_errors_go_to_stderr_with_their_status() -> None:
    run = start("-server", "127.0.0.1:1", "get", "k")
    assert await run.ended == 5
    assert run.out == b""
    assert b"connection refused" in run.err


def test_a_name_server_that_is_silent_does_not_hold_up_the_end(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SILENT_NAME_SERVER)
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    command = (sys.executable, "-m", "minicloud.cli")
    ended = run(tmp_path, command, "get", "k", "-s", "silent.invalid:1", "--timeout", "0.5", PYTHONPATH=path)
    assert (ended.returncode, (tmp_path / "asked").exists()) == (5, True)
    assert "no connection within 0.5 s" in ended.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent Ctrl+C alone there")
@pytest_twisted.ensureDeferred
async def test_an_interrupted_write_ends_in_130_and_says_that_it_may_happen(network: Network, server: Scripted) -> None:
    arrived: Deferred[None] = Deferred()

    def interrupt(request: Any) -> int:
        arrived.callback(None)
        return silence(request)

    server.script[:] = [interrupt]
    run = start("-server", f"127.0.0.1:{server.port}", "put", "k", "v")
    await arrived
    run.transport.signalProcess(signal.Signals.SIGINT.name.removeprefix("SIG"))
    assert await run.ended == 130
    assert b"may still happen" in run.err


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent Ctrl+C alone there")
@pytest_twisted.ensureDeferred
async def test_a_bench_that_is_interrupted_twice_ends_in_130_without_a_traceback(
    network: Network, server: Scripted
) -> None:
    def interrupt(request: Any) -> int:
        run.transport.signalProcess(signal.Signals.SIGINT.name.removeprefix("SIG"))
        return silence(request)

    # The key is there; the next request to write it is never answered, and neither is the one to delete it.
    server.script[:] = [document({"revision": 1, "created": True}), interrupt, interrupt]
    alone = ("--connections", "1", "--timeout", "300")
    run = start("bench", "put", *alone, "-server", f"127.0.0.1:{server.port}")
    assert await run.ended == 130
    assert [seen.method for seen in network.seen] == ["PUT", "PUT", "DELETE"]
    assert b"1 key may be left below bench/" in run.err
    assert b"Traceback" not in run.err


@pytest_twisted.ensureDeferred
async def test_a_wrong_server_is_a_usage_error() -> None:
    run = start("-server", "http://a/b", "status")
    assert await run.ended == 2
    assert b"expected an address like" in run.err
    assert b"Traceback" not in run.err


@pytest_twisted.ensureDeferred
async def test_help_needs_no_twisted() -> None:
    code = "import sys; from minicloud.cli.command import run; run(['--help']); sys.exit('twisted' in sys.modules)"
    run = Run()
    reactor.spawnProcess(run, sys.executable, [sys.executable, "-c", code], env=dict(os.environ), path=str(ROOT))
    assert await run.ended == 0
