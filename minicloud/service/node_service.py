"""A whole node as a Twisted service: what is started in which order, and what is stopped.

=========  =============================================================================================
start      HTTP and peer port bound → data folder opened → parts put together → ports opened; then, when the
           reactor runs: members asked whether it is their cluster → node started
signal     HTTP port closed, joining ended → leadership handed over → requests in flight finished, for
           10 s at most → node stopped → links and data folder closed → process ends with status 0
failure    HTTP port closed → answers that are under way leave → process ends with status 1
=========  =============================================================================================
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import Service
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, Logger

from minicloud.config import Settings
from minicloud.peer.endpoints import TcpEndpoints
from minicloud.peer.tls import PeerTls, PeerTlsError
from minicloud.service.assembly import Assembly
from minicloud.service.errors import StartError
from minicloud.service.https import server_tls
from minicloud.service.ports import BoundEndpoints, CannotBind, HttpPort
from minicloud.service.signals import EndingSignals
from minicloud.storage.errors import StorageError

REQUEST_GRACE_S = 10.0
"""How long requests in flight may take to finish; the contract's figure, and a request's own default limit."""

HANDOVER_LIMIT_S = 2.0
"""How long handing leadership over may take. An election after the silence of a leader takes no longer."""

LAST_WORDS_S = 0.5
"""After the disk has failed: for the answers that say so to leave."""

FAILED = 1
"""Exit status of a node that could not go on."""

_OWN_FAULT = "a fault in minicloud itself ({error}); nothing answered is lost: start the node again, and report the log"


class NodeService(Service):
    """One node.

    ``config`` is the file that the settings came from, for messages. ``say`` tells a person one line. ``on_refusal``
    does so where the node cannot start, and does not return. ``observer`` becomes the log observer of the application.
    ``exit_process`` ends the process at once with the status that it is given.
    """

    name = "minicloud"
    _log = Logger()

    def __init__(
        self,
        settings: Settings,
        config: Path,
        reactor: Any,
        *,
        say: Callable[[str], object],
        on_refusal: Callable[[str], NoReturn],
        observer: Any | None = None,
        exit_process: Callable[[int], object] = os._exit,
    ) -> None:
        self._settings = settings
        self._config = config
        self._reactor = reactor
        self._say = say
        self._on_refusal = on_refusal
        self._observer = observer
        self._exit_process = exit_process
        self._http_port: HttpPort | None = None
        self._endpoints: BoundEndpoints | None = None
        self._assembly: Assembly | None = None
        self._has_failed = False

    def setServiceParent(self, parent: Any) -> None:
        """Become part of twistd's application, and give it our log observer."""
        if self._observer is not None:
            parent.setComponent(ILogObserver, self._observer)
        Service.setServiceParent(self, parent)

    # Starting

    def privilegedStartService(self) -> None:
        """Bind the ports, while twistd still has the rights that it was started with."""
        Service.privilegedStartService(self)
        self._start(self._bind)

    def startService(self) -> None:
        """Start everything, in one turn of the reactor."""
        Service.startService(self)
        if self._http_port is None:  # twist knows no privileged start
            self._start(self._bind)
        self._start(self._assemble)
        self._reactor.callWhenRunning(EndingSignals(self._reactor, self._stop_reactor, self._exit_process).install)
        self._reactor.callWhenRunning(self._take_part)

    def _start(self, step: Callable[[], None]) -> None:
        """Take a step of the start; where it fails as expected, give the ports up and say why in one line."""
        try:
            step()
        except StartError as error:
            reason = str(error)
        except PeerTlsError as error:
            reason = f"tls: {error}"
        except StorageError as error:
            reason = f"data_dir: {error}"
        else:
            return
        self._close_ports()
        self._on_refusal(f"{self._config}: {reason}")

    def _bind(self) -> None:
        settings = self._settings
        https = server_tls(settings.tls)
        endpoints = TcpEndpoints(self._reactor, _peer_tls(settings))
        try:
            self._http_port = HttpPort(self._reactor, settings.listen_addr, https)
        except CannotBind as error:
            raise StartError(f"listen_addr: expected {error}") from None
        try:
            self._endpoints = BoundEndpoints(endpoints, settings.raft_addr)
        except CannotBind as error:
            raise StartError(f"raft_addr: expected {error}") from None

    def _assemble(self) -> None:
        assert self._http_port is not None, "bound before"
        assert self._endpoints is not None, "bound before"
        self._assembly = Assembly(self._settings, self._reactor, self._endpoints, self._node_failed)
        self._http_port.serve(self._assembly.site)

    @inlineCallbacks
    def _take_part(self) -> Any:
        """Become active, unless the data folder turns out to be of another cluster."""
        assembly = self._assembly
        assert assembly is not None, "put together before"
        try:
            yield assembly.check_cluster()
        except StartError as error:
            self._fail(partial(self._say, f"{self._config}: {error}"))
            return
        if self._assembly is None:
            return  # stopped in the meantime
        assembly.start()
        self._log.info(
            "node {node_id} serves HTTP on {http} and peers on {raft}",
            node_id=self._settings.node_id,
            http=str(self._settings.listen_addr),
            raft=str(self._settings.raft_addr),
        )

    def _close_ports(self) -> None:
        if self._http_port is not None:
            self._http_port.close()
        if self._endpoints is not None:
            self._endpoints.close()

    # Stopping

    def _stop_reactor(self) -> None:
        if self._reactor.running:
            self._reactor.stop()  # which calls stopService, and waits for what it returns

    @inlineCallbacks
    def stopService(self) -> Any:
        """Stop everything, gracefully. Returns a Deferred that fires when nothing is left."""
        Service.stopService(self)
        assembly, self._assembly = self._assembly, None
        if assembly is None:
            return
        if self._http_port is not None:
            yield self._http_port.close()
        if self._has_failed:
            yield deferLater(self._reactor, LAST_WORDS_S)
            return
        yield assembly.hand_over(HANDOVER_LIMIT_S)
        yield assembly.finish_requests(REQUEST_GRACE_S)
        yield assembly.stop()
        self._log.info("node {node_id} has stopped", node_id=self._settings.node_id)

    def _node_failed(self, error: Exception) -> None:
        """End the process: what the disk or consensus holds is not known any more, so nothing that depends on it may be said."""
        reason = f"data_dir: {error}" if isinstance(error, StorageError) else _OWN_FAULT.format(error=repr(error))
        self._fail(partial(self._log.critical, "{reason}", reason=f"{self._config}: {reason}"))

    def _fail(self, tell: Callable[[], object]) -> None:
        """End the process with a status that says so."""
        if self._has_failed:
            return
        self._has_failed = True
        tell()
        self._reactor.addSystemEventTrigger("after", "shutdown", self._exit_process, FAILED)
        self._stop_reactor()


def _peer_tls(settings: Settings) -> PeerTls | None:
    tls = settings.tls
    if tls.peer_cert is None or tls.peer_key is None or tls.peer_ca is None:
        return None
    return PeerTls(str(tls.peer_cert), str(tls.peer_key), str(tls.peer_ca))
