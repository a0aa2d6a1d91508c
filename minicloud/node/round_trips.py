"""How long peers take to answer."""

from __future__ import annotations

from collections.abc import Callable

from minicloud.raft.messages import Heartbeat, HeartbeatReply, Message


class RoundTrips:
    """Measures heartbeats: the time from one to the first answer after it."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._sent_s: dict[str, tuple[int, float]] = {}
        """Round and time of the heartbeat that is being measured."""
        self.seconds: dict[str, float] = {}
        """The newest result for each peer."""

    def sent(self, peer: str, message: Message) -> None:
        """Take note of a message that leaves."""
        if isinstance(message, Heartbeat):
            self._sent_s[peer] = (message.round, self._now())

    def received(self, peer: str, message: Message) -> None:
        """Take note of a message that comes."""
        if not isinstance(message, HeartbeatReply):
            return
        sent = self._sent_s.get(peer)
        if sent is not None and message.round >= sent[0]:
            del self._sent_s[peer]
            self.seconds[peer] = self._now() - sent[1]

    def forget(self, peer: str) -> None:
        """Take note that the link is gone."""
        self._sent_s.pop(peer, None)
        self.seconds.pop(peer, None)
