"""Three real nodes, as processes of their own, for the page to look at; and something to do for them."""

from __future__ import annotations

import http.client
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import count

from attrs import define, field

from tests.dashboard.browser import Browser, Page
from tests.process.cluster import Cluster

LIVE = "document.getElementById('live-text').textContent === 'Live'"
ANSWER_S = 10.0
"""Longest wait for one answer of a node that is asked by the traffic."""


def dashboard_url(cluster: Cluster, name: str, view: str = "cluster") -> str:
    """Return where a node serves its dashboard."""
    return f"http://127.0.0.1:{cluster.members[name].http_port}/dashboard#{view}"


async def open_dashboard(browser: Browser, cluster: Cluster, name: str, width: int = 1280) -> Page:
    """Open a node's page, and return when it is live and shows a card for each member."""
    page = await browser.open(dashboard_url(cluster, name), width=width)
    await page.until(LIVE)
    await page.until(f"document.querySelectorAll('.node').length === {len(cluster.suffrages(name))}")
    return page


@define
class Traffic:
    """Requests to one node, one after the other, with a pause between two that changes like a day's load does."""

    port: int
    values: Mapping[str, str]
    """Keys and values to write, again and again."""
    pause_s: float = 0.004
    _is_over: threading.Event = field(factory=threading.Event)

    def run(self) -> None:
        """Send until it is over."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_S)
        keys = list(self.values)
        for number in count():
            key = keys[number % len(keys)]
            with suppress(OSError, http.client.HTTPException):
                self._ask(connection, key, number)
            wave = 1 + (number // 150) % 5
            if self._is_over.wait(self.pause_s * wave):
                connection.close()
                return

    def _ask(self, connection: http.client.HTTPConnection, key: str, number: int) -> None:
        path = f"/kv/{urllib.parse.quote(key, safe='')}?forward"
        if number % 3 == 0:
            connection.request("PUT", path, self.values[key].encode())
        elif number % 61 == 1:
            connection.request("DELETE", "/kv/scratch?forward")
        else:
            connection.request("GET", path.removesuffix("?forward"))
        connection.getresponse().read()

    def stop(self) -> None:
        """Let it end."""
        self._is_over.set()


@contextmanager
def traffic(cluster: Cluster, name: str, values: Mapping[str, str]) -> Iterator[None]:
    """Have a node asked for something all the time."""
    asker = Traffic(cluster.members[name].http_port, values)
    thread = threading.Thread(target=asker.run)
    thread.start()
    try:
        yield
    finally:
        asker.stop()
        thread.join()
