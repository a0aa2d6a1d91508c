"""Three real nodes that ask for a token: polls, the token, bytes as hex, and values that nobody wishes for.

What the stand-ins show in more detail, on a node that keeps and sends the values itself. One cluster runs for all of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from urllib.parse import quote

import pytest
import pytest_twisted
from twisted.internet import reactor

from tests.dashboard.browser import Browser
from tests.dashboard.injections import MARK, VALUES
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.proxy import Proxy
from tests.dashboard.real_cluster import LIVE, dashboard_url
from tests.process.cluster import Cluster, cluster_in

TOKEN = "a-secret-of-this-test"
REFUSED = "status of 401"
POLLED = "performance.getEntriesByType('resource').map((one) => one.name).filter((name) => name.includes('format=json&samples_after='))"
BINARY = bytes(range(256))
LONG = "x" * 300_000
DEEP = next(value for value in VALUES if value.startswith('{"a":{"a":') and len(value) > 10_000)
SHOWN_CHARACTERS = 64 * 1024
"""Longest part of a value that the page shows."""


@pytest.fixture(scope="module")
def cluster(running_browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One for the file: its tests leave three voters behind, and use keys of their own."""
    with cluster_in(tmp_path_factory.mktemp("cluster"), auth_token=TOKEN) as three:
        yield three


def send(cluster: Cluster, method: str, path: str, body: bytes) -> int:
    """Ask the leader with the token, and return the status."""
    node = cluster.members[cluster.leader()].running()
    return node.ask(method, path, body, Authorization=f"Bearer {TOKEN}", Content_Type="application/json")[0]


def put(cluster: Cluster, values: dict[str, bytes]) -> None:
    for key, value in values.items():
        assert send(cluster, "PUT", f"/kv/{quote(key, safe='')}", value) == 200


async def open_keys(browser: Browser, cluster: Cluster, name: str) -> KeysPage:
    keys = await KeysPage.open_at(browser, dashboard_url(cluster, name).removesuffix("#cluster"))
    await keys.tree_is_whole()
    return keys


async def show_as(keys: KeysPage, way: str) -> str:
    """Press one of Text, JSON and Hex, which must be possible, and return what is shown."""
    assert not await keys.page.evaluate(f"document.getElementById('as-{way}').disabled")
    await keys.page.click(f"as-{way}")
    return await keys.exact("shown")


@asynccontextmanager
async def in_the_middle(cluster: Cluster, name: str, streams: str) -> AsyncIterator[str]:
    """Put something before a node; gives where its dashboard is then."""
    proxy = Proxy(f"127.0.0.1:{cluster.members[name].http_port}", streams)
    port = reactor.listenTCP(0, proxy, interface="127.0.0.1")
    try:
        yield f"http://127.0.0.1:{port.getHost().port}/dashboard"
    finally:
        await port.stopListening()


@pytest.mark.parametrize("streams", ["hold", "refuse"])
@pytest_twisted.ensureDeferred
async def test_polls_tell_what_a_stream_would(browser: Browser, cluster: Cluster, streams: str) -> None:
    leader = cluster.leader()
    served, heir = cluster.others(leader)
    async with in_the_middle(cluster, served, streams) as url:
        page = await browser.open(url)
        if streams == "refuse":
            page.expect("status of 503")
        await page.until(LIVE)
        await page.until(f"{POLLED}.length >= 2")
        assert await page.text("served-node") == served
        assert await page.text("fact-leader") == leader
        await page.until("document.getElementById('live-because').textContent.includes('asked each second')")
        assert send(cluster, "POST", "/raft/transfer", json.dumps({"node_id": heir}).encode()) == 204
        await page.until(f"document.getElementById('fact-leader').textContent === {heir!r}")
        await page.until(f"document.querySelector('#news').textContent.includes('{heir} leads in term')")


@pytest_twisted.ensureDeferred
async def test_the_token_is_asked_for_entered_and_used_through_a_follower(browser: Browser, cluster: Cluster) -> None:
    served, other = cluster.others(cluster.leader())
    keys = await open_keys(browser, cluster, served)
    page = keys.page
    page.expect(REFUSED)
    await keys.create("with/token", "v", "This needs the cluster's token")
    assert await page.evaluate("document.activeElement.id") == "token"
    for token, expected in (("wrong", "The node refuses this token"), (TOKEN, "Created at revision")):
        assert cluster.members[other].ask("GET", "/kv/with%2Ftoken").status == 404
        await page.fill("token", token)
        await page.press("Enter", 13)
        await keys.outcome(expected)
    assert cluster.members[other].ask("GET", "/kv/with%2Ftoken").body == b"v"
    assert await page.evaluate("localStorage.length + document.cookie.length") == 0
    await keys.edit("w")
    await keys.delete()
    assert cluster.members[other].ask("GET", "/kv/with%2Ftoken").status == 404


@pytest_twisted.ensureDeferred
async def test_bytes_are_shown_as_hex_and_long_and_deep_values_in_part(browser: Browser, cluster: Cluster) -> None:
    put(cluster, {"odd/binary": BINARY, "odd/long": LONG.encode(), "odd/deep": DEEP.encode()})
    keys = await open_keys(browser, cluster, cluster.others(cluster.leader())[0])
    await keys.choose("odd/binary")
    shown = await keys.exact("shown")
    lines = [re.fullmatch(r"([0-9a-f]{4})  ((?:[0-9a-f]{2} ?){16})  (.{16})", line) for line in shown.split("\n")]
    assert b"".join(bytes.fromhex(line[2]) for line in lines) == BINARY
    assert [int(line[1], 16) for line in lines] == list(range(0, len(BINARY), 16))
    assert lines[4][3] == "@ABCDEFGHIJKLMNO"
    assert await keys.page.evaluate("document.getElementById('as-text').disabled")

    await keys.choose("odd/long")
    assert await show_as(keys, "text") == LONG[:SHOWN_CHARACTERS]
    assert "(300,000 bytes)" in await keys.page.text("viewer-hint")
    assert (await show_as(keys, "hex")).startswith("0000  78 78 ")

    await keys.choose("odd/deep")
    assert (await show_as(keys, "json")).startswith('{\n  "a": {\n    "a": {\n')
    assert "Laid out for reading" in await keys.page.text("viewer-hint")
    assert await show_as(keys, "text") == DEEP


@pytest_twisted.ensureDeferred
async def test_hostile_values_are_text(browser: Browser, cluster: Cluster) -> None:
    sample = {f"hostile/{number:03}": value for number, value in enumerate(VALUES) if number % 6 == 0}
    put(cluster, {key: value.encode() for key, value in sample.items()})
    keys = await open_keys(browser, cluster, cluster.others(cluster.leader())[0])
    kinds = "[...new Set([...document.querySelectorAll('*')].map((one) => one.localName))].sort()"
    await keys.choose("hostile/000")
    before = set(await keys.page.evaluate(kinds))
    for key, value in sample.items():
        await keys.choose(key)
        if not await keys.page.evaluate("document.getElementById('as-text').disabled"):
            shown = await show_as(keys, "text")
            assert shown.replace("\r", "") == value[:SHOWN_CHARACTERS].replace("\r", "")
        await show_as(keys, "hex")
        assert await keys.page.evaluate(f"window.{MARK} === undefined && Object.prototype.{MARK} === undefined")
        assert set(await keys.page.evaluate(kinds)) <= {*before, "span"}, key
    assert await keys.page.evaluate("document.scripts.length") == 2
