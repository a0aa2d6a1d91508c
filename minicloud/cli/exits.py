"""Exit statuses, for scripts, and what is said where little can be imported."""

from __future__ import annotations

import errno
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

NOTHING_ASKED: Final = "interrupted; nothing was asked for yet"
"""What to say of an interruption before the client runs."""

TOO_MANY_FILES: Final = (errno.EMFILE, errno.ENFILE)
"""Errors that say that no more files can be opened, by us or on the whole machine."""
