from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock

from minicloud.client import Client
from minicloud.client.servers import member_server, origin_of, parse_server, parse_servers


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("http://127.0.0.1:9001", "http://127.0.0.1:9001"),
        (" http://127.0.0.1:9001/ ", "http://127.0.0.1:9001"),
        ("127.0.0.1:9001", "http://127.0.0.1:9001"),
        ("localhost", "http://localhost:80"),
        ("HTTPS://Node1.Example", "https://node1.example:443"),
        ("http://[::1]:9001", "http://[::1]:9001"),
        ("http://[fe80::1%eth0]:9001", "http://[fe80::1%eth0]:9001"),
        ("http://[fe80::1%25eth0]:9001", "http://[fe80::1%eth0]:9001"),
        ("[0:0::1]:9001", "http://[::1]:9001"),
        ("http://bücher:1", "http://xn--bcher-kva:1"),
        ("project_node-1:1", "http://project_node-1:1"),
    ],
)
def test_a_server_may_be_written_in_several_ways(text: str, server: str) -> None:
    assert parse_server(text) == server


@pytest.mark.parametrize(
    "text",
    [
        "ftp://a:1",
        "http://",
        "http://a:b",
        "http://a:99999",
        "http://a/path",
        "http://u:p@a",
        "http://a b:1",
        "http://[::1",
        "a?b",
        "http://a..b:9001",
        "http://-x:9001",
        f"http://{'x' * 70}:9001",
        f"http://{'ü' * 70}:9001",
        "http://1.2.3:9001",
        "http://a:0",
        "http://[fe80::1%a b]:1",
    ],
)
def test_what_is_no_server_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(ValueError, match="address") as caught:
        parse_server(text)
    assert "\n" not in str(caught.value)


def test_several_servers_come_in_one_text_or_in_several() -> None:
    assert parse_servers(["a:1, b:2,", "a:1"]) == ("http://a:1", "http://b:2")


@pytest.mark.parametrize("texts", [[], [""], [" , "]])
def test_no_server_is_refused(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="no server"):
        parse_servers(texts)


def test_members_speak_the_scheme_of_the_one_who_names_them() -> None:
    assert member_server("b:9002", "https://a:9001") == "https://b:9002"
    assert member_server("", "https://a:9001") is None
    assert member_server("evil:1/x", "https://a:9001") is None


def test_the_origin_of_a_location_is_its_server() -> None:
    assert origin_of("http://A:9001/kv/x?y#z") == "http://a:9001"
    assert origin_of("/kv/x") is None


@pytest.mark.parametrize("text", ["localhost", "http://127.0.0.1:9001", "", b"a:1"])
def test_a_single_text_is_no_list_of_servers(text: Any) -> None:
    """Each of its letters would be one, and be given the token."""
    with pytest.raises(TypeError, match=r"several texts.*\['http://127.0.0.1:9001'\]"):
        parse_servers(text)
    with pytest.raises(TypeError):
        Client(text, token="secret", reactor=MemoryReactorClock())
