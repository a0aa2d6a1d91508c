"""What happens is shown within two seconds: by the page's own clock, and on the stage by this machine's."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from minicloud.raft.configuration import Configuration
from minicloud.web.limits import CLUSTER_INTERVAL_S, LOOK_INTERVAL_S
from tests.dashboard.browser import Browser
from tests.dashboard.page_clock import ClockedPage
from tests.dashboard.proxy import Proxy
from tests.dashboard.stage import Stage
from tests.dashboard.watch import GENEROUS_MS, WANTED_MS, shows

LIVE = "document.getElementById('live-text').textContent === 'Live'"
STALE = "document.getElementById('live').dataset.state === 'stale' && !document.getElementById('stale-note').hidden"
NODE2_LEADS = (
    "document.getElementById('fact-leader').textContent === 'node2'"
    " && document.querySelectorAll('.node')[1]?.querySelector('.badge').textContent === 'Leader'"
)
FOUR = "[...document.querySelectorAll('.node h3')].map((name) => name.textContent).join() === 'node1,node2,node3,node4'"

NOTICES_MS = round(LOOK_INTERVAL_S * 1000)
"""A node looks this often at what has changed, and speaks of it then."""
ANSWER_MS = 300
"""What a poll takes on a slow line."""

WAYS = pytest.mark.parametrize("streams", [True, False], ids=["stream", "polls"])


def led_by_node2(cluster: dict[str, Any]) -> None:
    cluster["status"].update(leader_id="node2", is_leader=False, state="Follower")
    for member in cluster["members"]:
        member.update(is_leader=member["node_id"] == "node2", reported=None)


def of_four(cluster: dict[str, Any]) -> None:
    *_, last = cluster["members"]
    cluster["members"].append({**last, "node_id": "node4", "suffrage": "Learner", "reported": None})


async def open_clocked(browser: Browser, stage: Stage, streams: bool) -> ClockedPage:
    clocked = await ClockedPage.open(browser, stage.url(), streams=streams, answer_ms=0 if streams else ANSWER_MS)
    await clocked.speaks_each()
    return clocked


async def just_after(clocked: ClockedPage, what: str) -> None:
    """Wait for the worst moment for a change: the next one is as far away as can be."""
    seen = await clocked.page.evaluate(f"node.{what}")
    assert await clocked.pass_until(f"node.{what} > {seen}", WANTED_MS) is not None


@WAYS
@pytest_twisted.ensureDeferred
async def test_silence_is_called_stale_in_time(browser: Browser, stage: Stage, streams: bool) -> None:
    clocked = await open_clocked(browser, stage, streams)
    if not streams:
        await just_after(clocked, "answers")
    await clocked.freeze()
    ms = await clocked.pass_until(STALE, GENEROUS_MS)
    assert ms is not None
    assert ms <= WANTED_MS


@WAYS
@pytest_twisted.ensureDeferred
async def test_a_node_that_speaks_as_late_as_it_may_is_not_called_stale(
    browser: Browser, stage: Stage, streams: bool
) -> None:
    clocked = await ClockedPage.open(browser, stage.url(), streams=streams, answer_ms=ANSWER_MS)
    await clocked.speaks_each(round(CLUSTER_INTERVAL_S * 1000) + NOTICES_MS)
    assert await clocked.pass_until(STALE, 4 * GENEROUS_MS) is None
    assert await clocked.page.text("live-text") == "Live"


@WAYS
@pytest.mark.parametrize(
    ("change", "condition"), [(led_by_node2, NODE2_LEADS), (of_four, FOUR)], ids=["leader", "member"]
)
@pytest_twisted.ensureDeferred
async def test_a_change_of_the_cluster_shows_in_time(
    browser: Browser, stage: Stage, streams: bool, change: Callable[[dict[str, Any]], None], condition: str
) -> None:
    clocked = await open_clocked(browser, stage, streams)
    if not streams:
        await just_after(clocked, "asked")  # What the node says then is on its way, and out of date.
    cluster = copy.deepcopy(await clocked.told())
    change(cluster)
    await clocked.tells(cluster, after_ms=NOTICES_MS)
    ms = await clocked.pass_until(condition, GENEROUS_MS)
    assert ms is not None
    assert ms <= WANTED_MS


@pytest_twisted.ensureDeferred
async def test_on_the_stage_a_leader_and_a_member_show_in_time(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.until(LIVE)
    members = stage.cluster.members

    def elect() -> None:
        stage.cluster.leader = members[1]

    def join() -> None:
        fourth = evolve(members[2], node_id="node4", raft_addr="127.0.0.1:9014")
        stage.cluster.configuration = Configuration((*members, fourth))

    await shows(page, "a leader", "document.getElementById('fact-leader').textContent === 'node2'", elect)
    await shows(page, "a member", FOUR, join)


@pytest_twisted.ensureDeferred
async def test_on_the_stage_silence_shows_in_time(
    browser: Browser, make_proxy: Callable[[str], tuple[Proxy, str]]
) -> None:
    proxy, url = make_proxy("pass")
    page = await browser.open(url)
    await page.until(LIVE)
    await shows(page, "silence", STALE, lambda: proxy.mute(True))
    proxy.mute(False)
    await page.until(LIVE)
