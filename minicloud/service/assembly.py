"""The parts of one node, put together."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.logger import Logger

from minicloud.client.exchange import Exchange
from minicloud.config import Settings
from minicloud.metrics import Metrics, NodeGauges
from minicloud.node.errors import NodeError
from minicloud.node.node import Node, NodeSettings
from minicloud.node.status import JoinRequest
from minicloud.peer.endpoints import Endpoints
from minicloud.peer.identity import LocalPeer
from minicloud.peer.links import PeerLinks
from minicloud.service.cluster_check import check_cluster
from minicloud.service.errors import StartError
from minicloud.service.founding import found_cluster
from minicloud.service.https import authority_pem
from minicloud.service.joining import Joiner
from minicloud.service.reactor_lag import ReactorLag
from minicloud.shipped import static_folder
from minicloud.storage.real_files import RealFiles
from minicloud.storage.storage import Storage
from minicloud.web.app import make_site
from minicloud.web.forwarding import make_agent, make_pool
from minicloud.web.rates import Rates
from minicloud.web.settings import WebSettings, both
from minicloud.web.site import MinicloudSite

ID_BYTES = 16
"""Of chance in the id of a cluster or a data folder, written as 32 hex digits: no two are ever the same."""

REMOVED = "Removed"
"""State of a node that its cluster has removed."""


class Assembly:
    """One node with everything around it, from its data folder to its site.

    ``endpoints`` connect it with its peers. ``on_failed`` is called when the disk, or the node itself, has failed while it runs. Raises
    StorageError and StartError; then nothing is left open.
    """

    _log = Logger()

    def __init__(
        self,
        settings: Settings,
        reactor: Any,
        endpoints: Endpoints,
        on_failed: Callable[[Exception], None],
    ) -> None:
        self._settings = settings
        self._reactor = reactor
        self._random = random.Random(os.urandom(ID_BYTES))
        self._metrics = Metrics()
        self._rates = Rates(reactor.seconds, time.time)
        self._is_started = False
        self._storage = open_storage(settings)
        try:
            self._put_together(endpoints, on_failed)
        except BaseException:
            self._storage.close()
            raise

    def _put_together(self, endpoints: Endpoints, on_failed: Callable[[Exception], None]) -> None:
        settings, reactor = self._settings, self._reactor
        self.node = self._make_node(on_failed)
        local = LocalPeer(
            settings.node_id,
            self._storage.identity.instance_id,
            lambda: self._storage.identity.cluster_id,
            lambda: self.node.status().configuration_index,
        )
        secret = settings.cluster_secret.encode("utf-8")
        self._links = PeerLinks(reactor, local, secret, self.node, self._random, endpoints=endpoints)
        self._metrics.register(NodeGauges(self.node, self._storage))
        self._lag = ReactorLag(reactor, self._metrics.reactor_lag.observe)
        web_settings = _web_settings(settings)
        self._pool = make_pool(reactor)
        agent = make_agent(reactor, web_settings, self._pool)
        self.site = self._make_site(web_settings, agent)
        self._exchange = Exchange(reactor, agent)
        self._joiner = Joiner(
            settings.join_url,
            self._join_request(),
            self._is_settled,
            token=settings.auth_token,
            exchange=self._exchange,
            reactor=reactor,
            random=self._random,
        )

    def _make_node(self, on_failed: Callable[[Exception], None]) -> Node:
        settings = self._settings
        instruments = self._metrics.node_instruments()
        return Node(
            settings=NodeSettings(
                node_id=settings.node_id,
                election_timeout_ms=settings.election_timeout_ms,
                heartbeat_ms=settings.heartbeat_ms,
                snapshot_entries=settings.snapshot_entries,
                snapshot_trailing_entries=settings.snapshot_trailing_entries,
            ),
            storage=self._storage,
            reactor=self._reactor,
            random=self._random,
            on_failed=on_failed,
            instruments=evolve(instruments, applied=both(instruments.applied, self._rates.applied)),
        )

    def _make_site(self, web_settings: WebSettings, agent: Any) -> MinicloudSite:
        try:
            site = make_site(
                self.node,
                web_settings,
                self._reactor,
                static_folder=static_folder(),
                metrics_page=self._metrics.page,
                instruments=self._metrics.web_instruments(),
                rates=self._rates,
                agent=agent,
            )
        except (OSError, ValueError) as error:
            raise StartError(f"the dashboard's files cannot be read: {error}") from None
        site.on_shut_down = self._pool.closeCachedConnections
        return site

    def _join_request(self) -> JoinRequest:
        settings = self._settings
        return JoinRequest(
            node_id=settings.node_id,
            raft_addr=str(settings.raft_addr),
            http_addr=str(settings.advertise_addr),
            instance_id=self._storage.identity.instance_id,
        )

    def _is_settled(self) -> bool:
        """Whether the cluster knows this node as it is, or has removed it: then only a person can let it in again."""
        status = self.node.status()
        member = status.configuration.get(self._settings.node_id)
        if member is None:
            return status.state == REMOVED
        wish = self._join_request()
        return (member.raft_addr, member.http_addr) == (wish.raft_addr, wish.http_addr)

    # Life

    def check_cluster(self) -> Deferred[None]:
        """Fail with StartError where ``join_url`` leads to another cluster than the data folder is of."""
        settings = self._settings
        return Deferred.fromCoroutine(
            check_cluster(
                settings.join_url,
                self._storage.identity.cluster_id,
                str(settings.data_dir),
                token=settings.auth_token,
                exchange=self._exchange,
            )
        )

    def start(self) -> None:
        """Serve peers, take part in the cluster, and ask to be let in where need be."""
        self._is_started = True
        self._links.listen(str(self._settings.raft_addr))
        self.node.start(self._links)
        self._lag.start()
        if self._settings.join_url:
            self._joiner.start()

    @inlineCallbacks
    def hand_over(self, limit_s: float) -> Any:
        """Let another member lead, if this node leads and there is one; gives up after ``limit_s`` seconds.

        The Deferred never fails: a node that stops is replaced by an election in any case.
        """
        self._joiner.stop()
        if (
            not self._is_started
            or not self.node.status().is_leader
            or len(self.node.status().configuration.voters) <= 1
        ):
            return
        try:
            yield self.node.transfer(None, limit_s)
        except NodeError as error:
            self._log.info("leadership was not handed over: {error}", error=str(error) or type(error).__name__)

    def finish_requests(self, limit_s: float) -> Deferred[None]:
        """Let requests in flight finish, and close all connections; what takes longer than ``limit_s`` is cut."""
        return self.site.shut_down(limit_s)

    @inlineCallbacks
    def stop(self) -> Any:
        """Stop what is left, and close the data folder when nobody writes any more."""
        if self._is_started:
            self._lag.stop()
            yield self.node.stop()
            yield self._links.stop()
        self._storage.close()


def open_storage(settings: Settings) -> Storage:
    """Open the data folder of a node, or make it; and found a cluster there if the settings say so.

    Raises StorageError, and StartError as :func:`~minicloud.service.founding.found_cluster`.
    """
    storage = _open(settings)
    try:
        if found_cluster(storage, settings, _new_id):
            storage.close()
            storage = _open(settings)  # what counts from here on is what is on the disk
    except BaseException:
        storage.close()
        raise
    return storage


def _open(settings: Settings) -> Storage:
    return Storage.open(RealFiles(settings.data_dir), node_id=settings.node_id, new_instance_id=_new_id)


def _new_id() -> str:
    return os.urandom(ID_BYTES).hex()


def _web_settings(settings: Settings) -> WebSettings:
    return WebSettings(
        advertise_addr=str(settings.advertise_addr),
        auth_token=settings.auth_token,
        auth_reads=settings.auth_reads,
        allowed_hosts=settings.allowed_hosts or (),
        forward_writes=settings.follower_writes == "forward",
        max_value_bytes=settings.max_value_bytes,
        tls=settings.tls.serves_https,
        tls_ca=authority_pem(settings.tls),
    )
