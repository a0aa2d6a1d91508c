import pytest

from tests.peer.cluster import World


@pytest.fixture
def world():
    return World()
