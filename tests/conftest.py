"""What holds for all tests."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# Both judge the machine, which may have other things to do, and not what is tested.
settings.register_profile("minicloud", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("minicloud")

SPARE_PROCESSES = 1
"""Test processes beyond one for each core: whoever waits for an election or for the browser leaves its core to another."""

LONG = (
    "tests/process/test_failover.py",
    "tests/process/test_membership.py",
    "tests/cli/test_real_cluster.py",
    "tests/dashboard/test_tree_million.py",
    "tests/sim/test_campaign.py",
    "tests/dashboard/test_keys_hostile.py",
    "tests/dashboard/test_feed.py",
    "tests/cli/test_startup.py",
    "tests/storage/test_crash_points.py",
    "tests/process/test_snapshots.py",
    "tests/process/test_orderly_ends.py",
    "tests/service/test_life.py",
    "tests/service/test_packaging.py",
    "tests/service/test_refused_starts.py",
    "tests/dashboard/",
    "tests/readme/test_tour.py",
    "tests/raft/test_random.py",
    "tests/cli/test_bench_numbers.py",
    "tests/cli/test_completion.py",
    "tests/sim/scenarios/",
    "tests/test_quality.py",
)
"""Files (folders, too) that take more than five seconds. A file's tests run in one process, so these begin first: else the
last of them keeps one process busy when the others have ended."""


def pytest_configure(config: pytest.Config) -> None:
    """Have the processes that tests start begin as they would for a user."""
    find_modules_compiled(config)
    heed_ctrl_c()


def heed_ctrl_c() -> None:
    """Let processes end on Ctrl+C (SIGINT), also where the tests run in the background of a script.

    A shell without job control has what it starts with ``&`` ignore that signal, and all that such a process starts.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def find_modules_compiled(config: pytest.Config) -> None:
    """Let processes find their modules compiled, also where none may be written beside its source.

    A node and a cloudctl would compile all of minicloud each time, and there are hundreds of them.
    """
    if os.environ.get("PYTHONDONTWRITEBYTECODE") and (cache := getattr(config, "cache", None)) is not None:
        del os.environ["PYTHONDONTWRITEBYTECODE"]
        os.environ["PYTHONPYCACHEPREFIX"] = str(cache.mkdir("bytecode"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many test processes ``-n auto`` means."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + SPARE_PROCESSES


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put long files first; all else stays in its order."""
    items.sort(
        key=lambda item: next((place for place, path in enumerate(LONG) if item.nodeid.startswith(path)), len(LONG))
    )
