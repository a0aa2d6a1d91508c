"""What consensus refuses, and what it holds against a peer."""

from __future__ import annotations


class Refused(Exception):
    """A request that cannot be taken now. Nothing was changed."""


class NotLeader(Refused):
    """Only the leader takes proposals and configuration changes."""


class TransferPending(Refused):
    """Leadership is being handed over: whatever was appended now might not reach the next leader."""


class ChangePending(Refused):
    """The last configuration, or this term's no-op, is not committed yet (thesis, section 4.1, and its correction)."""


class InvalidChange(Refused):
    """More than one server changes its vote at once, or nobody would be left to vote."""


class ProtocolViolation(Exception):
    """A peer sent what no correct peer sends. The driver closes its link."""
