"""Listings: what the client sends, what it makes of the answer, and the pages of a real HTTP side."""

import pytest
from twisted.internet.defer import Deferred

from minicloud.client import BadAnswer, ErrorAnswer, Item, Page, Unavailable
from minicloud.client.exchange import MAX_ANSWER_BYTES
from minicloud.kv.commands import Record
from minicloud.wire.limits import MAX_VALUE_BYTES_LIMIT
from tests.client.network import Network, document, problem, raw

A, B = "a:9001", "b:9002"
FIRST, SECOND = "127.0.0.1:9001", "127.0.0.1:9002"
NUMBERS = {"revision": 9, "create_revision": 7, "version": 2, "expires_in": None}


def listing(*items, revision=9, next_cursor=None):
    return document({"items": list(items), "revision": revision, "next_cursor": next_cursor})


def query_of(seen):
    return seen.uri.partition("?")[2].partition("timeout=")[0].rstrip("&")


# What is sent


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, "limit=100"),
        ({"prefix": "a//b"}, "prefix=a%2F%2Fb&limit=100"),
        ({"prefix": "ключ"}, "prefix=%D0%BA%D0%BB%D1%8E%D1%87&limit=100"),
        ({"prefix": "%2F+ &=#"}, "prefix=%252F%2B%20%26%3D%23&limit=100"),
        ({"prefix": "\udcff"}, "prefix=%FF&limit=100"),
        ({"start": "a b", "limit": 7}, "start=a%20b&limit=7"),
        ({"keys_only": True, "cursor": "AQ-_"}, "limit=100&cursor=AQ-_&keys_only"),
        ({"stale": True}, "limit=100&stale"),
        ({"min_revision": 5}, "limit=100&min_revision=5"),
    ],
)
def test_list_sends_what_was_asked_for(network: Network, options, query) -> None:
    network.serve(A, listing())
    network.result(network.client(A).list(**options))
    (seen,) = network.seen
    assert (seen.method, seen.uri.partition("?")[0], query_of(seen)) == ("GET", "/kv", query)
    assert "timeout=" in seen.uri


@pytest.mark.parametrize(
    ("options", "query"),
    [
        ({}, "count"),
        ({"prefix": "a+", "start": "b"}, "prefix=a%2B&start=b&count"),
        ({"stale": True}, "count&stale"),
        ({"min_revision": 5}, "count&min_revision=5"),
    ],
)
def test_count_sends_what_was_asked_for(network: Network, options, query) -> None:
    network.serve(A, document({"count": 12, "revision": 30}))
    assert network.result(network.client(A).count(**options)) == 12
    assert query_of(network.seen[0]) == query


# What comes back


def test_a_page_has_types(network: Network) -> None:
    network.serve(
        A,
        listing(
            {"key": "a", "value": "ю"} | NUMBERS,
            {"key": "b", "value_base64": "/wA="} | NUMBERS,
            {"key": "c", "size_bytes": 5} | NUMBERS,
            next_cursor="more",
        ),
    )
    assert network.result(network.client(A).list()) == Page(
        (
            Item("a", "ю".encode(), 9, 7, 2, size_bytes=2),
            Item("b", b"\xff\x00", 9, 7, 2, size_bytes=2),
            Item("c", None, 9, 7, 2, size_bytes=5),
        ),
        revision=9,
        next_cursor="more",
    )


def test_the_last_page_has_an_empty_cursor(network: Network) -> None:
    network.serve(A, listing())
    assert network.result(network.client(A).list()) == Page((), 9, "")


@pytest.mark.parametrize(
    "reply",
    [
        raw(200, b"<html>"),
        document({"items": None, "revision": 1}),
        document({"items": [], "next_cursor": None}),
        document({"items": [], "revision": 1}),
        listing(next_cursor=7),
        listing("a"),
        listing({"value": "x"} | NUMBERS),
        listing({"key": "a", "value": "x"}),
        listing({"key": "a"} | NUMBERS),
        listing({"key": "a", "value": "\ud800"} | NUMBERS),
        listing({"key": "a", "value_base64": "%%%"} | NUMBERS),
        listing({"key": "a", "value_base64": "abc"} | NUMBERS),
        listing({"key": "a", "value_base64": "é"} | NUMBERS),
    ],
)
def test_what_is_no_listing_is_a_bad_answer(network: Network, reply) -> None:
    network.serve(A, reply)
    with pytest.raises(BadAnswer):
        network.result(network.client(A).list())


def test_what_is_no_count_is_a_bad_answer(network: Network) -> None:
    network.serve(A, document({"count": "many"}))
    with pytest.raises(BadAnswer, match="count"):
        network.result(network.client(A).count())


def test_a_refusal_names_the_parameter(network: Network) -> None:
    network.serve(A, problem(400, "bad_parameter", "limit: expected a number from 1 to 1000, not '0'"))
    with pytest.raises(ErrorAnswer, match="limit"):
        network.result(network.client(A).list(limit=0))


def test_a_listing_goes_on_to_the_next_server(network: Network) -> None:
    network.serve(A, problem(503, "no_leader", retryable=True))
    network.serve(B, listing(revision=4))
    assert network.result(network.client(A, B).list()).revision == 4


def test_the_longest_item_that_a_node_can_be_set_to_have_is_read() -> None:
    longest_escape = len(r"\u0000")
    assert longest_escape * MAX_VALUE_BYTES_LIMIT + 10_000 < MAX_ANSWER_BYTES


# Against the site


def all_pages(client, *args, **options):
    async def work():
        return [page async for page in client.pages(*args, **options)]

    return Deferred.fromCoroutine(work())


def fill(cluster, keys):
    for number, key in enumerate(keys, start=1):
        cluster.store.records[key] = Record(key.encode(), number, number, 1)


@pytest.mark.parametrize("server", [FIRST, SECOND])
def test_pages_go_through_all_keys(network, cluster, server) -> None:
    keys = [f"users/{number:03}" for number in range(25)]
    fill(cluster, [*keys, "other", "users"])
    pages = network.result(all_pages(network.client(server), "users/", limit=10))
    assert [len(page.items) for page in pages] == [10, 10, 5]
    assert [item.key for page in pages for item in page.items] == keys
    assert [item.value for item in pages[0].items] == [key.encode() for key in keys[:10]]
    assert network.result(network.client(server).count("users/", start="users/020")) == 5


@pytest.mark.parametrize(
    "prefix", ["a//b", "ключ", "%2Fx", "+", " ", "&limit=0", "\U0010ffff", "🔑", "a b?c#d&e", "é" * 512]
)
def test_every_prefix_arrives_as_it_was(network, cluster, prefix) -> None:
    fill(cluster, [prefix, "a", "z", "\ue000"])
    client = network.client(SECOND)
    assert [item.key for item in network.result(client.list(prefix, start=prefix, stale=True)).items] == [prefix]
    assert network.result(client.count(prefix)) == 1


def test_pages_of_keys_alone_from_a_start(network, cluster) -> None:
    fill(cluster, ["a", "b", "c", "d"])
    pages = network.result(all_pages(network.client(FIRST), start="b", limit=2, keys_only=True))
    assert [(item.key, item.value, item.size_bytes) for page in pages for item in page.items] == [
        ("b", None, 1),
        ("c", None, 1),
        ("d", None, 1),
    ]


def test_pages_end_with_what_the_listing_fails_with(network, cluster) -> None:
    cluster.leader = None
    with pytest.raises(Unavailable):
        network.result(all_pages(network.client(FIRST, timeout_s=1.0)))
    with pytest.raises(ErrorAnswer, match="cursor"):
        network.result(network.client(FIRST).list(cursor="x", stale=True))
