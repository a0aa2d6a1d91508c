"""The one way in which decoding fails."""

from __future__ import annotations


class WireError(ValueError):
    """The bytes are no valid line or record. The text is one printable line, for a log or for the peer."""
