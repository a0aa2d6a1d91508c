"""Exit statuses, for scripts."""

from __future__ import annotations

from typing import Final

OK: Final = 0
ERROR: Final = 1
USAGE: Final = 2
NOT_FOUND: Final = 3
CONFLICT: Final = 4
UNAVAILABLE: Final = 5
OUTCOME_UNKNOWN: Final = 6
INTERRUPTED: Final = 130
"""128 + SIGINT, as shells have it."""
