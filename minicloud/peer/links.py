"""All links of one node: the Network that the driver uses."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from minicloud.peer.admission import Admission, Standing, is_heard_from_guest
from minicloud.peer.complaints import Complaints
from minicloud.peer.dialling import Dialler
from minicloud.peer.endpoints import Endpoints, TcpEndpoints
from minicloud.peer.handshake import Cause, Denial, Failed
from minicloud.peer.identity import LocalPeer
from minicloud.peer.interface import PeerAddress, PeerEvents
from minicloud.peer.link import KEEP_ALIVE_INTERVAL_S, Link
from minicloud.peer.making import LinkMaker, fresh_nonce
from minicloud.peer.tls import PeerTls
from minicloud.raft.messages import Message
from minicloud.wire.messages import encode_message

MAX_STRANGERS = 64
"""Accepted connections whose handshake is not complete. One more cuts off the oldest: members are through in
milliseconds, so whoever floods the port with connections takes the places of his own."""


class PeerLinks:
    """Dials every other member, accepts them, and carries messages (implements Network).

    Messages to a peer go over the link that this node dialled. Where that is not up they take the one that the peer
    dialled: so a peer can be answered whose address is not known yet, such as the leader that dials a new node.
    """

    def __init__(
        self,
        reactor: Any,
        local: LocalPeer,
        secret: bytes,
        events: PeerEvents,
        jitter: random.Random,
        tls: PeerTls | None = None,
        log: Logger | None = None,
        endpoints: Endpoints | None = None,
        new_nonce: Callable[[], str] = fresh_nonce,
    ) -> None:
        """Prepare the links of one node.

        Args:
            reactor: time, and TCP unless ``endpoints`` are given.
            local: this node.
            secret: the cluster's, as bytes; empty where none is set.
            events: the driver.
            jitter: draws the random part of the pauses between attempts.
            tls: files for mutual TLS; None where links go without.
            log: where to say what is wrong; this module's own by default.
            endpoints: how to connect, in the place of TCP on ``reactor`` (and of ``tls``).
            new_nonce: makes the nonce of each handshake; only a simulation, which must repeat itself, has its own.

        Raises:
            PeerTlsError: a file for TLS cannot be used.
        """
        self.dropped = 0
        """Messages that were not sent because no link was up or its buffer was full."""
        self._reactor = reactor
        self._local = local
        self._events = events
        self._log = log if log is not None else Logger()
        self._complaints = Complaints(reactor, self._log)
        self._admission = Admission(local, events)
        ways: Endpoints = endpoints if endpoints is not None else TcpEndpoints(reactor, tls)
        self._maker = LinkMaker(reactor, local, secret, jitter, new_nonce, ways, self)
        self._diallers: dict[str, Dialler] = {}
        self._accepted: dict[str, Link] = {}
        """By node id, the newest established link that this peer dialled."""
        self._open: dict[Link, None] = {}
        self._strangers: dict[Link, None] = {}
        """Accepted and in the handshake, the oldest first."""
        self._listening: list[IListeningPort] = []
        self._reconciling: IDelayedCall | None = None
        self._stopped: Deferred[None] | None = None
        self._keep_alive = LoopingCall(self._keep_links_alive)
        self._keep_alive.clock = reactor

    def listen(self, raft_addr: str) -> Deferred[IListeningPort]:
        """Accept peers at that address of ours; fails with CannotListenError or DNSLookupError.

        Args:
            raft_addr: ``host:port``; IPv4, IPv6 in brackets, or a host name, of which one address is listened on.
        """

        def listening(port: IListeningPort) -> IListeningPort:
            self._listening.append(port)
            return port

        return self._maker.listen(raft_addr, self._admission.admit).addCallback(listening)

    def stop(self) -> Deferred[None]:
        """Close everything, without telling the driver; the Deferred fires when nothing is left."""
        if self._stopped is not None:
            return succeed(None)
        everything_closed = self._stopped = Deferred()
        if self._reconciling is not None and self._reconciling.active():
            self._reconciling.cancel()
        diallers, self._diallers = self._diallers, {}
        self._accepted.clear()
        ending: list[Any] = [port.stopListening() for port in self._listening]
        ending += [dialler.stop() for dialler in diallers.values()]
        for link in list(self._open):
            link.close()
        self._note_if_all_closed()
        return gatherResults([everything_closed, *(each for each in ending if each is not None)]).addCallback(_nothing)

    # Network

    def set_peers(self, peers: Mapping[str, PeerAddress], configuration_index: int) -> None:
        """Keep links to exactly these peers, and accept links only from them (see Network). Done in the next turn."""
        assert self._local.node_id not in peers, "nobody is a peer of itself"
        self._admission.peers = dict(peers)
        self._admission.committed_index = configuration_index
        if self._stopped is None and self._reconciling is None:
            self._reconciling = self._reactor.callLater(0, self._reconcile)

    def send(self, to: str, message: Message) -> bool:
        """Send now or never (see Network)."""
        link = self._route(to)
        if link is None or not link.has_room:
            self.dropped += 1
            return False
        link.send_line(encode_message(message))
        return True

    def _route(self, to: str) -> Link | None:
        dialled = self._dialled(to)
        if dialled is not None:
            return dialled
        accepted = self._accepted.get(to)
        return accepted if accepted is not None and accepted.is_up else None

    def _dialled(self, node_id: str) -> Link | None:
        dialler = self._diallers.get(node_id)
        return dialler.link if dialler is not None and dialler.link is not None and dialler.link.is_up else None

    # The configuration changes

    def _reconcile(self) -> None:
        self._reconciling = None
        peers = self._admission.peers
        for node_id, dialler in list(self._diallers.items()):
            if node_id not in peers or not dialler.readdress(peers[node_id]):
                del self._diallers[node_id]
                dialler.stop()
        for node_id, address in peers.items():
            if node_id not in self._diallers:
                dialler = self._diallers[node_id] = self._maker.dialler(node_id, address)
                dialler.start()
        for node_id, link in list(self._accepted.items()):
            self._judge_again(node_id, link)

    def _judge_again(self, node_id: str, link: Link) -> None:
        was_member = link.is_member
        denial = self._set_standing(link)
        if denial is not None:
            del self._accepted[node_id]
            link.close()
        elif link.is_member and not was_member:
            self._announce(link)

    def _set_standing(self, link: Link) -> Denial | None:
        assert link.remote is not None, "only established links have a standing"
        standing = self._admission.standing(link.remote)
        if isinstance(standing, Denial):
            return standing
        link.is_member = standing is Standing.MEMBER
        link.deliver = self._events.message_received if link.is_member else self._hear_guest
        return None

    def _hear_guest(self, sender: str, message: Message) -> None:
        if is_heard_from_guest(message):
            self._events.message_received(sender, message)

    # LinkOwner

    def opened(self, link: Link) -> None:
        """Take note of a connection whose handshake begins."""
        self._open[link] = None
        if self._stopped is not None:
            link.cut()
            return
        if not self._keep_alive.running:
            self._keep_alive.start(KEEP_ALIVE_INTERVAL_S, now=False)
        if not link.dialled_id:
            self._strangers[link] = None
            if len(self._strangers) > MAX_STRANGERS:
                next(iter(self._strangers)).fail(Failed(Cause.TOO_SLOW, f"{MAX_STRANGERS} others came after it"))

    def unreachable(self, node_id: str, reason: str) -> None:
        """Take note that there is no connection to a peer."""
        self._complaints.say("unreachable", node_id, f"cannot reach node {node_id} {reason}")

    def established(self, link: Link) -> None:
        """Take note of a link whose other side has proved who it is."""
        self._strangers.pop(link, None)
        if link.dialled_id:
            link.is_member = True
            link.deliver = self._events.message_received
            self._announce(link)
        else:
            self._accept(link)

    def failed(self, link: Link, failed: Failed) -> None:
        """Take note that a link closes because of the other side."""
        self._strangers.pop(link, None)
        refusal = failed.refusal
        cause = f"{failed.cause.value} {refusal.code}" if refusal is not None else failed.cause.value
        node_id = link.dialled_id or link.claimed_id
        about = node_id if node_id in self._admission.peers else ""
        self._complaints.say(cause, about, f"no link with {link.who}: {failed.detail}")
        if failed.remote is None:
            return
        if failed.cause is Cause.WRONG_INSTANCE:
            self._events.wrong_instance(failed.remote.node_id, failed.remote.instance_id)
        if link.dialled_id and refusal is not None and refusal.code == Cause.NOT_MEMBER.value:
            self._events.told_removed(link.dialled_id, refusal.configuration_index)

    def closed(self, link: Link) -> None:
        """Take note that a connection is gone."""
        self._open.pop(link, None)
        self._strangers.pop(link, None)
        if self._is_current(link):
            self._lose(link)
        self._note_if_all_closed()

    def _accept(self, link: Link) -> None:
        """Put an established link in the place of an older one from the same peer, and see that we reach it, too."""
        assert link.remote is not None, "established"
        node_id = link.remote.node_id
        older = self._accepted.get(node_id)
        if older is not None:
            self._lose(older)
            older.cut()
        denial = self._set_standing(link)
        assert denial is None, "admitted a moment ago"
        self._accepted[node_id] = link
        if not link.is_member:
            self._log.info("node {peer} is linked as a guest: no member of our configuration", peer=node_id)
            return
        if node_id in self._diallers:
            self._diallers[node_id].hurry()
        self._announce(link)

    def _announce(self, link: Link) -> None:
        """Tell the driver of a link, if it is the one that messages take."""
        assert link.remote is not None, "established"
        remote = link.remote
        self._log.info("linked with node {peer}, {how}", peer=remote.node_id, how=link.how)
        if self._route(remote.node_id) is link:
            self._events.link_up(remote.node_id, remote.instance_id)

    def _is_current(self, link: Link) -> bool:
        """Whether the link is established, and neither replaced nor given up by ourselves."""
        if link.remote is None:
            return False
        if link.dialled_id:
            dialler = self._diallers.get(link.dialled_id)
            return dialler is not None and dialler.link is link
        return self._accepted.get(link.remote.node_id) is link

    def _lose(self, link: Link) -> None:
        assert link.remote is not None, "established"
        node_id = link.remote.node_id
        if not link.dialled_id:
            del self._accepted[node_id]
        if link.is_member:
            self._log.info("lost the link with node {peer}, {how}", peer=node_id, how=link.how)
            self._events.link_lost(node_id)

    def _keep_links_alive(self) -> None:
        for link in list(self._open):
            if link.is_up:
                link.keep_alive()

    def _note_if_all_closed(self) -> None:
        if self._open:
            return
        if self._keep_alive.running:
            self._keep_alive.stop()
        if self._stopped is not None and not self._stopped.called:
            self._stopped.callback(None)


def _nothing(_: object) -> None:
    """Drop results that nobody wants."""
