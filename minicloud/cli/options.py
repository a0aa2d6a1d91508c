"""Options that may stand before the verb and after it, where the last one counts."""

from __future__ import annotations

import codecs
import math
import os
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import click
from attrs import frozen

DEFAULT_SERVERS = ("http://127.0.0.1:9001",)
"""The first node of the shipped configuration. Said here again, since the client takes long to import."""

DEFAULT_TIMEOUT_S = 10.0
MAX_TIMEOUT_S = 300.0
"""Longest time limit that nodes accept."""

MAX_TOKEN_BYTES = 4096
"""A token travels in a header line; servers refuse much longer ones."""

_MAX_TOKEN_FILE_BYTES = 2 * (MAX_TOKEN_BYTES + 2)
"""As much of a file as tells a token from what is longer than one, where each character has two bytes and a mark goes before."""

_ENCODING_BY_MARK = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
"""Windows PowerShell 5.1 writes text files so: UTF-16 after >, UTF-8 on request, each with a mark at the beginning."""

_EXPECTED_TOKEN = "expected to hold a token: one line of printable ASCII"

FORMATS = ("plain", "json", "table")

_Command = TypeVar("_Command", bound=Callable[..., Any])


@frozen
class Options:
    """What holds for every verb."""

    servers: tuple[str, ...]
    """As the user wrote them."""
    token: str
    output: str | None
    """One of FORMATS; None where the verb may choose."""
    timeout_s: float


def _remember(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    """Keep what was given; a later place on the command line overrides an earlier one."""
    if value is None or value == ():
        return
    for text in value if isinstance(value, tuple) else (value,):
        refuse_empty(ctx, param, text)
    ctx.ensure_object(dict)[param.name] = value


def refuse_empty(ctx: click.Context, param: click.Parameter, value: Any) -> Any:
    """Refuse an option with an empty value: most often a variable that was not set, and without it all would be different."""
    if value == "":
        raise click.BadParameter("it is empty; give it a value, or leave the option out")
    return value


def _remember_seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= MAX_TIMEOUT_S:  # Not a number fails every comparison.
        raise click.BadParameter(f"{value!r} is not a number of seconds above 0 and up to {MAX_TIMEOUT_S:g}")
    _remember(ctx, param, seconds)


def shared_options(command: _Command, hidden: bool = False) -> _Command:
    """Give a verb, or the group of all verbs, the options that hold everywhere; ``hidden``: not named in its help."""
    for option in (_timeout, _output, _token_file, _servers):
        command = option(expose_value=False, hidden=hidden)(command)
    return command


def verb_options(command: _Command) -> _Command:
    """Let the options that hold everywhere stand after the verb, too."""
    return shared_options(command, hidden=True)


_servers = partial(
    click.option,
    "-s",
    "-server",
    "--server",
    "servers",
    multiple=True,
    metavar="URL[,URL...]",
    callback=_remember,
    help="Servers to ask, in this order until one answers.  [env: MINICLOUD_SERVER; default: http://127.0.0.1:9001]",
)
_token_file = partial(
    click.option,
    "--token-file",
    type=click.Path(),  # So that shells complete names of files.
    metavar="FILE",
    callback=_remember,
    help="File that holds the cluster's token.  [default: the token in the environment variable AUTH_TOKEN]",
)
_output = partial(
    click.option,
    "-o",
    "--output",
    type=click.Choice(FORMATS),
    callback=_remember,
    help="How to write results: plain text (lists with tabs), JSON, or a table.",
)
_timeout = partial(
    click.option,
    "--timeout",
    "timeout_s",
    metavar="SECONDS",
    callback=_remember_seconds,
    help=f"Give up after that long, all retries included.  [default: {DEFAULT_TIMEOUT_S:g}]",
)


def collect(ctx: click.Context) -> Options:
    """Return the options as given on the command line, else by the environment, else by default.

    Raises click.UsageError.
    """
    given: dict[str, Any] = ctx.ensure_object(dict)
    from_environment = os.environ.get("MINICLOUD_SERVER", "")
    token_file = given.get("token_file")
    return Options(
        servers=given.get("servers") or ((from_environment,) if from_environment else DEFAULT_SERVERS),
        token=_token_of_environment() if token_file is None else _read_token(token_file),
        output=given.get("output"),
        timeout_s=given.get("timeout_s", DEFAULT_TIMEOUT_S),
    )


def _token_of_environment() -> str:
    token = os.environ.get("AUTH_TOKEN", "").strip()
    if token and not _is_token(token):
        raise click.UsageError(f"the environment variable AUTH_TOKEN is {_EXPECTED_TOKEN}")
    return token


def _read_token(path: str) -> str:
    try:
        with open(path, "rb") as file:
            token = _text(file.read(_MAX_TOKEN_FILE_BYTES)).strip()
    except OSError as error:
        raise click.UsageError(f"--token-file: cannot read {path!r}: {error.strerror or error}") from None
    if not _is_token(token):
        raise click.UsageError(f"--token-file: {path!r} is {_EXPECTED_TOKEN}")
    return token


def _text(content: bytes) -> str:
    """Return what a file says. What cannot be read becomes a character that no token has."""
    encoding = next((name for mark, name in _ENCODING_BY_MARK.items() if content.startswith(mark)), "ascii")
    return content.decode(encoding, "replace")


def _is_token(text: str) -> bool:
    return 0 < len(text) <= MAX_TOKEN_BYTES and text.isascii() and text.isprintable()
