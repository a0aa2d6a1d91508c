import pytest

from tests.client.network import Network


@pytest.fixture
def network() -> Network:
    return Network()
