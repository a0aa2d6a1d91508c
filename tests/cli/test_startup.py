"""How soon there is something to see: what is imported, and how long that takes against what cannot be avoided."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.harness.processes import TOP, environment

LATER = ("twisted", "treq", "rich", "msgspec", "asyncio", "ssl", "minicloud.client")

IMPORTED = """
import sys
from minicloud.cli.main import run
run(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
"""

TIMES_CLICK = 10
"""Generous: it is about two. Where click takes 50 ms, this is half a second."""


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment(PYTHONPATH=str(TOP)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("bench", "--help"), ("completion", "bash"), ("nonsense",), ("put", "k")],
)
def test_what_needs_no_server_waits_for_no_import(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    imported = python(tmp_path, "-c", IMPORTED, *arguments).stderr.split()
    assert "minicloud.cli.verbs" in imported
    assert [name for name in imported if name in LATER] == []


@pytest.mark.parametrize("arguments", [("get", "k"), ("members",), ("status",)])
def test_rich_is_imported_for_tables_only(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    imported = python(tmp_path, "-c", IMPORTED, *arguments, "-s", "127.0.0.1:1").stderr.split()
    assert "treq" in imported
    assert "rich" not in imported
    assert "msgspec" not in imported


def fastest_s(folder: Path, *arguments: str) -> float:
    """Return the shortest of several times: what else the machine does only ever adds."""
    times = []
    for _ in range(3):
        started = time.perf_counter()
        python(folder, *arguments)
        times.append(time.perf_counter() - started)
    return min(times)


def test_help_and_a_first_answer_come_soon(tmp_path: Path) -> None:
    unavoidable_s = fastest_s(tmp_path, "-c", "import click")
    assert fastest_s(tmp_path, "-m", "minicloud.cli", "--help") < TIMES_CLICK * unavoidable_s
    with_treq_s = fastest_s(tmp_path, "-c", "import treq, twisted.internet.reactor")
    assert fastest_s(tmp_path, "-m", "minicloud.cli", "get", "k", "-s", "127.0.0.1:1") < 3 * with_treq_s
