"""A newcomer's terminal: a shell with commands pasted into it, where possible in a network and process space of its own.

In a space of its own the ports of the shipped configs are free whatever else runs on the machine, and every process ends
with the shell, daemons included, even if the tests are killed.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.harness.processes import TOP, environment

PORTS = (9001, 9002, 9003, 9011, 9012, 9013)
"""Those of the shipped configs."""

TOUR_LIMIT_S = 300
"""After five minutes a space of its own is ended from outside, whatever goes on in it."""

ANSWER_LIMIT_S = 90
"""For one block of commands, on a machine that has other things to do, too."""

TERMINAL_ROWS, TERMINAL_COLUMNS = 40, 120

_END = b"\x1e"
"""Ends what a block printed. No command prints it."""

_SHELL = ("bash", "--noprofile", "--norc", "-s")
_OWN_SPACE = ("unshare", "--map-root-user", "--net", "--pid", "--fork", "--kill-child")
_LOOPBACK_UP = ("ip", "link", "set", "lo", "up")


def own_space() -> tuple[str, ...]:
    """Return the beginning of a command that is to run in a space of its own; empty where there is no such thing."""
    if sys.platform != "linux" or not all(map(shutil.which, ("timeout", "unshare", "ip"))):
        return ()
    tried = subprocess.run([*_OWN_SPACE, *_LOOPBACK_UP], capture_output=True, timeout=ANSWER_LIMIT_S, check=False)
    if tried.returncode != 0:
        return ()
    ready = f'{" ".join(_LOOPBACK_UP)} && exec "$@"'
    return ("timeout", "--signal=KILL", str(TOUR_LIMIT_S), *_OWN_SPACE, "sh", "-c", ready, "sh")


def taken_ports() -> list[int]:
    """Return which ports of the shipped configs are in use on this machine."""
    taken = []
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                taken.append(port)
    return taken


class Terminal:
    """A shell that was given a folder, and this environment's programs."""

    def __init__(self, folder: Path, space: Sequence[str]) -> None:
        import pty
        import termios

        self.folder = folder
        self._space = space
        self._screen, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (TERMINAL_ROWS, TERMINAL_COLUMNS))
        programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self._process = subprocess.Popen(
            [*space, *_SHELL],
            cwd=folder,
            env=environment(PATH=programs, TERM="xterm"),
            stdin=subprocess.PIPE,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)

    def paste(self, commands: str) -> str:
        """Run a block of commands, and return what appears on the screen."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{commands}\nprintf '\\{_END[0]:o}'\n".encode())
        self._process.stdin.flush()
        shown = b""
        deadline = time.monotonic() + ANSWER_LIMIT_S
        while not shown.endswith(_END):
            ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no end after {ANSWER_LIMIT_S} s:\n{commands}\n{shown.decode()}"
            try:
                shown += os.read(self._screen, 65536)
            except OSError:  # That is how a terminal says that nobody can write to it any more.
                raise AssertionError(f"the shell has ended:\n{commands}\n{shown.decode()}") from None
        return shown.removesuffix(_END).decode("utf-8")

    def close(self) -> None:
        """End the shell and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        os.close(self._screen)
        if not self._space:  # else they have ended with it, and their process ids mean nothing here
            self._end_nodes()

    def _end_nodes(self) -> None:
        for file in self.folder.glob("data/*.pid"):
            pid = file.read_text().strip()
            told = subprocess.run(["ps", "-o", "command=", "-p", pid], capture_output=True, text=True, check=False)
            if re.search(rf"--pidfile data/{re.escape(file.name)}\b", told.stdout):
                os.kill(int(pid), signal.SIGKILL)


@contextlib.contextmanager
def terminal_in(folder: Path) -> Iterator[Terminal]:
    """Give a terminal in a folder that has what a newcomer finds beside the README; skips where the ports are taken."""
    if sys.platform == "win32":
        pytest.skip("the commands are for a POSIX shell")
    if shutil.which("bash") is None or shutil.which("curl") is None:
        pytest.skip("bash and curl are needed to do what the README says")
    space = own_space()
    if not space and (taken := taken_ports()):
        pytest.skip(f"ports {taken} are taken, and this system gives no network of its own (unshare) to test in")
    shutil.copytree(TOP / "configs", folder / "configs")
    terminal = Terminal(folder, space)
    try:
        yield terminal
    finally:
        terminal.close()
