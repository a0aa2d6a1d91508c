import pytest
from twisted.internet.address import IPv4Address

from minicloud.web.app import make_site
from minicloud.web.settings import WebSettings
from tests.client.network import Network
from tests.web.stand_in import StandInCluster


@pytest.fixture
def network() -> Network:
    return Network()


class OnePeer:
    """A site that is told of a peer's address, which in memory there is none of."""

    def __init__(self, site):
        self.site = site

    def buildProtocol(self, _address):
        return self.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000))


@pytest.fixture
def make_cluster(network: Network):
    def make(**options):
        cluster = StandInCluster()
        for member in cluster.members:
            settings = WebSettings(advertise_addr=member.http_addr, **options)
            site = make_site(cluster.nodes[member.node_id], settings, network.clock, agent=network.agent())
            network.sites[member.http_addr] = OnePeer(site)
        return cluster

    return make


@pytest.fixture
def cluster(make_cluster):
    return make_cluster()
