"""Who stands at the two ends of a link."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen


@frozen
class LocalPeer:
    """This end, as it names itself in a handshake."""

    node_id: str
    instance_id: str
    """Which data folder this node is."""
    cluster_id: Callable[[], str]
    """Returns the cluster that this node belongs to; empty until it is part of one."""
    configuration_index: Callable[[], int]
    """Returns the log index of the newest configuration in this node's log, committed or not; 0 where it has none."""


@frozen
class RemotePeer:
    """The other end, as it named itself. Believed only when a handshake is complete."""

    node_id: str
    instance_id: str
    cluster_id: str
    """Empty where it belongs to no cluster yet."""
    configuration_index: int = 0
    """The newest configuration in a dialler's log. An acceptor does not tell its own."""
