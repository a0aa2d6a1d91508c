"""The verbs for keys: put, get, delete, list."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from minicloud.cli import exits, output
from minicloud.cli.group import ask, check_key, check_text, cli, write
from minicloud.cli.options import verb_options

if TYPE_CHECKING:
    from minicloud.cli.listing import Listing
    from minicloud.client import Client

PAGE_KEYS = 1000
"""As many as a node gives at once."""


@cli.command()
@click.argument("key", callback=check_key)
@click.argument("value")
@click.option("--if-revision", type=click.IntRange(min=0), metavar="N", help="Only if the key is at revision N.")
@click.option("--if-absent", is_flag=True, help="Only if the key does not exist.")
@verb_options
@click.pass_context
def put(ctx: click.Context, key: str, value: str, if_revision: int | None, if_absent: bool) -> int:
    """Give KEY the value VALUE.

    VALUE is taken as typed; - stands for what comes on stdin, @file for the content of a file (in PowerShell: '@file').
    """
    if if_absent and if_revision is not None:
        raise click.UsageError("--if-revision and --if-absent exclude each other")
    from minicloud.cli.values import read_value

    data = read_value(value)
    done, options = ask(ctx, lambda client: client.put(key, data, if_revision=if_revision, if_absent=if_absent))
    document = {"key": done.key, "revision": done.revision, "created": done.created}
    told = f"{output.printable(key)}: {'created' if done.created else 'changed'}, revision {done.revision}"
    write(options, document, told)
    return exits.OK


@cli.command()
@click.argument("key", callback=check_key)
@click.option("--stale", is_flag=True, help="Take what the server has at hand, even if it is cut off from the others.")
@verb_options
@click.pass_context
def get(ctx: click.Context, key: str, stale: bool) -> int:
    """Write the value of KEY to stdout, byte for byte."""
    found, options = ask(ctx, lambda client: client.get(key, stale=stale))
    if options.output in (None, "plain"):
        output.write_bytes(found.value)
    else:
        write(options, output.value_document(key, found.value, found.revision), "")
    return exits.OK


@cli.command()
@click.argument("key", callback=check_key)
@click.option("--if-revision", type=click.IntRange(min=0), metavar="N", help="Only if the key is at revision N.")
@verb_options
@click.pass_context
def delete(ctx: click.Context, key: str, if_revision: int | None) -> int:
    """Remove KEY. Where there is none, that is fine too."""
    done, options = ask(ctx, lambda client: client.delete(key, if_revision=if_revision))
    document = {"key": done.key, "revision": done.revision, "deleted": done.deleted}
    told = (
        f"{output.printable(key)}: {f'deleted, revision {done.revision}' if done.deleted else 'there was no such key'}"
    )
    write(options, document, told)
    return exits.OK


@cli.command("list", short_help="List the keys, or those that begin with PREFIX.")
@click.argument("prefix", default="", callback=check_text)
@click.option("--start", default="", metavar="KEY", callback=check_text, help="Begin with this key, or the next one.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="No more than N keys.  [default: all]")
@click.option("--values", is_flag=True, help="Show the values, too.")
@click.option("--stale", is_flag=True, help="Take what the server has at hand, even if it is cut off from the others.")
@verb_options
@click.pass_context
def list_keys(ctx: click.Context, prefix: str, start: str, limit: int | None, values: bool, stale: bool) -> int:
    """List the keys that begin with PREFIX, in the order of their bytes. Without PREFIX: all keys.

    In plain output there is a key on each line; with --values a tab and the value follow, in which what could break the
    line is escaped (-o json has every byte). A program gets that as UTF-8. --timeout holds for each page.
    """
    from minicloud.cli.listing import listing
    from minicloud.cli.options import collect

    written = listing(collect(ctx).output, values)

    async def go_through(client: Client) -> None:
        pages = client.pages(
            prefix, start=start, limit=min(limit or PAGE_KEYS, PAGE_KEYS), keys_only=not values, stale=stale
        )
        async for page in pages:
            written.add(page, limit)
            if limit is not None and written.count >= limit:
                break

    ask(ctx, go_through)
    written.end()
    _tell_count(written, prefix)
    return exits.OK


def _tell_count(written: Listing, prefix: str) -> None:
    """Tell a person how many there were. A script counts for itself."""
    if not output.is_terminal():
        return
    below = f" that begin with {output.printable(prefix)}" if prefix else ""
    more = "; there are more" if written.more else ""
    output.talk(f"{written.count} {'key' if written.count == 1 else 'keys'}{below}{more}.")
