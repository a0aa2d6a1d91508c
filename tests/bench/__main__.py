"""``python -m tests.bench``: three real nodes on this machine, how fast they are, and how fast they fail over."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

from minicloud import __version__
from tests.bench.cluster import Cluster, cluster_in
from tests.bench.failover import Outage, kill_leaders, silence_leaders
from tests.bench.load import HEADING, KEYS, VALUE, fill, load_driver
from tests.bench.numbers import median

CONNECTIONS = (1, 16, 64, 256)
SILENCES = 5
"""Each costs a whole election timeout and tells little more than the one before."""


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def connection_counts(text: str) -> tuple[int, ...]:
    return tuple(positive(part) for part in text.split(","))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--seconds", type=positive, default=10, help="length of each load (default: %(default)s)")
    parser.add_argument(
        "--connections",
        type=connection_counts,
        default=CONNECTIONS,
        metavar="N[,N...]",
        help="keep-alive connections of each load (default: 1,16,64,256)",
    )
    parser.add_argument(
        "--failovers", type=int, default=20, help="leaders killed one after the other; 0: none (default: %(default)s)"
    )
    parser.add_argument("--driver", choices=("wrk", "treq"), help="what makes the load (default: wrk where installed)")
    parser.add_argument("--folder", type=Path, help="where the nodes keep their data (default: a temporary folder)")
    return parser.parse_args()


def measure_load(cluster: Cluster, options: argparse.Namespace) -> None:
    driver = load_driver(options.driver)
    print(f"\nLoad made by {driver.name}, {options.seconds} s each; {KEYS} keys, values of {len(VALUE)} bytes.\n")
    fill(cluster.leader())
    print(HEADING, flush=True)
    for connections in options.connections:
        leader = cluster.leader()
        follower = cluster.others(leader)[0]
        for what, method, node in (
            ("PUT, leader", "PUT", leader),
            ("GET, leader", "GET", leader),
            ("GET, follower", "GET", follower),
        ):
            print(driver.measure(what, method, node.port, connections, options.seconds).row(), flush=True)


def measure_failover(cluster: Cluster, count: int) -> None:
    print("\nFail-over: milliseconds from the loss of the leader to the next answered write.\n")
    print(f"{'':24}{'times':>7}{'median':>9}{'worst':>9}", flush=True)
    print_outages("leader killed (kill -9)", kill_leaders(cluster, count))
    silences = silence_leaders(cluster, min(count, SILENCES))
    if silences:
        print_outages("leader silent (SIGSTOP)", silences)
    lost = cluster.count_lost_writes()
    print(f"\nAnswered writes looked up afterwards: {len(cluster.answered)}, lost: {lost}.")
    if lost:
        raise SystemExit(1)


def print_outages(what: str, outages: list[Outage]) -> None:
    times = [outage.milliseconds for outage in outages]
    print(f"{what:24}{len(times):>7}{median(times):>9.0f}{max(times):>9.0f}", flush=True)


def main() -> None:
    options = parse()
    print(f"minicloud {__version__}, Python {platform.python_version()}, {platform.system()}, {os.cpu_count()} cores")
    # On Windows a file that was open a moment ago may resist; that must not cost the numbers.
    temporary = tempfile.TemporaryDirectory(dir=options.folder, ignore_cleanup_errors=True)
    with temporary as folder, cluster_in(Path(folder)) as cluster:
        measure_load(cluster, options)
        if options.failovers > 0:
            measure_failover(cluster, options.failovers)


if __name__ == "__main__":
    main()
