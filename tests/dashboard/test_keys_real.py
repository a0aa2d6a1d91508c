"""The view of keys on three real nodes: all that one does with a key, through a node that follows."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_twisted

from tests.dashboard.browser import Browser
from tests.dashboard.injections import MARK, TEXTS
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.real_cluster import dashboard_url
from tests.process.cluster import Cluster, cluster_in


@pytest.fixture
def cluster(browser: Browser, tmp_path: Path) -> Iterator[Cluster]:
    with cluster_in(tmp_path) as three:
        yield three


def value_at(cluster: Cluster, name: str, key: str) -> bytes | None:
    answer = cluster.members[name].ask("GET", f"/kv/{quote(key, safe='')}")
    return answer.body if answer.status == 200 else None


def put_by_another(cluster: Cluster, key: str, value: bytes) -> None:
    assert cluster.members[cluster.leader()].ask("PUT", f"/kv/{quote(key, safe='')}", value).status == 200


@pytest_twisted.ensureDeferred
async def test_all_that_one_does_with_keys_is_done_through_any_node(browser: Browser, cluster: Cluster) -> None:
    leader = cluster.leader()
    follower, other = cluster.others(leader)
    put_by_another(cluster, "config/limits", b'{"connections":900}')
    keys = await KeysPage.open_at(browser, dashboard_url(cluster, follower, "keys").removesuffix("#keys"))
    keys.page.expect("status of 412")
    await keys.tree_is_whole()

    await keys.open_folder("config/")
    await keys.press_row("limits")
    await keys.shown("value-view")
    assert await keys.value() == '{\n  "connections": 900\n}'

    await keys.create("users/ann", "one\ntwo")
    assert value_at(cluster, other, "users/ann") == b"one\ntwo"
    await keys.find("users/")
    assert await keys.all_keys() == ["users/ann"]

    put_by_another(cluster, "users/ann", b"one\ntheirs")
    await keys.edit("one\nmine", "Not saved")
    assert await keys.is_shown("conflict")
    assert value_at(cluster, other, "users/ann") == b"one\ntheirs"
    await keys.press("overwrite", "Saved at revision")
    assert value_at(cluster, leader, "users/ann") == b"one\nmine"

    put_by_another(cluster, "users/ann", b"again theirs")
    await keys.delete("Not deleted")
    assert await keys.value() == "again theirs"
    await keys.delete()
    assert value_at(cluster, other, "users/ann") is None
    assert await keys.all_keys() == []


@pytest_twisted.ensureDeferred
async def test_hostile_keys_and_values_are_text_on_real_nodes_too(browser: Browser, cluster: Cluster) -> None:
    leader = cluster.leader()
    for text in TEXTS:
        put_by_another(cluster, text, text.encode())
    keys = await KeysPage.open_at(browser, dashboard_url(cluster, leader, "keys").removesuffix("#keys"))
    await keys.tree_is_whole()
    assert sorted(await keys.all_keys()) == sorted(TEXTS)
    for text in TEXTS[::7]:
        await keys.choose(text)
        assert await keys.page.evaluate(f"window.{MARK} === undefined")


@pytest_twisted.ensureDeferred
async def test_when_the_leader_dies_what_was_typed_is_saved_by_the_next_one(browser: Browser, cluster: Cluster) -> None:
    leader = cluster.leader()
    survivor = cluster.others(leader)[0]
    keys = await KeysPage.open_at(browser, dashboard_url(cluster, survivor, "keys").removesuffix("#keys"))
    await keys.tree_is_whole()
    await keys.type_new("k", "typed before the leader died")
    cluster.kill(leader)
    assert cluster.leader() != leader
    await keys.press("put", "Created at revision")
    assert value_at(cluster, survivor, "k") == b"typed before the leader died"
