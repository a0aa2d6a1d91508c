"""The command itself, on which the verbs hang, and what they share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from minicloud import __version__
from minicloud.cli import output
from minicloud.cli.options import Options, collect, shared_options

if TYPE_CHECKING:
    from minicloud.client import Client

_Result = TypeVar("_Result")

_EPILOG = """\b
Exit status: 0 done, 1 error, 2 usage, 3 not found, 4 conflict,
5 unavailable, 6 outcome unknown, 130 interrupted."""


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EPILOG,
    no_args_is_help=False,
)
@click.version_option(__version__, prog_name="cloudctl", message="%(prog)s %(version)s")
@shared_options
def cli() -> None:
    """Work with a minicloud cluster: its keys and its members.

    These options may stand before the verb or after it.
    """


def check_text(ctx: click.Context, param: click.Parameter, text: str) -> str:
    """Refuse what cannot even be asked for; what else is wrong with a key, the node knows best."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise click.BadParameter("a key is text; half a character (a lone surrogate) is none") from None
    return text


def check_key(ctx: click.Context, param: click.Parameter, key: str) -> str:
    """Refuse what cannot be a key at all."""
    if not key:
        raise click.BadParameter("a key has at least one byte")
    return check_text(ctx, param, key)


def ask(ctx: click.Context, question: Callable[[Client], Awaitable[_Result]]) -> tuple[_Result, Options]:
    """Return what a client answers, and the options that hold."""
    options = collect(ctx)
    # Twisted and treq take most of the start-up time; nothing that needs no server should wait for them.
    from minicloud.cli import session

    return session.ask(options, question), options


def write(options: Options, document: dict[str, Any], told: str) -> None:
    """Write one result: as JSON, as a table of one row, or in a line of words."""
    if options.output == "json":
        output.write_json(document)
    elif options.output == "table":
        output.write_rows("table", tuple(document), [tuple(document.values())])
    else:
        output.write_line(told)
