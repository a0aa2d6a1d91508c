"""``python -m tests.dashboard.pictures``: makes the pictures of the README, from three real nodes with some traffic.

The nodes have the configs that ship, so ports 9001 to 9003 and 9011 to 9013 must be free.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater, react

from tests.dashboard.browser import Browser, Page, find_browser
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.png import repacked
from tests.dashboard.real_cluster import open_dashboard, traffic
from tests.harness.processes import TOP, nodes_in
from tests.process.cluster import NAMES, Cluster, Member

PICTURES = TOP / ".readme"
WIDTH_PX = 1280
CLUSTER_HEIGHT_PX = 984
"""To the end of the plots."""
KEYS_HEIGHT_PX = 760
MOST_BYTES = 150 * 1000
"""Of one picture: whoever reads the README fetches four."""

TRAFFIC_S = 150
"""Half of what the plots show."""
SETTLE_S = 0.5
"""From a change of colours to the picture: transitions take 0.2 s, and plots are drawn again."""

SHOWN_KEY = "users/ada"
SHOWN_NAME = "grace"
"""Another key in the same folder, which the tree opens by itself."""
VALUES = {
    "config/checkout/currency": "EUR",
    "config/checkout/max_items": "40",
    "config/search/enabled": "true",
    "feature-flags": '{"dark-mode": true, "new-basket": false, "beta-testers": ["ada", "grace"]}',
    "greeting": "Hello",
    "locks/nightly-backup": "node2",
    "queues/mail/last-sent": "2026-03-14T09:26:53Z",
    "queues/mail/pending": "17",
    SHOWN_KEY: '{"name": "Ada Lovelace", "email": "ada@example.org", "roles": ["admin", "editor"], "logins": 42}',
    "users/edsger": '{"name": "Edsger Dijkstra", "email": "edsger@example.org", "roles": ["reader"], "logins": 7}',
    "users/grace": '{"name": "Grace Hopper", "email": "grace@example.org", "roles": ["editor"], "logins": 128}',
}


def shipped_cluster(cluster: Cluster) -> None:
    """Start the three nodes of the README."""
    for number, name in enumerate(NAMES, start=1):
        (cluster.folder / f"{name}.yaml").write_bytes((TOP / "configs" / f"{name}.yaml").read_bytes())
        cluster.members[name] = Member(name, f"{name}.yaml", 9000 + number, 9010 + number)
    cluster.start(*NAMES)
    cluster.wait_voters(*NAMES)
    cluster.wait_ready()


async def take(page: Page, view: str, height: int) -> None:
    """Take one view in light and in dark."""
    await page.command("Emulation.setScrollbarsHidden", hidden=True)
    await page.size(WIDTH_PX, height)
    for scheme in ("light", "dark"):
        await page.colours(scheme)
        await pause(SETTLE_S)
        path = PICTURES / f"{view}-{scheme}.png"
        await page.screenshot(path, full=False)
        path.write_bytes(repacked(path.read_bytes()))
        size = path.stat().st_size
        print(f"{path.relative_to(TOP)}: {size:,} bytes")
        assert size < MOST_BYTES, f"{path} is too large for a README"


def pause(seconds: float) -> Deferred[None]:
    """Let some time pass."""
    return deferLater(reactor, seconds, lambda: None)


async def take_all(browser: Browser, cluster: Cluster) -> None:
    """Take all pictures."""
    leader = cluster.leader()
    page = await open_dashboard(browser, cluster, leader)
    with traffic(cluster, leader, VALUES):
        await pause(TRAFFIC_S)
        await take(page, "cluster", CLUSTER_HEIGHT_PX)
    keys = KeysPage(page)
    await keys.choose(SHOWN_KEY)
    await page.until(f"document.getElementById('tree').innerText.includes({SHOWN_NAME!r})")
    await keys.tree_is_whole()
    await take(page, "keys", KEYS_HEIGHT_PX)


async def main(folder: Path) -> None:
    """Do it all, and leave nothing running."""
    program = find_browser()
    if program is None:
        raise SystemExit("no Chromium here that could be driven: install chromium")
    PICTURES.mkdir(exist_ok=True)
    browser = Browser.start(program, folder / "profile")
    try:
        with nodes_in(folder) as nodes:
            cluster = Cluster(nodes)
            shipped_cluster(cluster)
            await take_all(browser, cluster)
    finally:
        await browser.stop()


def run() -> None:
    """Run it under the reactor, in a folder that goes away."""
    with tempfile.TemporaryDirectory() as folder:
        react(lambda _reactor: ensureDeferred(main(Path(folder))))


if __name__ == "__main__":
    run()
