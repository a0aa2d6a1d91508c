"""Whatever address a member may have, the others ask it there: to forward writes, and to say how it is."""

import pytest
from attrs import evolve

from minicloud.raft.configuration import Configuration
from tests.web import world as worlds
from tests.web.stand_in import StandInCluster, StandInNode

HOSTS = ["[::1]", "[fe80::1%eth0]", "project_node-1", "node1"]


@pytest.fixture(params=HOSTS)
def world(request, monkeypatch):
    class Elsewhere(StandInCluster):
        def __init__(self):
            super().__init__()
            self.leader = evolve(self.members[0], http_addr=f"{request.param}:9001")
            self.members = (self.leader, *self.members[1:])
            self.configuration = self.committed_configuration = Configuration(self.members)
            self.nodes = {member.node_id: StandInNode(self, member) for member in self.members}

    monkeypatch.setattr(worlds, "StandInCluster", Elsewhere)
    scripted = worlds.ScriptedWorld(forward_writes=True)
    # Connections are made to the host itself.
    scripted.network.sites[f"{request.param.strip('[]')}:9001"] = scripted.sites["node1"]
    return scripted


def test_a_write_is_forwarded_to_it(world):
    response = world.ask("PUT", "/kv/a%2F..%2Fb?timeout=2s", body=b"x", node="follower")
    assert (response.code, response["Minicloud-Node"], world.value("a/../b")) == (200, "node1", b"x")


def test_a_write_is_redirected_to_it(world):
    response = world.ask("PUT", "/kv/a?redirect", body=b"x", node="follower")
    assert response["Location"] == f"http://{world.member().http_addr}/kv/a?redirect"


def test_it_is_asked_how_it_is(world):
    world.ask("GET", "/events?format=json", node="follower")
    for _ in range(5):
        world.pump()
    told = world.ask("GET", "/events?format=json", node="follower").json
    assert [member["answers"] for member in told["cluster"]["members"]] == [True, True, True]
