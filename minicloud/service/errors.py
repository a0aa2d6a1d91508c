"""Why a node does not start."""

from __future__ import annotations


class StartError(Exception):
    """A node cannot start. The text is one line for a person: the config file, the key, what was expected."""
