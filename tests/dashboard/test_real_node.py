"""The page as a real node serves it."""

from pathlib import Path

import pytest_twisted

from tests.dashboard.browser import Browser
from tests.harness.processes import nodes_in


@pytest_twisted.ensureDeferred
async def test_a_real_node_serves_the_page_and_keeps_what_is_put(browser: Browser, tmp_path: Path) -> None:
    with nodes_in(tmp_path) as nodes:
        node = nodes.start(*nodes.write_config("solo", bootstrap=True)).wait_ready()
        page = await browser.open(f"http://127.0.0.1:{node.port}/#keys")
        await page.until("document.getElementById('live-text').textContent === 'Live'")
        assert await page.text("served-node") == "solo"
        assert await page.text("banner-title") == "One voter"
        await page.fill("key", "a/../b")
        await page.fill("value", "from the page")
        await page.click("put")
        await page.until("document.getElementById('outcome').textContent.startsWith('Created')")
        assert node.ask("GET", "/kv/a%2F..%2Fb") == (200, b"from the page")
        node.process.kill()
        await page.until("document.getElementById('live-text').textContent.startsWith('Stale since')")
        assert page.console == [] or all("ERR_CONNECTION" in line for line in page.console)
