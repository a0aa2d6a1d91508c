"""The config files that ship with minicloud."""

from pathlib import Path

import pytest

from minicloud.addresses import Address
from minicloud.config import load_settings

CONFIGS = Path(__file__).parents[2] / "configs"
SECRET = {"MINICLOUD_CLUSTER_SECRET": "for the containers"}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_local_node_has_the_ports_of_the_contract_and_only_the_first_bootstraps(number: int) -> None:
    settings = load_settings(CONFIGS / f"node{number}.yaml", {})
    assert settings.node_id == f"node{number}"
    assert settings.listen_addr == Address("127.0.0.1", 9000 + number)
    assert settings.raft_addr == Address("127.0.0.1", 9010 + number)
    assert settings.bootstrap == (number == 1)
    assert settings.join_url == (() if number == 1 else ("http://127.0.0.1:9001",))


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_container_goes_by_its_service_name_and_forwards_writes(number: int) -> None:
    settings = load_settings(CONFIGS / f"docker-node{number}.yaml", SECRET)
    assert settings.node_id == f"node{number}"
    assert settings.listen_addr == Address("0.0.0.0", 9001)
    assert settings.advertise_addr == Address(f"node{number}", 9001)
    assert settings.raft_addr == Address(f"node{number}", 9011)
    assert settings.follower_writes == "forward"
    assert settings.bootstrap == (number == 1)
    assert ("http://node1:9001" in settings.join_url) == (number != 1)
