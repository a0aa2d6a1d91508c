"""The commands of two shells, put into the same words, so that they can be compared."""

from __future__ import annotations

import re

_POSIX = (
    (r"^mkdir -p data$", ""),  # for the files of processes in the background, which PowerShell puts into windows
    (r"^for n in 1 2 3; do (.*); done$", r"for each node: \1"),
    (
        r"twistd --pidfile data/node(\S+)\.pid --logfile data/node\1\.log minicloud --config configs/node\1\.yaml",
        r"start node \1",
    ),
    (r"kill -9 (\$\(cat data/node(\S+)\.pid\)) && rm data/node\2\.pid", r"kill \1"),
    (r"kill \$\(cat data/node(\S+)\.pid\)", r"end node \1"),
    (r'^until (.*) \| grep "(.*)"; do sleep 1; done$', r"repeat until \2: \1"),
    (r"^revision=\$\((.*) \| sed -n 's/\^ETag: .*\)$", r"revision is the ETag of: \1"),
    (r" \| grep -E '", " | select '"),
    (r"^export AUTH_TOKEN=(\S+)$", r"AUTH_TOKEN is \1"),
    (r"^unset AUTH_TOKEN$", "AUTH_TOKEN is no more"),
)

_POWERSHELL = (
    (r"\bcurl\.exe\b", "curl"),
    (r"^foreach \(\$n in 1, 2, 3\) \{ (.*) \}$", r"for each node: \1"),
    (r'Start-Process twistd "-n minicloud --config configs\\node(\S+)\.yaml"', r"start node \1"),
    (
        r"Stop-Process -Force -Id \(Get-NetTCPConnection -State Listen -LocalPort 900(\S+)\)\.OwningProcess",
        r"end node \1",
    ),
    (r'^do \{ \$told = (.*) \| Select-String "(.*)" \} until \(\$told\); \$told$', r"repeat until \2: \1"),
    (
        r"^\$revision = \((.*) \| Select-String '\^ETag: .*'\)\.Matches\.Groups\[1\]\.Value$",
        r"revision is the ETag of: \1",
    ),
    (r" \| Select-String '", " | select '"),
    (r'^\$env:AUTH_TOKEN = "(\S+)"$', r"AUTH_TOKEN is \1"),
    (r"^Remove-Item Env:AUTH_TOKEN$", "AUTH_TOKEN is no more"),
)


def posix_commands(text: str) -> list[str]:
    return _commands(text, _POSIX)


def powershell_commands(text: str) -> list[str]:
    return _commands(text, _POWERSHELL)


def _commands(text: str, rules: tuple[tuple[str, str], ...]) -> list[str]:
    commands = []
    for line in text.splitlines():
        for pattern, words in rules:
            line = re.sub(pattern, words, line)
        if line:
            commands.append(line)
    return commands
