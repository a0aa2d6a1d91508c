"""The verbs for the cluster: members, status, join, remove, transfer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import click

from minicloud.cli import exits, output
from minicloud.cli.group import ask, cli
from minicloud.cli.options import collect, refuse_empty, verb_options

if TYPE_CHECKING:
    from minicloud.client import Client, Member

_MEMBER_COLUMNS = ("node", "suffrage", "leader", "healthy", "match", "lag", "last contact", "http", "raft")
_MEMBER_SPARE = ("match", "raft", "suffrage", "last contact")


@cli.command()
@verb_options
@click.pass_context
def members(ctx: click.Context) -> int:
    """List the members of the cluster.

    "lag" is how many log entries a member is behind the leader; - is what the answering node cannot know.
    """
    cluster, options = ask(ctx, lambda client: client.members())
    if options.output == "json":
        output.write_json(cluster.document)
        return exits.OK
    rows = [_member_row(member) for member in cluster.members]
    styles = [_member_style(member) for member in cluster.members]
    output.write_rows(options.output, _MEMBER_COLUMNS, rows, styles, _MEMBER_SPARE)
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


def _member_style(member: Member) -> str:
    if member.healthy is False:
        return output.BAD
    return output.GOOD if member.is_leader else output.NORMAL


@cli.command(short_help="Ask every member how it is.")
@click.option("--watch", is_flag=True, help="Ask again and again, until Ctrl+C.")
@click.option(
    "--interval",
    "interval_s",
    type=click.FloatRange(min=0.1, max=3600),
    default=1.0,
    metavar="SECONDS",
    help="Pause between two rounds of --watch.  [default: 1]",
)
@verb_options
@click.pass_context
def status(ctx: click.Context, watch: bool, interval_s: float) -> int:
    """Ask every member how it is. One that gives no answer is listed with the reason."""
    from minicloud.cli import watching

    if watch:
        return watching.watch(collect(ctx), interval_s)
    reports, options = ask(ctx, lambda client: client.status())
    watching.write_reports(options.output, reports)
    return exits.OK


def _done(
    ctx: click.Context, question: Callable[[Client], Awaitable[None]], told: str, document: dict[str, Any]
) -> int:
    _nothing, options = ask(ctx, question)
    if options.output == "json":
        output.write_json(document)
    else:
        output.write_line(told)
    return exits.OK


@cli.command(short_help="Make a node a member.")
@click.argument("node_id", metavar="ID")
@click.argument("raft_addr", metavar="RAFT_ADDR")
@click.option(
    "--http-addr",
    metavar="HOST:PORT",
    callback=refuse_empty,
    help="Where clients reach it.  [default: Raft port less 10]",
)
@click.option("--learner", is_flag=True, help="Let it follow without a vote.")
@verb_options
@click.pass_context
def join(ctx: click.Context, node_id: str, raft_addr: str, http_addr: str | None, learner: bool) -> int:
    """Make the running node ID, which listens for its peers on RAFT_ADDR (host:port), a member."""
    return _done(
        ctx,
        lambda client: client.join(node_id, raft_addr, http_addr=http_addr or "", voter=not learner),
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
