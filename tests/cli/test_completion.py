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


ZSH = """
zmodload zsh/zpty
zpty typed zsh -f -i
zpty -w typed 'PROMPT= RPROMPT=; autoload -U compinit; compinit -u -D; eval "$(cloudctl completion zsh)"'
zpty -w typed 'show() { print -r -- "<$BUFFER>"; BUFFER=; zle redisplay }; zle -N show; bindkey "^X" show'
zpty -w -n typed "$1"$'\\t\\x18'
zpty -r typed seen '*<cloudctl*>*'
print -r -- "${${seen##*<}%%>*}"
zpty -d typed
"""
"""Types a line into a zsh on a terminal of its own, then Tab, then a key that shows what the line has become."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a ``cloudctl`` for the PATH of a shell."""
    if sys.platform == "win32":
        (tmp_path / "cloudctl.cmd").write_text(f'@"{sys.executable}" -m minicloud.cli %*\n')
        return tmp_path
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
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("cloudctl st", "cloudctl status "),
        ("cloudctl status --w", "cloudctl status --watch "),
        ("cloudctl -s http://a:1 bench m", "cloudctl -s http://a:1 bench mixed "),
        ("cloudctl get key -o t", "cloudctl get key -o table "),
        ("cloudctl completion p", "cloudctl completion powershell "),
        ("cloudctl nonsense x", "cloudctl nonsense x"),
    ],
)
def test_zsh_completes(folder: Path, typed: str, completed: str) -> None:
    assert in_shell(folder, "zsh", "-f", "-c", ZSH, "zsh", typed) == [completed]


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("cloudctl ", VERBS),
        ("cloudctl st", ["status"]),
        ("cloudctl status --w", ["--watch"]),
        ("cloudctl -s http://a:1 bench ", ["get", "mixed", "put"]),
        ("cloudctl completion p", ["powershell"]),
    ],
)
def test_fish_completes(folder: Path, typed: str, completed: list[str]) -> None:
    script = "cloudctl completion fish | source; complete --do-complete $argv[1]"
    found = in_shell(folder, "fish", "--no-config", "-c", script, typed)
    assert sorted(line.split("\t")[0] for line in found) == completed


POWERSHELL = shutil.which("pwsh") or shutil.which("powershell")
"""PowerShell 7, or the one that comes with Windows (which finds powershell.exe there)."""


@pytest.mark.skipif(POWERSHELL is None, reason="needs PowerShell")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("cloudctl st", ["status"]),
        ("cloudctl status --w", ["--watch"]),
        ("cloudctl -s http://a:1 bench m", ["mixed"]),
        ("cloudctl get 'a key' -o ", ["plain", "json", "table"]),
    ],
)
def test_powershell_completes(folder: Path, typed: str, completed: list[str]) -> None:
    quoted = typed.replace("'", "''")
    script = (
        "cloudctl completion powershell | Out-String | Invoke-Expression;"
        f"(TabExpansion2 '{quoted}' {len(typed)}).CompletionMatches.CompletionText"
    )
    assert in_shell(folder, str(POWERSHELL), "-NoProfile", "-Command", script) == completed


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
        [sys.executable, "-c", "from minicloud.cli.command import run; run([])"],
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
