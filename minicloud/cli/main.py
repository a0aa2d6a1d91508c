"""The way in to ``cloudctl``."""

from __future__ import annotations

import contextlib
import errno
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from minicloud.cli import exits
from minicloud.cli.output import printable, talk
from minicloud.cli.verbs import cli


def main() -> NoReturn:
    """Do what the command line says, and exit with its status."""
    for stream in (sys.stdout, sys.stderr):
        # A console or file in an old Windows code page must not turn a result into an error.
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # TextIO has it where it is a file.
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Do what these arguments say and return the exit status."""
    try:
        # On Windows click would expand * and $ in what it takes from sys.argv itself; keys may well contain them.
        status = cli.main(args=list(arguments), prog_name="cloudctl", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        if isinstance(error, click.NoSuchOption):
            talk("If that is a key or a value and no option, put -- before it.")
        return error.exit_code
    except click.Abort:
        return _interrupted()
    except OSError as error:
        return _cannot_write(error)
    except Exception as error:
        return _explain(error)
    return status if isinstance(status, int) else exits.OK


def _interrupted() -> int:
    talk("cloudctl: interrupted; a change that was asked for may still happen")
    return exits.INTERRUPTED


def _cannot_write(error: OSError) -> int:
    """Tell that a result did not get where it should go. What a server or a file does to us has errors of its own."""
    if error.errno != errno.EINVAL:  # That is how Windows says that nobody reads on, which is no news to the user.
        talk(f"cloudctl: cannot write the result: {error.strerror or error}")
    return exits.ERROR


def _explain(error: Exception) -> int:
    """Tell the user about an error of the client. Any other is a bug, and keeps its traceback."""
    from minicloud.cli.failures import explain
    from minicloud.cli.session import Interrupted
    from minicloud.client import ClientError

    if isinstance(error, Interrupted):
        return _interrupted()
    if not isinstance(error, ClientError):
        raise error
    explanation = explain(error)
    talk(f"cloudctl: {printable(explanation.happened)}")
    if explanation.try_next:
        talk(f"Try: {explanation.try_next}.")
    return explanation.status
