"""Ranges of keys in the store's order: which keys begin with a text, and which of those come after a place.

Keys are in the order of their UTF-8 bytes. That is the order of their code points (RFC 3629, section 1), and so the one in
which Python compares str. The keys that begin with a prefix are neighbours in it: from the prefix itself on, up to the
first text that is beyond all of them.
"""

from __future__ import annotations

from attrs import frozen

_LAST_CHARACTER = "\U0010ffff"


def end_of_prefix(prefix: str) -> str | None:
    """Return the first text that comes after every text with that prefix, None where nothing comes after them.

    The last character is replaced by the next one; U+10FFFF has none, so those at the end go first. The result is for
    comparing alone: after U+D7FF it ends in half a surrogate pair, which is in its place in the order of code points,
    and which no key has.
    """
    kept = prefix.rstrip(_LAST_CHARACTER)
    return kept[:-1] + chr(ord(kept[-1]) + 1) if kept else None


@frozen
class KeyRange:
    """Keys with a prefix, from a place on."""

    prefix: str = ""
    start: str = ""
    """No key before this one."""
    after: str | None = None
    """No key up to and including this one: where an earlier page ended."""

    @property
    def first(self) -> str:
        """The text at which the range begins."""
        return max(self.prefix, self.start, self.after or "")

    @property
    def includes_first(self) -> bool:
        """Whether a key that equals ``first`` is in the range."""
        return self.after is None or self.after < self.first

    @property
    def end(self) -> str | None:
        """The text before which the range ends, None where it goes on to the last key."""
        return end_of_prefix(self.prefix)
