"""One command line, from its arguments to its exit status."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from contextlib import suppress

import click

from minicloud.cli import exits
from minicloud.cli.output import printable, talk
from minicloud.cli.verbs import cli


def run(arguments: Sequence[str]) -> int:
    """Do what these arguments say and return the exit status."""
    try:
        # On Windows click would expand * and $ in what it takes from sys.argv itself; keys may well contain them.
        status = cli.main(args=list(arguments), prog_name="cloudctl", standalone_mode=False)
    except click.ClickException as error:
        with suppress(OSError):  # Where stderr takes nothing, there is nobody to tell it to.
            error.show()
        if isinstance(error, click.NoSuchOption):
            talk("If that is a key or a value and no option, put -- before it.")
        return error.exit_code
    except click.Abort:  # What click makes of KeyboardInterrupt; once anything is asked, the reactor has the signal.
        talk(f"cloudctl: {exits.NOTHING_ASKED}")
        return exits.INTERRUPTED
    except OSError as error:
        return _cannot_write(error)
    except Exception as error:
        return _explain(error)
    return status if isinstance(status, int) else exits.OK


def _cannot_write(error: OSError) -> int:
    """Tell that a result did not get where it should go. What a server or a file does to us has errors of its own."""
    if error.errno in exits.TOO_MANY_FILES:
        raise error
    if error.errno != errno.EINVAL:  # That is how Windows says that nobody reads on, which is no news to the user.
        talk(f"cloudctl: cannot write the result: {error.strerror or error}")
    return exits.ERROR


def _explain(error: Exception) -> int:
    """Tell the user about an error of the client. Any other is a bug, and keeps its traceback."""
    from minicloud.cli.failures import explain
    from minicloud.cli.session import Interrupted
    from minicloud.client import ClientError

    if isinstance(error, Interrupted):
        talk("cloudctl: interrupted; a change that was asked for may still happen")
        return exits.INTERRUPTED
    if not isinstance(error, ClientError):
        raise error
    explanation = explain(error)
    talk(f"cloudctl: {printable(explanation.happened)}")
    if explanation.try_next:
        talk(f"Try: {explanation.try_next}.")
    return explanation.status
