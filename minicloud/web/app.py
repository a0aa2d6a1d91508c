"""Every route, and how a site is put together."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.web.iweb import IAgent

from minicloud.web.answers import Answer
from minicloud.web.cluster import Cluster
from minicloud.web.events import Events
from minicloud.web.face import NodeFace
from minicloud.web.forwarding import Forwarder, make_agent, make_pool
from minicloud.web.leader import LeaderPath
from minicloud.web.listing import KeyListing
from minicloud.web.membership import Membership
from minicloud.web.neighbours import Neighbours
from minicloud.web.news import News
from minicloud.web.overview import Overview
from minicloud.web.pages import Pages, read_folder
from minicloud.web.rates import Rates
from minicloud.web.reads import KeyReads
from minicloud.web.request import Request
from minicloud.web.routing import RoutesResource
from minicloud.web.settings import MetricsPage, WebInstruments, WebSettings, no_metrics, with_listener
from minicloud.web.site import MinicloudSite
from minicloud.web.writes import KeyWrites

_app = Klein()
RouteFunction = TypeVar("RouteFunction", bound=Callable[..., Answer | Deferred[Answer]])


def _route(method: str, path: str) -> Callable[[RouteFunction], RouteFunction]:
    """Declare a route on the Klein app. Klein's types want what it renders; ours return Answers."""
    return cast("Callable[[RouteFunction], RouteFunction]", _app.route(path, methods=[method]))


class Routes:
    """The contract's paths and methods. ``{key}`` takes the rest of the path, raw; Klein adds HEAD to each GET."""

    app = _app

    def __init__(
        self,
        reads: KeyReads,
        listing: KeyListing,
        writes: KeyWrites,
        membership: Membership,
        cluster: Cluster,
        events: Events,
        pages: Pages,
    ) -> None:
        self._reads = reads
        self._listing = listing
        self._writes = writes
        self._membership = membership
        self._cluster = cluster
        self._events = events
        self._pages = pages

    @_route("GET", "/kv/{key}")
    def get_key(self, request: Request) -> Answer | Deferred[Answer]:
        """Read a key."""
        return self._reads.get(request)

    @_route("GET", "/kv")
    def list_keys(self, request: Request) -> Answer | Deferred[Answer]:
        """List keys, or count them."""
        return self._listing.get(request)

    @_route("PUT", "/kv/{key}")
    def put_key(self, request: Request) -> Deferred[Answer]:
        """Write a key."""
        return self._writes.put(request)

    @_route("DELETE", "/kv/{key}")
    def delete_key(self, request: Request) -> Deferred[Answer]:
        """Delete a key."""
        return self._writes.delete(request)

    @_route("GET", "/health")
    def health(self, request: Request) -> Answer:
        """Tell that the process answers."""
        return self._cluster.alive(request)

    @_route("GET", "/livez")
    def livez(self, request: Request) -> Answer:
        """Tell that the process answers."""
        return self._cluster.alive(request)

    @_route("GET", "/readyz")
    def readyz(self, request: Request) -> Answer:
        """Tell whether this node serves well."""
        return self._cluster.ready(request)

    @_route("GET", "/raft/status")
    def raft_status(self, request: Request) -> Answer:
        """Tell this node's view of consensus."""
        return self._cluster.raft_status(request)

    @_route("GET", "/raft/config")
    def raft_config(self, request: Request) -> Answer:
        """Tell the configuration in force."""
        return self._cluster.raft_config(request)

    @_route("POST", "/raft/join")
    def raft_join(self, request: Request) -> Deferred[Answer]:
        """Make a node a member."""
        return self._membership.join(request)

    @_route("POST", "/raft/remove")
    def raft_remove(self, request: Request) -> Deferred[Answer]:
        """Remove a member."""
        return self._membership.remove(request)

    @_route("POST", "/raft/transfer")
    def raft_transfer(self, request: Request) -> Deferred[Answer]:
        """Hand leadership over."""
        return self._membership.transfer(request)

    @_route("GET", "/cluster/members")
    def cluster_members(self, request: Request) -> Answer:
        """Tell what this node knows of each member."""
        return self._cluster.members(request)

    @_route("GET", "/cluster/status")
    def cluster_status(self, request: Request) -> Answer:
        """Tell who this node is."""
        return self._cluster.status(request)

    @_route("GET", "/events")
    def events(self, request: Request) -> Answer:
        """Tell what happens in the cluster, as it happens."""
        return self._events.get(request)

    @_route("GET", "/metrics")
    def metrics(self, request: Request) -> Answer:
        """Tell what is measured."""
        return self._pages.metrics(request)

    @_route("GET", "/")
    def home(self, request: Request) -> Answer:
        """Send a browser to the dashboard."""
        return self._pages.home(request)

    @_route("GET", "/dashboard")
    def dashboard(self, request: Request) -> Answer:
        """Show the dashboard."""
        return self._pages.dashboard(request)

    @_route("GET", "/static/{name}")
    def static(self, request: Request) -> Answer:
        """Serve a file of the dashboard."""
        return self._pages.static(request)


def make_site(
    node: NodeFace,
    settings: WebSettings,
    reactor: Any,
    *,
    static_folder: Path | None = None,
    metrics_page: MetricsPage = no_metrics,
    instruments: WebInstruments | None = None,
    rates: Rates | None = None,
    agent: IAgent | None = None,
    request_id_prefix: str | None = None,
    wall_clock: Callable[[], float] = time.time,
) -> MinicloudSite:
    """Return the site that serves a node.

    ``reactor`` tells time (and opens connections for forwarding); ``static_folder`` holds the dashboard's files;
    ``metrics_page`` renders ``/metrics``; ``rates`` is what ``/events`` shows of them, given where somebody tells it of the
    writes that are applied; ``agent`` carries requests to other members, by default a treq-ready one of our own;
    ``request_id_prefix`` begins the ids of requests that bring none, by default random; ``wall_clock`` tells the time of
    day to those who read it, in the Date header and in events: nothing is measured with it. Raises OSError or ValueError
    where the static folder cannot be read.
    """
    rates = rates or Rates(reactor.seconds, wall_clock)
    instruments = with_listener(instruments or WebInstruments(), rates.request_finished)
    on_shut_down: Callable[[], object] = _nothing
    if agent is None:
        pool = make_pool(reactor)
        agent = make_agent(reactor, settings, pool)
        on_shut_down = pool.closeCachedConnections
    leader_path = LeaderPath(node, Forwarder(node, reactor, agent), settings.scheme)
    cluster = Cluster(node, settings.advertise_addr, reactor.seconds)
    events = _make_events(node, cluster, rates, Neighbours(node, reactor, agent, settings.scheme), reactor, wall_clock)
    routes = Routes(
        KeyReads(node, instruments),
        KeyListing(node),
        KeyWrites(node, leader_path, settings.forward_writes, instruments),
        Membership(node, leader_path),
        cluster,
        events,
        Pages({} if static_folder is None else read_folder(static_folder), metrics_page),
    )
    root = RoutesResource(routes.app)
    prefix = request_id_prefix or secrets.token_hex(4)
    site = MinicloudSite(root, node, settings, reactor, instruments, prefix, wall_clock)
    site.on_start, site.on_stop, site.on_shut_down = events.start, events.stop, on_shut_down
    return site


def _make_events(
    node: NodeFace,
    cluster: Cluster,
    rates: Rates,
    neighbours: Neighbours,
    reactor: Any,
    wall_clock: Callable[[], float],
) -> Events:
    overview = Overview(node, cluster, neighbours, wall_clock)
    news = News(node, neighbours.surely_answers, wall_clock)
    return Events(overview, rates, news, neighbours, reactor)


def _nothing() -> None:
    """Have nothing to close."""
