"""How the process ends when Ctrl+C comes too early or too late, when no more files can be opened, or a stream is closed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from minicloud.cli.options import FORMATS
from tests.cli.little_node import little_node
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


FULL = Path("/dev/full")
"""Takes nothing that is written to it."""


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


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    with little_node() as server:
        yield server


VERBS = [
    ("put", "k", "v"),
    ("get", "k"),
    ("delete", "k"),
    ("list",),
    ("members",),
    ("status",),
    ("status", "--watch"),
    ("join", "node4", "127.0.0.1:9014"),
    ("remove", "node4"),
    ("transfer",),
    ("bench", "put", "--duration", "0.1", "--keys", "2", "--connections", "2"),
]
WITHOUT_SERVER = [("completion", "bash"), ("--help",), ("--version",), ("put", "--help")]
EVERY_RESULT = [(*verb, "-o", form) for verb in VERBS for form in FORMATS] + WITHOUT_SERVER
CLOSED = "cloudctl: cannot write the result: stdout is closed; > /dev/null throws results away\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("words", EVERY_RESULT, ids=" ".join)
def test_a_result_that_cannot_be_written_is_an_error_in_words(node: str, words: tuple[str, ...]) -> None:
    done = ended_in_shell(*words, ">&-", server=node)
    told = done.stderr.removeprefix(done.stderr.partition(CLOSED)[0])
    assert (done.returncode, told, "Traceback" in done.stderr) == (1, CLOSED, False)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("words", [words for words in EVERY_RESULT if "--watch" not in words], ids=" ".join)
def test_a_closed_stderr_takes_nothing_from_a_result(node: str, words: tuple[str, ...]) -> None:
    done = ended_in_shell(*words, "2>&-", server=node)
    assert (done.returncode, done.stdout != "") == (0, True)


NOWHERE = ["2>&-", pytest.param("2>/dev/full", marks=pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full"))]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("stderr", NOWHERE)
@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("nonsense",), 2),
        (("get",), 2),
        (("get", "k", "--nonsense"), 2),
        (("put", "k", "@nowhere"), 2),
        (("get", "k"), 5),
        (("list", "-o", "table"), 5),
        (("bench", "put"), 5),
        (("bench", "put", "-o", "json"), 5),
        (("status", "--watch"), 5),
    ],
    ids=str,
)
def test_a_stderr_that_takes_nothing_leaves_the_status_as_it_is(
    words: tuple[str, ...], status: int, stderr: str
) -> None:
    done = ended_in_shell(*words, stderr, server="127.0.0.1:1")
    assert (done.returncode, done.stdout) == (status, "")


@pytest.mark.skipif(not FULL.exists(), reason="needs /dev/full")
def test_an_early_end_is_the_same_where_it_can_be_told_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(AT_IMPORT.format(name="click", error="KeyboardInterrupt"))
    path = os.pathsep.join([str(tmp_path), str(TOP)])
    assert ended_in_shell("get", "k", "2>/dev/full", PYTHONPATH=path).returncode == 130


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("verb", [("list",), ("members",), ("get", "k")])
def test_where_there_is_no_result_a_closed_stdout_changes_nothing(verb: tuple[str, ...]) -> None:
    done = ended_in_shell(*verb, ">&-", server="127.0.0.1:1")
    assert (done.returncode, "Traceback" in done.stderr) == (5, False)


def test_a_result_comes_through_a_code_page_that_has_not_its_characters(node: str) -> None:
    done = subprocess.run(
        [*CLOUDCTL, "put", "\u043a\u043b\u044e\u0447", "v", "-s", node],
        env=environment(PYTHONIOENCODING="cp1252", PYTHONUTF8="0"),
        cwd=TOP,
        capture_output=True,
        timeout=START_LIMIT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.split(b":")[0] == rb"\u043a\u043b\u044e\u0447"


def ended_in_shell(*words: str, server: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run cloudctl in a shell, with these words and redirections."""
    return subprocess.run(
        ["sh", "-c", " ".join((*CLOUDCTL, *words))],
        env=environment(MINICLOUD_SERVER=server, **variables),
        cwd=TOP,
        capture_output=True,
        text=True,
        timeout=START_LIMIT_S,
        check=False,
    )
