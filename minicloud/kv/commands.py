"""What clients can ask of the store, and what comes of it."""

from __future__ import annotations

import re
from typing import TypeAlias

from attrs import frozen

MAX_KEY_BYTES = 1024
"""Longest key, in bytes of UTF-8 (the contract's figure): a key is an address, kept in memory and in every listing."""

_CONTROL_CHARACTER = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@frozen
class Precondition:
    """Compare-and-set: what must be true of a key when the command is applied (RFC 9110, section 13.1)."""

    exists: bool | None = None
    """True for ``If-Match: *``, False for ``If-None-Match: *``, None where it does not matter."""
    revisions: tuple[int, ...] | None = None
    """For ``If-Match: "5", "7"``: the key must exist at one of these revisions. None where it does not matter."""


ALWAYS = Precondition()


@frozen
class Put:
    """Give ``key`` the value ``value``."""

    key: str
    value: bytes
    precondition: Precondition = ALWAYS


@frozen
class Delete:
    """Remove ``key``, if it is there."""

    key: str
    precondition: Precondition = ALWAYS


Command: TypeAlias = Put | Delete


@frozen
class PutDone:
    """A Put was applied."""

    revision: int
    """Index of the log entry that wrote it."""
    created: bool
    """Whether the key did not exist before."""


@frozen
class DeleteDone:
    """A Delete was applied."""

    revision: int
    """Index of the log entry that asked for it."""
    deleted: bool
    """Whether there was something to delete."""


@frozen
class PreconditionFailed:
    """The precondition did not hold; nothing was changed."""

    current_revision: int | None
    """Revision of the key as it stands, None where it does not exist."""


Outcome: TypeAlias = PutDone | DeleteDone | PreconditionFailed


@frozen
class Record:
    """What the store holds of a key."""

    value: bytes
    revision: int
    """Index of the log entry that wrote this value."""
    create_revision: int
    """Index of the entry that created the key; a delete ends that life."""
    version: int
    """How many writes this life of the key has seen, from 1."""


def key_problem(key: bytes) -> str | None:
    """Return what is wrong with a key as it came over HTTP (percent-decoded), or None where it is good.

    A key is 1 to MAX_KEY_BYTES bytes of UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F).
    """
    if not 1 <= len(key) <= MAX_KEY_BYTES:
        return f"a key has 1 to {MAX_KEY_BYTES} bytes, this one has {len(key)}"
    try:
        text = key.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"a key is UTF-8, this one is not at byte {error.start}"
    return _control_problem("a key", text)


def prefix_problem(name: str, text: str) -> str | None:
    """Return what is wrong with the beginning of keys, or with a place among them; None where it is good.

    It has at most MAX_KEY_BYTES bytes of UTF-8 and no control characters: anything else, no key can begin with. It may
    be empty. ``name`` is what the message calls it.
    """
    length = len(text.encode("utf-8"))
    if length > MAX_KEY_BYTES:
        return f"{name} has at most {MAX_KEY_BYTES} bytes, as keys have; this one has {length}"
    return _control_problem(name, text)


def _control_problem(name: str, text: str) -> str | None:
    control = _CONTROL_CHARACTER.search(text)
    if control is None:
        return None
    return f"{name} has no control characters, this one has U+{ord(control[0]):04X} at character {control.start()}"
