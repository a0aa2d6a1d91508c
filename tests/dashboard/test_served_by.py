"""Which node serves the page is always visible: in both views, on small screens and large ones, live and stale."""

from collections.abc import Callable

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from tests.dashboard.browser import Browser, Page
from tests.dashboard.proxy import Proxy
from tests.dashboard.stage import Stage

LIVE = "document.getElementById('live-text').textContent === 'Live'"
STALE = "document.getElementById('live').dataset.state === 'stale'"
HEIGHT_PX = 480
"""Low enough for both views to be scrolled."""

TO_THE_END = "scrollTo(0, document.documentElement.scrollHeight)"

SEEN = f"""(() => {{
    {TO_THE_END}; // Once more: the page may have grown since.
    const name = document.getElementById("served-node");
    const box = name.getBoundingClientRect();
    const found = document.elementFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2);
    return {{
        text: name.innerText,
        scrolled: scrollY > 0 && Math.ceil(scrollY + innerHeight) >= document.documentElement.scrollHeight,
        inside: box.width > 0 && box.height > 0 && box.left >= 0 && box.top >= 0
            && box.right <= innerWidth && box.bottom <= innerHeight,
        onTop: found === name,
        shown: name.checkVisibility({{opacityProperty: true, visibilityProperty: true}}),
    }};
}})()"""


async def is_seen_at_the_end(page: Page, width: int) -> None:
    await page.size(width, HEIGHT_PX)
    await page.until(f"innerWidth === {width} && innerHeight === {HEIGHT_PX}")
    await page.evaluate(f"{TO_THE_END}, new Promise(requestAnimationFrame)")
    seen = {"text": "node1", "scrolled": True, "inside": True, "onTop": True, "shown": True}
    assert await page.evaluate(SEEN) == seen, width


@pytest.mark.parametrize("view", ["cluster", "keys"])
@pytest_twisted.ensureDeferred
async def test_the_serving_node_is_named_wherever_one_has_scrolled_to(
    browser: Browser, stage: Stage, make_proxy: Callable[[str], tuple[Proxy, str]], view: str
) -> None:
    stage.cluster.store.records["k"] = Record(b"v", 4, 4, 1)
    proxy, url = make_proxy("pass")
    page = await browser.open(f"{url}#{view}")
    await page.until(LIVE)
    await page.until(f"!document.getElementById({view!r}).hidden")
    for width in (360, 1280):
        await is_seen_at_the_end(page, width)
    proxy.mute(True)
    await page.until(STALE)
    for width in (360, 1280):
        await is_seen_at_the_end(page, width)
    assert (await page.text("live-text")).startswith("Stale since ")
