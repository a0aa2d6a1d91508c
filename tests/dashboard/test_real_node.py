"""The page as a real node serves it."""

from pathlib import Path

import pytest_twisted

from tests.dashboard.browser import GONE, Browser
from tests.dashboard.keys_page import KeysPage
from tests.harness.processes import nodes_in


@pytest_twisted.ensureDeferred
async def test_a_real_node_serves_the_page_and_keeps_what_is_put(browser: Browser, tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        node = nodes.start(*nodes.write_config("solo", bootstrap=True)).wait_ready()
        keys = await KeysPage.open_at(browser, f"http://127.0.0.1:{node.port}/dashboard")
        page = keys.page
        await page.until("document.getElementById('live-text').textContent === 'Live'")
        assert await page.text("served-node") == "solo"
        assert await page.text("banner-title") == "One voter"
        await keys.tree_is_whole()
        await keys.create("a/../b", "from the page")
        assert node.ask("GET", "/kv/a%2F..%2Fb") == (200, b"from the page")
        node.process.kill()
        await page.until("document.getElementById('live-text').textContent.startsWith('Stale since')")
        page.expect(GONE)
