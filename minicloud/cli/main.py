"""The way in to ``cloudctl``.

It imports next to nothing before it is ready for Ctrl+C, and for a limit of open files that ends an import half way.
"""

from __future__ import annotations

import sys
from typing import NoReturn

from minicloud.cli import exits


def main() -> NoReturn:
    """Do what the command line says, and exit with its status."""
    try:
        status = _run()
    except KeyboardInterrupt:
        status = _end(exits.INTERRUPTED, exits.NOTHING_ASKED)
    except OSError as error:
        if error.errno not in exits.TOO_MANY_FILES:
            raise
        status = _end(exits.ERROR, f"{error.strerror}; a higher limit helps (in a POSIX shell: ulimit -n 1024)")
    _leave(status)


def _run() -> int:
    from minicloud.cli import streams

    streams.make_ready()
    from minicloud.cli.command import run

    return run(sys.argv[1:])


def _end(status: int, told: str) -> int:
    """Say how it ended, without a module that may not be there yet."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(f"cloudctl: {told}\n")
    except OSError:
        return status  # Where stderr takes nothing, there is nobody to tell it to.
    return status


def _leave(status: int) -> NoReturn:
    """Exit. Ctrl+C changes nothing any more: Python would end by the signal, and its status would be lost."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(status)
