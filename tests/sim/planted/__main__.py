"""``python -m tests.sim.planted``: plants each bug, and tells which invariant catches it after how many seeds."""

from __future__ import annotations

import argparse
import functools
import multiprocessing
import sys

from tests.sim.campaign import quiet
from tests.sim.planted.hunt import Catch, hunt
from tests.sim.planted.table import BUGS


def _hunt(name: str, seeds: int) -> tuple[str, Catch | None]:
    return name, hunt(BUGS[name], range(seeds))


def main() -> int:
    """Do what the command line says; return the exit status: 1 where a bug was not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.sim.planted", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10_000, help="how many, at most, for each bug (10000)")
    parser.add_argument("--only", nargs="+", choices=BUGS, metavar="NAME", help="these bugs")
    parser.add_argument("--jobs", type=int, default=2, help="processes at once (2)")
    parser.add_argument("--details", action="store_true", help="what was wrong, too")
    arguments = parser.parse_args()
    missed = 0
    print(f"{'bug':<44} {'caught by':<30} {'seeds':>6} {'seconds':>8}")
    with multiprocessing.Pool(arguments.jobs, initializer=quiet, maxtasksperchild=8) as pool:
        found = pool.imap(functools.partial(_hunt, seeds=arguments.seeds), arguments.only or BUGS)
        for name, catch in found:
            missed += catch is None
            if catch is None:
                print(f"{name:<44} NOT CAUGHT{arguments.seeds:>27}", flush=True)
                continue
            print(f"{name:<44} {catch.invariant:<30} {catch.seeds:>6} {catch.seconds:>8.1f}", flush=True)
            if arguments.details:
                print(f"    {catch.detail[:300]}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
