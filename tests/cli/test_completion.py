"""What shells are told, and what they make of it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minicloud.cli.completion import SHELLS, VARIABLE
from tests.cli.conftest import Cloudctl

TOP = Path(__file__).parents[2]
VERBS = ["bench", "completion", "delete", "get", "join", "list", "members", "put", "remove", "status", "transfer"]

BASH = """
eval "$(cloudctl completion bash)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_cloudctl_completion cloudctl
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a ``cloudctl`` for the PATH of a shell."""
    script = tmp_path / "cloudctl"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m minicloud.cli "$@"\n')
    script.chmod(0o755)
    return tmp_path


def environment(folder: Path, **more: str) -> dict[str, str]:
    return {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(TOP), **more}


def in_shell(folder: Path, *command: str) -> list[str]:
    """Run a command of a shell and return the lines that it writes."""
    done = subprocess.run(command, env=environment(folder), capture_output=True, text=True, timeout=30, check=True)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="needs bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["cloudctl", ""], VERBS),
        (["cloudctl", "st"], ["status"]),
        (["cloudctl", "status", "--w"], ["--watch"]),
        (["cloudctl", "-s", "http://a:1", "bench", ""], ["put", "get", "mixed"]),
        (["cloudctl", "get", "key", "-o", ""], ["plain", "json", "table"]),
        (["cloudctl", "-ser"], ["-server"]),
        (["cloudctl", "completion", "p"], ["powershell"]),
    ],
)
def test_bash_completes(folder: Path, words: list[str], completed: list[str]) -> None:
    assert in_shell(folder, "bash", "--norc", "-c", BASH, "bash", *words) == completed


@pytest.mark.skipif(shutil.which("zsh") is None, reason="needs zsh")
def test_zsh_takes_the_script(folder: Path) -> None:
    script = 'autoload -U compinit; compinit -u -D; eval "$(cloudctl completion zsh)"; echo $_comps[cloudctl]'
    assert in_shell(folder, "zsh", "-f", "-c", script) == ["_cloudctl_completion"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish_completes(folder: Path) -> None:
    script = 'cloudctl completion fish | source; complete --do-complete "cloudctl st"'
    assert [line.split("\t")[0] for line in in_shell(folder, "fish", "--no-config", "-c", script)] == ["status"]


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="needs PowerShell")
def test_powershell_completes(folder: Path) -> None:
    script = (
        "cloudctl completion powershell | Out-String | Invoke-Expression;"
        "(TabExpansion2 'cloudctl st' 11).CompletionMatches.CompletionText"
    )
    assert in_shell(folder, "pwsh", "-NoProfile", "-Command", script) == ["status"]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_script_asks_cloudctl_through_the_variable(cloudctl: Cloudctl, shell: str) -> None:
    ended = cloudctl("completion", shell)
    script = ended.out.decode("ascii")
    assert (ended.status, ended.err) == (0, "")
    assert f"{shell}_complete" in script
    assert VARIABLE in script
    assert "\r" not in script


def test_the_script_for_powershell_registers_itself_and_leaves_no_variables(cloudctl: Cloudctl) -> None:
    script = cloudctl("completion", "powershell").out.decode()
    assert script.startswith("Register-ArgumentCompleter -Native -CommandName cloudctl, cloudctl.exe -ScriptBlock {\n")
    assert script.count("{") == script.count("}")
    assert script.count("(") == script.count(")")
    given = set(re.findall(r"\$env:(\w+) =", script))
    assert given == {VARIABLE, "COMP_WORDS", "COMP_CWORD"}
    assert given == set(re.findall(r"\bEnv:(\w+)", script.partition("Remove-Item")[2]))


@pytest.mark.parametrize(
    ("words", "typed", "lines"),
    [
        ("", "tr", ["plain\ttransfer\tMove leadership."]),
        ("status\n-o", "", ["plain\tplain\t", "plain\tjson\t", "plain\ttable\t"]),
        ("--token-file", "x", ["file\tx\t"]),
        ("get\na b\n-o", "t", ["plain\ttable\t"]),
    ],
)
def test_powershell_gets_kind_value_and_help_on_a_line(folder: Path, words: str, typed: str, lines: list[str]) -> None:
    asked = {VARIABLE: "powershell_complete", "COMP_WORDS": words, "COMP_CWORD": typed}
    done = subprocess.run(
        [sys.executable, "-c", "from minicloud.cli.main import run; run([])"],
        env=environment(folder, **asked),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert done.stdout.splitlines() == lines


def test_an_unknown_shell_is_a_usage_error(cloudctl: Cloudctl) -> None:
    ended = cloudctl("completion", "cmd")
    assert ended.status == 2
    assert "powershell" in ended.err
