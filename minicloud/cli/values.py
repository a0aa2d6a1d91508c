"""The VALUE of a put: as typed, from a file, or from stdin."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO

import click

MAX_VALUE_BYTES = 8 * 1024 * 1024
"""No node can be set to take more; reading on would only fill the memory."""


def read_value(text: str) -> bytes:
    """Return the bytes that VALUE means: those of stdin for ``-``, of a file for ``@file``, else the text itself.

    Raises click.UsageError where they cannot be had.
    """
    if text == "-":
        if sys.stdin is None:  # Python's word for a file descriptor that is closed.
            raise click.UsageError("the value is to come from stdin, which is closed; give it as VALUE, or as @file")
        return _read(sys.stdin.buffer, "stdin")
    if text.startswith("@"):
        try:
            with open(text[1:], "rb") as file:
                return _read(file, text[1:])
        except OSError as error:
            reason = error.strerror or str(error)
            raise click.UsageError(
                f"cannot read {text[1:]!r}: {reason} (a value that begins with @ can come through stdin: put KEY -)"
            ) from None
    return os.fsencode(text)


def _read(stream: BinaryIO, name: str) -> bytes:
    data = stream.read(MAX_VALUE_BYTES + 1)
    if len(data) > MAX_VALUE_BYTES:
        raise click.UsageError(f"{name} is longer than the {MAX_VALUE_BYTES} bytes that a value can have")
    return data
