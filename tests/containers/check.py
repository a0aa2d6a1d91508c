"""The image, compose.yml and the walkthrough on whatever container engine is here: docker compose, or podman-compose.

    python tests/containers/check.py

Each line says what was seen. The first thing that is not so ends it with status 1; without a working engine the status
is 77, or 1 too where MINICLOUD_REQUIRE_CONTAINERS=1 says that one must be there. What cannot be seen here (images that
cannot be had, a compose that knows no profiles) is named again at the end. It takes ports 9001 to 9003 of 127.0.0.1 (9090
and 3000 too, where there are images for monitoring), a project name of its own (so that no volume of yours is touched),
and leaves nothing behind but the images. It needs Python 3.11; with minicloud installed, its cloudctl is checked as well.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.containers.cloudctl import find_cloudctl
from tests.containers.engine import Engine, find_engine
from tests.containers.image import check_image
from tests.containers.life import (
    check_comes_back,
    check_confinement,
    check_data_survives,
    check_down_deletes,
    check_failover,
    check_health,
    check_logs,
    check_restarts,
    up,
)
from tests.containers.monitoring import check_files, check_profile
from tests.containers.nodes import PORTS, are_free, member
from tests.containers.said import NotSoError, closing, say, so, unchecked, until
from tests.containers.walkthrough import check_cloudctl, check_keys, check_membership, check_status

NO_ENGINE = 77
REQUIRE = "MINICLOUD_REQUIRE_CONTAINERS"
"""Set to 1 where an engine must be there, so that a check that ran nothing can't pass for one that found nothing."""


def check(engine: Engine) -> None:
    """See everything that SPEC 8 and the walkthrough promise."""
    until("ports 9001 to 9003 are free", lambda: are_free(PORTS.values()), 10)
    check_image(engine)
    cloudctl = find_cloudctl()
    if cloudctl is None:
        unchecked("cloudctl on this machine", "it is not installed (pip install .)")
    found = up(engine)
    so("its user is not root", engine.inspect(found["node1"])["Config"]["User"] not in ("", "root", "0"))
    until("three voters", lambda: all(member(node).get("suffrage") == "Voter" for node in PORTS))
    check_logs(engine)
    check_confinement(engine, found)
    check_health(engine, found)
    check_keys()
    check_status()
    # What asks by name comes before a container joins or leaves the network: an engine's name server then loads anew, and a
    # question that gets lost in that moment is asked again after 5 s only.
    check_cloudctl(engine, found)
    if cloudctl is not None:
        cloudctl.check()
    check_files(engine, found)
    check_membership(engine, found)
    check_failover(engine, found, cloudctl)
    check_restarts(engine, found)
    check_data_survives(engine, cloudctl)
    check_comes_back(engine)
    check_down_deletes(engine)
    check_profile(engine)


def clean_up(engine: Engine) -> bool:
    """Remove everything, and return whether that worked."""
    try:
        engine.clean_up()
        left = engine.left_behind()
    except (NotSoError, subprocess.TimeoutExpired) as error:
        left = [str(error)]
    say("  ok  no container, volume or network is left" if not left else f"NOT SO: left behind: {left}")
    return not left


def show_logs(engine: Engine) -> None:
    for container in engine.ids():
        logs = engine.attempt(engine.name, "logs", "--tail", "30", container)
        print(f"--- {container[:12]}\n{logs.stdout}{logs.stderr}", file=sys.stderr, flush=True)


def without_engine() -> int:
    """Say that there is none, and return the status that says it too."""
    looked = "no container engine works here: looked for docker with docker compose, and podman with podman-compose"
    if os.environ.get(REQUIRE, "") in ("", "0"):
        say(f"{looked} ({REQUIRE}=1 makes that a failure)")
        return NO_ENGINE
    say(f"{looked}. {REQUIRE} wants one: install and start it, or unset the variable")
    return 1


def main() -> int:
    """Check, clean up, and return the exit status."""
    engine = find_engine()
    if engine is None:
        return without_engine()
    say(f"{engine.name}, project {engine.project}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began, passed = time.monotonic(), False
    try:
        check(engine)
        passed = True
    except (NotSoError, OSError, http.client.HTTPException, ValueError, KeyError, subprocess.TimeoutExpired) as error:
        say(f"NOT SO: {error if isinstance(error, NotSoError) else repr(error)}")
        with contextlib.suppress(Exception):
            show_logs(engine)
    finally:
        passed = clean_up(engine) and passed
    say(closing(passed, time.monotonic() - began))
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
