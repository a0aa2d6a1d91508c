"""All verbs: whoever imports ``cli`` from here has the command complete."""

from __future__ import annotations

from minicloud.cli.bench import measure
from minicloud.cli.cluster import join, members, remove, status, transfer
from minicloud.cli.completion import write_script
from minicloud.cli.group import cli
from minicloud.cli.keys import delete, get, list_keys, put

__all__ = [
    "cli",
    "delete",
    "get",
    "join",
    "list_keys",
    "measure",
    "members",
    "put",
    "remove",
    "status",
    "transfer",
    "write_script",
]
