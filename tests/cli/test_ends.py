"""How the process ends when Ctrl+C comes too early or too late, when no more files can be opened, or a stream is closed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.real_cluster import CLOUDCTL
from tests.harness.processes import START_LIMIT_S, TOP, environment

AT_IMPORT = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise {error}

sys.meta_path.insert(0, Finder())
"""
"""Raises an error where a module is about to be imported."""

AT_THE_END = """
import os, signal, sys

class Last:
    def __del__(self, kill=os.kill, process_id=os.getpid(), number=signal.SIGINT):
        kill(process_id, number)

last = Last()
"""
"""Sends Ctrl+C while Python clears its modules, after it has put all signals back to their defaults."""


def ended(folder: Path, sitecustomize: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run cloudctl after that code."""
    (folder / "sitecustomize.py").write_text(sitecustomize)
    return subprocess.run(
        [*CLOUDCTL, *arguments],
        env=environment(PYTHONPATH=os.pathsep.join([str(folder), str(TOP)])),
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
        check=False,
    )


EARLY = ["click", "minicloud.cli.output", "minicloud.cli.session", "twisted.internet.reactor"]


@pytest.mark.parametrize("name", EARLY)
def test_ctrl_c_during_the_imports_ends_in_130_without_a_traceback(tmp_path: Path, name: str) -> None:
    done = ended(tmp_path, AT_IMPORT.format(name=name, error="KeyboardInterrupt"), "put", "k", "v", "-s", "127.0.0.1:1")
    told = "cloudctl: interrupted; nothing was asked for yet\n"
    assert (done.returncode, done.stdout, done.stderr.lstrip("\n")) == (130, "", told)


@pytest.mark.parametrize("name", [*EARLY, "minicloud.cli.failures"])
def test_a_limit_of_open_files_that_is_too_low_is_told_in_a_line(tmp_path: Path, name: str) -> None:
    error = "OSError(24, 'Too many open files')"
    done = ended(tmp_path, AT_IMPORT.format(name=name, error=error), "put", "k", "v", "-s", "127.0.0.1:1")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("cloudctl: Too many open files; a higher limit helps")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be sent Ctrl+C alone there")
@pytest.mark.parametrize(("arguments", "status"), [(("--version",), 0), (("get", "k", "-s", "127.0.0.1:1"), 5)])
def test_ctrl_c_on_the_way_out_leaves_the_status_as_it_is(
    tmp_path: Path, arguments: tuple[str, ...], status: int
) -> None:
    done = ended(tmp_path, AT_THE_END, *arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (status, False)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
def test_a_closed_stdin_has_no_value() -> None:
    done = ended_in_shell("put", "k", "-", "<&-")
    assert done.returncode == 2
    assert "stdin, which is closed" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("verb", [("list",), ("members",), ("get", "k")])
def test_a_closed_stdout_is_no_traceback(verb: tuple[str, ...]) -> None:
    done = ended_in_shell(*verb, "-s", "127.0.0.1:1", ">&-")
    assert (done.returncode, "Traceback" in done.stderr) == (5, False)


def ended_in_shell(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", " ".join((*CLOUDCTL, *words))],
        env=environment(),
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
        check=False,
    )
