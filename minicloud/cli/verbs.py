"""The verbs: what can be typed, what is asked of the client, and how the answer is written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from minicloud import __version__
from minicloud.cli import exits, output
from minicloud.cli.options import Options, collect, shared_options, verb_options

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from minicloud.client import Client, Member, NodeReport

_Result = TypeVar("_Result")

_MEMBER_COLUMNS = ("node", "suffrage", "leader", "healthy", "match", "lag", "last contact", "http", "raft")
_STATUS_COLUMNS = ("node", "state", "term", "commit", "applied", "leader", "last contact", "uptime", "http", "note")

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


def _check_key(ctx: click.Context, param: click.Parameter, key: str) -> str:
    """Refuse what cannot even be asked for; what else is wrong with a key, the node knows best."""
    try:
        key.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise click.BadParameter("a key is text; half a character (a lone surrogate) is none") from None
    if not key:
        raise click.BadParameter("a key has at least one byte")
    return key


def _ask(ctx: click.Context, question: Callable[[Client], Deferred[_Result]]) -> tuple[_Result, Options]:
    options = collect(ctx)
    # Twisted and treq take most of the start-up time; nothing that needs no server should wait for them.
    from minicloud.cli.session import ask

    return ask(options, question), options


def _done(ctx: click.Context, question: Callable[[Client], Deferred[None]], told: str, document: dict[str, Any]) -> int:
    _nothing, options = _ask(ctx, question)
    if options.output == "json":
        output.write_json(document)
    else:
        output.write_line(told)
    return exits.OK


@cli.command()
@click.argument("key", callback=_check_key)
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
    done, options = _ask(ctx, lambda client: client.put(key, data, if_revision=if_revision, if_absent=if_absent))
    document = {"key": done.key, "revision": done.revision, "created": done.created}
    told = f"{output.printable(key)}: {'created' if done.created else 'changed'}, revision {done.revision}"
    _write(options, document, told)
    return exits.OK


@cli.command()
@click.argument("key", callback=_check_key)
@click.option("--stale", is_flag=True, help="Take what the server has at hand, even if it is cut off from the others.")
@verb_options
@click.pass_context
def get(ctx: click.Context, key: str, stale: bool) -> int:
    """Write the value of KEY to stdout, byte for byte."""
    found, options = _ask(ctx, lambda client: client.get(key, stale=stale))
    if options.output in (None, "plain"):
        output.write_bytes(found.value)
    else:
        _write(options, output.value_document(key, found.value, found.revision), "")
    return exits.OK


@cli.command()
@click.argument("key", callback=_check_key)
@click.option("--if-revision", type=click.IntRange(min=0), metavar="N", help="Only if the key is at revision N.")
@verb_options
@click.pass_context
def delete(ctx: click.Context, key: str, if_revision: int | None) -> int:
    """Remove KEY. Where there is none, that is fine too."""
    done, options = _ask(ctx, lambda client: client.delete(key, if_revision=if_revision))
    document = {"key": done.key, "revision": done.revision, "deleted": done.deleted}
    told = (
        f"{output.printable(key)}: {f'deleted, revision {done.revision}' if done.deleted else 'there was no such key'}"
    )
    _write(options, document, told)
    return exits.OK


@cli.command()
@verb_options
@click.pass_context
def members(ctx: click.Context) -> int:
    """List the members of the cluster.

    "lag" is how many log entries a member is behind the leader; - is what the answering node cannot know.
    """
    cluster, options = _ask(ctx, lambda client: client.members())
    if options.output == "json":
        output.write_json(cluster.document)
        return exits.OK
    output.write_rows(options.output, _MEMBER_COLUMNS, map(_member_row, cluster.members))
    if not any(member.is_leader for member in cluster.members):
        output.talk(f"{cluster.server} knows of no leader.")
    elif cluster.failure_tolerance is not None:
        voters = sum(member.suffrage == "Voter" for member in cluster.members)
        output.talk(f"Voters: {voters}. More that may fail before the cluster stops: {cluster.failure_tolerance}.")
    return exits.OK


def _member_row(member: Member) -> tuple[object, ...]:
    return (
        member.node_id,
        member.suffrage.lower(),
        member.is_leader,
        member.healthy,
        member.match_index,
        member.lag_entries,
        output.milliseconds(member.last_contact_ms),
        member.http_addr,
        member.raft_addr,
    )


@cli.command()
@verb_options
@click.pass_context
def status(ctx: click.Context) -> int:
    """Ask every member how it is. One that gives no answer is listed with the reason."""
    reports, options = _ask(ctx, lambda client: client.status())
    if options.output == "json":
        output.write_json({"members": [_report_document(report) for report in reports]})
    else:
        output.write_rows(options.output, _STATUS_COLUMNS, map(_status_row, reports))
    return exits.OK


def _report_document(report: NodeReport) -> dict[str, Any]:
    return {
        "node_id": report.node_id,
        "server": report.server,
        "reachable": report.status is not None,
        "reason": report.reason,
        "status": report.status,
    }


def _status_row(report: NodeReport) -> tuple[object, ...]:
    http = report.server.partition("://")[2]
    if report.status is None:
        return (report.node_id, "unreachable", *[None] * 6, http, report.reason)
    told = report.status
    note = "" if told.get("node_id") == report.node_id else f"it says that it is {told.get('node_id')}"
    numbers = (told.get(name) for name in ("term", "commit_index", "applied_index"))
    contact = output.milliseconds(told.get("last_contact_ms"))
    age = output.duration(told.get("uptime_seconds"))
    return (report.node_id, told.get("state"), *numbers, told.get("leader_id"), contact, age, http, note)


@cli.command(short_help="Make a node a member.")
@click.argument("node_id", metavar="ID")
@click.argument("raft_addr", metavar="RAFT_ADDR")
@click.option(
    "--http-addr", default="", metavar="HOST:PORT", help="Where clients reach it.  [default: Raft port less 10]"
)
@click.option("--learner", is_flag=True, help="Let it follow without a vote.")
@verb_options
@click.pass_context
def join(ctx: click.Context, node_id: str, raft_addr: str, http_addr: str, learner: bool) -> int:
    """Make the running node ID, which listens for its peers on RAFT_ADDR (host:port), a member."""
    return _done(
        ctx,
        lambda client: client.join(node_id, raft_addr, http_addr=http_addr, voter=not learner),
        f"{output.printable(node_id)}: is a member now"
        + ("" if learner else ", and gets its vote once it has caught up"),
        {"node_id": node_id, "joined": True},
    )


@cli.command(short_help="Take a member out.")
@click.argument("node_id", metavar="ID")
@click.option("--force", is_flag=True, help="Even if the healthy voters that are left are too few to go on.")
@verb_options
@click.pass_context
def remove(ctx: click.Context, node_id: str, force: bool) -> int:
    """Remove the member ID from the cluster."""
    told = f"{output.printable(node_id)}: is no member any more"
    return _done(ctx, lambda client: client.remove(node_id, force=force), told, {"node_id": node_id, "removed": True})


@cli.command(short_help="Move leadership.")
@click.argument("node_id", metavar="[ID]", required=False)
@verb_options
@click.pass_context
def transfer(ctx: click.Context, node_id: str | None) -> int:
    """Make the member ID the leader, or the one that is best placed."""
    told = "leadership has moved" if node_id is None else f"{output.printable(node_id)}: leads now"
    return _done(ctx, lambda client: client.transfer(node_id), told, {"node_id": node_id, "transferred": True})


def _write(options: Options, document: dict[str, Any], told: str) -> None:
    """Write one result: as JSON, as a table of one row, or in a line of words."""
    if options.output == "json":
        output.write_json(document)
    elif options.output == "table":
        output.write_rows("table", tuple(document), [tuple(document.values())])
    else:
        output.write_line(told)
