"""Stdout and stderr as everything else may expect them: there, and able to take any character.

Python has None in the place of a stream whose file descriptor is closed. Some of what writes takes that for a reason to write
nothing and to go on, so that a result is lost in silence; the rest breaks.
"""

from __future__ import annotations

import errno
import io
import sys
from contextlib import suppress
from typing import Any


def make_ready() -> None:
    """Put something in the place of what is closed, and let no character turn a result into an error.

    Whoever writes a result to a stdout that is closed gets OSError. What is said on a stderr that is closed goes nowhere.
    """
    if sys.stdout is None:
        sys.stdout = _text(_Closed())
    if sys.stderr is None:
        sys.stderr = _text(_Nowhere())
    for stream in (sys.stdout, sys.stderr):
        # A console or file in an old Windows code page must not turn a result into an error.
        with suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # TextIO has it where it is a file.


def _text(stream: io.RawIOBase) -> io.TextIOWrapper[Any]:
    # Nothing is kept back for a later write: whoever writes learns at once that it is of no use.
    return io.TextIOWrapper(stream, "utf-8", write_through=True)


class _Closed(io.RawIOBase):
    """Takes nothing, and says why."""

    def writable(self) -> bool:
        """Return that it is there to be written to."""
        return True

    def write(self, data: Any) -> int:
        """Raise OSError."""
        raise OSError(errno.EBADF, "stdout is closed; > /dev/null throws results away")


class _Nowhere(io.RawIOBase):
    """Takes everything, and keeps nothing."""

    def writable(self) -> bool:
        """Return that it is there to be written to."""
        return True

    def write(self, data: Any) -> int:
        """Return that all of it has been taken."""
        return len(data)
