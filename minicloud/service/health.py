"""``python -m minicloud.service.health [URL]``: whether a node is alive, for the health check of a container.

Exits with 0 if the URL answers with status 200, else with 1 and a line that says why.
"""

from __future__ import annotations

import sys
import urllib.request
from collections.abc import Sequence

DEFAULT_URL = "http://127.0.0.1:9001/livez"
"""What the shipped container configs listen on, seen from inside."""

TIMEOUT_S = 2.0
"""A node whose reactor turns answers within milliseconds."""


def main(arguments: Sequence[str]) -> int:
    """Ask, and return the exit status."""
    url = arguments[0] if arguments else DEFAULT_URL
    # Without proxies: the environment of a container may name one, and it can't see what is inside.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=TIMEOUT_S) as answer:
            if answer.status == 200:
                return 0
            reason = f"status {answer.status}"
    except (OSError, ValueError) as error:
        reason = str(error)
    sys.stdout.write(f"{url}: {reason}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
