"""The ports that tests listen on."""

import socket

from tests.harness.ports import PER_PROCESS, free_ports


def test_a_port_is_given_to_one_node_only_though_none_listens_yet() -> None:
    given = [port for _ in range(PER_PROCESS // 4) for port in free_ports(2)]
    assert len(set(given)) == len(given)


def test_a_port_that_somebody_listens_on_is_not_given() -> None:
    (port,) = free_ports(1)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", port))
        listening.listen()
        assert port not in free_ports(PER_PROCESS // 2)
