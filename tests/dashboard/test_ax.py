"""Said aloud: what changes by itself is announced, and all that can have the focus, and each dialog, has a name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from tests.dashboard.ax import AxTree
from tests.dashboard.browser import Browser, Page
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.proxy import Proxy
from tests.dashboard.stage import Stage

READY = (
    "document.getElementById('live-text').textContent === 'Live' && document.querySelectorAll('.node').length === 3"
    " && document.querySelector('#news li') !== null"
)
STALE = "document.getElementById('live').dataset.state === 'stale'"


async def announced(page: Page, *ids: str) -> None:
    """See that changes of these are announced."""
    tree = await AxTree.of(page)
    assert [one for one in ids if not await tree.is_live(one)] == []


async def named(page: Page, *expected: str) -> None:
    """See that all that can have the focus has a name and a role for it to be said with; these names are among them."""
    tree = await AxTree.of(page)
    focusable = tree.focusable()
    # A name is not allowed where there is no role (ARIA 1.2, section 5.2.8.6): who reads the page aloud may skip it.
    nameless = [node for node in focusable if not node.name.strip() or node.role in ("generic", "none")]
    assert [await tree.html_of(node) for node in nameless] == []
    assert set(expected) <= {node.name for node in focusable}, [node.name for node in focusable]


async def asked(page: Page, dialog: str, title: str, *buttons: str) -> None:
    """See that a dialog is one for assistive technology too, with a name, and that its buttons have names."""
    await page.until(f"document.getElementById({dialog!r}).open")
    tree = await AxTree.of(page)
    assert [node.name for node in tree.with_role("dialog")] == [title]
    await named(page, *buttons)


@pytest.fixture
def with_keys(stage: Stage) -> Stage:
    """Give a cluster that has keys."""
    for key in ("a/k", "a/l", "m"):
        stage.cluster.store.records[key] = Record(b'{"of": "it"}', 4, 4, 1)
    return stage


@pytest_twisted.ensureDeferred
async def test_the_cluster_is_announced_and_named(
    browser: Browser, stage: Stage, make_proxy: Callable[[str], tuple[Proxy, str]]
) -> None:
    proxy, url = make_proxy("pass")
    page = await browser.open(url)
    await page.until(READY)
    await page.evaluate("document.getElementById('token-box').open = true")
    await announced(page, "live-text", "banner-title", "banner-text", "members-outcome", "news-said")
    buttons = ("Remove node1 from the cluster", "Make node2 the leader", "Dashboard of node3", "Add a node…")
    await named(page, "Cluster", "Bearer token", "Elections and members", *buttons)
    await page.click("add")
    await asked(page, "add-dialog", "Add a node", "Node id", "Raft address", "a learner: a copy without a vote")
    await page.click("add-no")
    await page.evaluate("document.querySelector('[aria-label=\"Remove node3 from the cluster\"]').click()")
    await asked(page, "member-dialog", "Remove node3 from the cluster?", "Remove node3", "Cancel")
    await announced(page, "member-outcome")
    await page.click("member-no")
    proxy.mute(True)
    await page.until(STALE)
    await announced(page, "live-text", "stale-note", "stale-text", "stale-others")
    await named(page, "node2", "node3")


@pytest_twisted.ensureDeferred
async def test_keys_are_announced_and_named(browser: Browser, with_keys: Stage) -> None:
    keys = await KeysPage.open(browser, with_keys, key="a/k")
    page = keys.page
    await keys.shown("value-view")
    await announced(page, "live-text", "outcome", "tree-outcome", "tree-count")
    await named(page, "a/, folder, 2 keys", "k, 12 B", "Find by prefix", "Value", "JSON", "New key", "Copy key")
    await keys.type_edit("mine")
    await named(page, "Value", "Save", "Cancel")
    with_keys.cluster.store.records["a/k"] = Record(b"theirs", 9, 4, 2)
    page.expect("status of 412")
    await keys.press("put", "Not saved")
    await announced(page, "outcome")
    await named(page, "Theirs beside mine", "Go on editing", "Take theirs", "Overwrite theirs")
    await page.evaluate("location.hash = '#keys/m'")
    await asked(page, "leave-dialog", "Throw away what you typed?", "Go on editing", "Throw away")
    await keys.answer("leave-dialog", "yes")
    await keys.shown("value-view")
    await page.click("delete")
    await asked(page, "delete-dialog", "Delete this key?", "Keep it", "Delete")
    await keys.answer("delete-dialog", "no")
    await keys.type_new("", "")
    await named(page, "Key", "Value")
