"""``bench``: how fast a cluster is, as seen from here."""

from __future__ import annotations

import secrets
import sys
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click
from attrs import asdict, frozen

from minicloud.cli import exits, output
from minicloud.cli.group import cli
from minicloud.cli.options import Options, collect, verb_options

if TYPE_CHECKING:
    from minicloud.cli.latencies import Latencies
    from minicloud.cli.load import Measured, Plan, Progress

MAX_CONNECTIONS = 500
"""A client has two connections, to the server that was named and to the leader: as many fit below the usual limit of 1,024
open files. And a node, which takes 900, has room for others meanwhile."""

_COLUMNS = ("load", "requests", "errors", "a second", "p50 ms", "p90 ms", "p99 ms", "max ms")


@cli.command("bench", short_help="Measure how fast the cluster is.")
@click.argument("workload", type=click.Choice(("put", "get", "mixed")))
@click.option(
    "--connections",
    type=click.IntRange(1, MAX_CONNECTIONS),
    default=16,
    metavar="N",
    help="As many at a time.  [default: 16]",
)
@click.option(
    "--value-size", type=click.IntRange(0, 8 << 20), default=100, metavar="BYTES", help="Of each value.  [default: 100]"
)
@click.option(
    "--keys", type=click.IntRange(1, 1_000_000), default=1000, metavar="N", help="Different keys.  [default: 1000]"
)
@click.option(
    "--duration",
    type=click.FloatRange(min=0.1, max=86400),
    default=10.0,
    metavar="SECONDS",
    help="How long to measure.  [default: 10]",
)
@click.option(
    "--reads",
    type=click.FloatRange(0, 100),
    default=80.0,
    metavar="PERCENT",
    help="How much of a mixed load is reads.  [default: 80]",
)
@click.option("--keep", is_flag=True, help="Leave the keys there.")
@verb_options
@click.pass_context
def measure(
    ctx: click.Context,
    workload: str,
    connections: int,
    value_size: int,
    keys: int,
    duration: float,
    reads: float,
    keep: bool,
) -> int:
    """Put and get as much as the cluster takes, and tell throughput and latencies.

    Every connection asks one thing after the other; several of them make load. All keys are below bench/ and a name that
    nobody else has, and are deleted at the end. Requests that fail are counted apart. --timeout holds for each request.
    """
    from minicloud.cli.load import Plan

    prefix = f"bench/{secrets.token_hex(4)}/"
    return _measure(collect(ctx), Plan(workload, connections, value_size, keys, duration, reads, prefix, keep))


def _measure(options: Options, plan: Plan) -> int:
    from minicloud.cli import session
    from minicloud.cli.load import Load

    output.talk(
        f"Writing below {plan.prefix} only; the keys {'stay there' if plan.keep else 'are deleted at the end'}."
    )
    loads: list[Load] = []
    status = exits.OK

    async def work(visit: session.Visit) -> None:
        loads.append(Load(plan, visit, progress))
        await loads[0].run()

    try:
        with _progress() as progress:
            session.run(options, work)
    except session.Interrupted:
        status = exits.INTERRUPTED
    finally:
        if loads:
            _tell_left(plan, loads[0].measured)
    if loads and loads[0].measured.seconds:
        _write(options, plan, loads[0].measured)
    return status


def _progress() -> AbstractContextManager[Progress]:
    if not sys.stderr.isatty():
        return nullcontext(_Silent())
    from minicloud.cli.screen import Bar

    return Bar()


class _Silent:
    """Progress that nobody watches."""

    def show(self, what: str, fraction: float, told: str) -> None:
        """Do nothing."""


def _tell_left(plan: Plan, measured: Measured) -> None:
    if measured.left and not plan.keep:
        output.talk(f"{measured.left} {'key' if measured.left == 1 else 'keys'} may be left below {plan.prefix}")


@frozen
class Result:
    """What a load came to."""

    requests: int
    """Those that succeeded."""
    errors: int
    per_second: float
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    max_ms: float | None

    @classmethod
    def of(cls, latencies: Latencies, errors: int, seconds: float) -> Result:
        """Return what came of requests in that time."""
        rate = latencies.count / seconds if seconds else 0.0
        return cls(
            requests=latencies.count,
            errors=errors,
            per_second=round(rate, 1),
            p50_ms=_milliseconds(latencies.percentile_s(50)),
            p90_ms=_milliseconds(latencies.percentile_s(90)),
            p99_ms=_milliseconds(latencies.percentile_s(99)),
            max_ms=_milliseconds(latencies.longest_s if latencies.count else None),
        )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)


def _write(options: Options, plan: Plan, measured: Measured) -> None:
    """Write the result. Where nothing succeeded, the first error is the result."""
    results = {
        verb: Result.of(latencies, measured.errors[verb], measured.seconds)
        for verb, latencies in measured.latencies.items()
    }
    both = list(measured.latencies.values())
    total = Result.of(sum(both[1:], both[0]), sum(measured.errors.values()), measured.seconds)
    if measured.first_error is not None:
        if not total.requests:
            raise measured.first_error
        output.talk(f"{total.errors} requests failed, the first one so: {output.printable(str(measured.first_error))}")
    if options.output == "json":
        output.write_json(_document(plan, measured, total, results))
    else:
        shown = results | ({"both": total} if len(results) > 1 else {})
        output.write_rows(options.output, _COLUMNS, [_row(what, result) for what, result in shown.items()])


def _document(plan: Plan, measured: Measured, total: Result, results: dict[str, Result]) -> dict[str, Any]:
    return {
        "workload": plan.workload,
        "connections": plan.connections,
        "value_bytes": plan.value_bytes,
        "keys": plan.keys,
        "seconds": round(measured.seconds, 3),
        **asdict(total),
        "verbs": {verb: asdict(result) for verb, result in results.items()},
        "prefix": plan.prefix,
        "keys_left": measured.left,
    }


def _row(what: str, result: Result) -> tuple[object, ...]:
    times = (result.p50_ms, result.p90_ms, result.p99_ms, result.max_ms)
    shown = (None if time_ms is None else f"{time_ms:.2f}" for time_ms in times)
    return (what, result.requests, result.errors, f"{result.per_second:.0f}", *shown)
