"""``python -m tests.sim``: a campaign of seeds, or one seed replayed."""

from __future__ import annotations

import argparse
import functools
import random
import sys
from pathlib import Path

from tests.sim.campaign import Campaign, cores, parse_kinds, parse_nodes, quiet, run_campaign, summary
from tests.sim.faults import FAULTS
from tests.sim.plan import Plan, draw_plan
from tests.sim.run import Result, run_plan
from tests.sim.shrink import shrink

FRESH_SEEDS = range(1 << 20, 1 << 40)
"""Where ``--first fresh`` draws from: far from what anybody types."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sim", description=__doc__)
    kinds = functools.partial(parse_kinds, known=tuple(FAULTS))
    kinds.__name__ = "kinds of faults"  # type: ignore[attr-defined]  # what argparse calls it in an error
    parser.add_argument("--seeds", type=int, default=1000, help="how many (1000)")
    parser.add_argument("--first", default="0", help="the first seed, or fresh for one that nobody has run (0)")
    parser.add_argument("--nodes", type=parse_nodes, default=(3, 5), help="numbers of voters to draw from (3,5)")
    parser.add_argument("--faults", type=kinds, default=tuple(FAULTS), help="all, none, or names (all)")
    parser.add_argument("--jobs", type=int, default=cores(), help="processes at once (the number of cores)")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin nothing after so many minutes")
    parser.add_argument("--state", type=Path, help="file that remembers what is done, to go on from")
    parser.add_argument("--hashes", type=Path, help="file for the trace hash of each seed")
    parser.add_argument("--seed", type=int, help="replay this seed alone")
    parser.add_argument("--trace", action="store_true", help="with --seed: print the timeline")
    parser.add_argument("--no-shrink", action="store_true", help="leave failing seeds as they are")
    return parser.parse_args()


def main() -> int:
    """Do what the command line says; return the exit status: 1 where an invariant was violated."""
    arguments = _arguments()
    quiet()
    if arguments.seed is not None:
        return _replay(arguments)
    first = random.SystemRandom().choice(FRESH_SEEDS) if arguments.first == "fresh" else int(arguments.first)
    campaign = Campaign(first, arguments.seeds, arguments.nodes, arguments.faults)
    print(f"{campaign.seeds:,} seeds from {first} on, on {arguments.jobs} cores", file=sys.stderr, flush=True)
    totals = run_campaign(
        campaign, jobs=arguments.jobs, minutes=arguments.minutes, state=arguments.state, talk=sys.stderr
    )
    if arguments.hashes is not None:
        arguments.hashes.write_text("".join(f"{seed} {text}\n" for seed, text in sorted(totals.hashes)))
    print(summary(totals), flush=True)
    if totals.violations and not arguments.no_shrink:
        seed = min(totals.violations)[0]
        _shrunk(draw_plan(seed, arguments.nodes, arguments.faults), min(totals.violations)[1])
    return 1 if totals.violations else 0


def _replay(arguments: argparse.Namespace) -> int:
    plan = draw_plan(arguments.seed, arguments.nodes, arguments.faults)
    result = run_plan(plan, keeps_timeline=arguments.trace)
    _print_result(plan, result)
    if not result.violation:
        return 0
    if not arguments.no_shrink:
        _shrunk(plan, result.violation)
    return 1


def _shrunk(plan: Plan, violation: str) -> None:
    print(f"\nseed {plan.seed} made smaller ({len(plan.faults)} faults, {len(plan.requests)} requests) …", flush=True)
    smaller = shrink(plan, violation)
    _print_result(smaller, run_plan(smaller, keeps_timeline=True))


def _print_result(plan: Plan, result: Result) -> None:
    print("\n".join(result.timeline or ()))
    print(f"\nseed {plan.seed}, {plan.settings}")
    print(f"{len(plan.faults)} faults, {len(plan.requests)} requests, {result.steps:,} steps, {result.trace_hash}")
    for fault in plan.faults:
        print(f"  {fault}")
    print(f"violated: {result.violation}: {result.detail}" if result.violation else "all invariants held")


if __name__ == "__main__":
    sys.exit(main())
