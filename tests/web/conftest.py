import pytest

from tests.web.world import RealWorld, ScriptedWorld


@pytest.fixture
def make_world():
    """Make sites of a cluster of real nodes."""
    worlds = []

    def make(**options):
        worlds.append(RealWorld(**options))
        return worlds[-1]

    yield make
    for world in worlds:
        world.check()


@pytest.fixture
def world(make_world):
    return make_world()


@pytest.fixture
def make_scripted():
    return ScriptedWorld


@pytest.fixture
def scripted():
    """Nodes that do what a script says: for what a real cluster cannot be made to do at will."""
    return ScriptedWorld()


@pytest.fixture(params=["leader", "follower"])
def node(request):
    """The role of whom is asked."""
    return request.param
