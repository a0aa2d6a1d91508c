import pytest

from minicloud.addresses import Address, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9001", Address("127.0.0.1", 9001)),
        ("0.0.0.0:1", Address("0.0.0.0", 1)),
        ("localhost:65535", Address("localhost", 65535)),
        ("node-1.cluster_net.example.:80", Address("node-1.cluster_net.example.", 80)),
        ("[::1]:9001", Address("::1", 9001)),
    ],
)
def test_an_address_reads_as_it_is_written(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "host:port"),
        ("9001", "host:port"),
        (":9001", "host:port"),
        ("127.0.0.1", "host:port"),
        ("127.0.0.1:", "a port from 1 to 65535"),
        ("127.0.0.1:0", "a port from 1 to 65535"),
        ("127.0.0.1:65536", "a port from 1 to 65535"),
        ("127.0.0.1:http", "a port from 1 to 65535"),
        ("127.0.0.1:9٣", "a port from 1 to 65535"),
        ("127.0.0.1:-1", "a port from 1 to 65535"),
        ("::1:9001", "in brackets"),
        ("[::1:9001", "in brackets"),
        ("[nowhere]:9001", "a valid IP address"),
        ("127.0.0.256:9001", "a valid IP address"),
        ("1.2.3:9001", "a valid IP address"),
        ("two words:9001", "a host name"),
        ("-dash:9001", "a host name"),
        ("http://node1:9001", "in brackets"),
        ("a..b:9001", "a host name"),
        (f"{'a.' * 127}:9001", "a host name"),
    ],
)
def test_what_is_no_address_is_refused_with_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_address(text)


@pytest.mark.parametrize(
    ("host", "wildcard", "loopback"),
    [
        ("127.0.0.1", False, True),
        ("127.8.8.8", False, True),
        ("::1", False, True),
        ("LocalHost", False, True),
        ("0.0.0.0", True, False),
        ("::", True, False),
        ("192.168.0.1", False, False),
        ("node1", False, False),
    ],
)
def test_an_address_knows_who_can_reach_it(host: str, wildcard: bool, loopback: bool) -> None:
    address = Address(host, 9001)
    assert (address.is_wildcard, address.is_loopback) == (wildcard, loopback)
