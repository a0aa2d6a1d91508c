"""The list of what happened."""

import datetime
import json
from typing import Any

import pytest_twisted

from minicloud.raft.configuration import Configuration, Suffrage
from tests.dashboard.browser import Browser, Page
from tests.dashboard.page_clock import ClockedPage
from tests.dashboard.stage import Stage

NEWEST = "document.querySelector('#news li').innerText"


def item(number: int, kind: str, **more: Any) -> dict[str, Any]:
    return {"number": number, "at": 1_764_000_000 + number, "kind": kind, "node_id": None, "term": None, **more}


async def listed(page: Page) -> list[str]:
    """Return what the list says, without its times."""
    return await page.evaluate(
        "[...document.querySelectorAll('#news li > span:last-child')].map((one) => one.textContent)"
    )


async def open_quiet(browser: Browser, stage: Stage) -> Page:
    """Open the page, and let only the test tell its list what happened."""
    page = await browser.open(stage.url())
    await page.until("document.getElementById('live-text').textContent === 'Live'")
    await page.evaluate(
        "import('/static/cluster/news.js').then((news) => { window.news = news.startNews(); news.clear; })"
    )
    await page.evaluate("window.news.clear()")
    return page


async def tell(page: Page, *items: dict[str, Any], is_all: bool = False) -> None:
    await page.evaluate(f"window.news.add({json.dumps(items)}, {json.dumps(is_all)})")


@pytest_twisted.ensureDeferred
async def test_what_happens_is_said_in_words_the_newest_first(browser: Browser, stage: Stage) -> None:
    page = await open_quiet(browser, stage)
    await tell(
        page,
        item(1, "started", node_id="node1"),
        item(2, "no_leader", term=6),
        item(3, "election", node_id="node1", term=7),
        item(4, "leader", node_id="node2", term=7),
        item(5, "member_added", node_id="node3", suffrage="Learner"),
        item(6, "member_promoted", node_id="node3"),
        item(7, "member_demoted", node_id="node3"),
        item(8, "member_moved", node_id="node3"),
        item(9, "member_removed", node_id="node3"),
        item(10, "unreachable", node_id="node1"),
        item(11, "reachable", node_id="node1"),
        item(12, "of a newer version", node_id="node1"),
        is_all=True,
    )
    assert await listed(page) == [
        "node1 of a newer version",
        "node1 is reachable again",
        "node1 is not reachable",
        "node3 was removed",
        "node3 has a new address",
        "node3 became a learner",
        "node3 became a voter",
        "node3 joined as a learner",
        "node2 leads in term 7",
        "node1 stands for election in term 7",
        "No leader is known, in term 6",
        "node1 started",
    ]
    assert await page.text("news-said") == "", "a whole list is to be read, not to be listened to"


@pytest_twisted.ensureDeferred
async def test_only_what_is_new_is_announced_and_the_list_has_an_end(browser: Browser, stage: Stage) -> None:
    page = await open_quiet(browser, stage)
    many = [item(number, "leader", node_id="node1", term=number) for number in range(1, 101)]
    await tell(page, *many, is_all=True)
    await tell(page, many[-1], item(101, "unreachable", node_id="node3"))
    assert await page.text("news-said") == "node3 is not reachable."
    assert len(await listed(page)) == 100
    # A stream that was opened again tells everything that is kept, and nothing is announced twice.
    await tell(page, *many[1:], item(101, "unreachable", node_id="node3"), is_all=True)
    assert await page.text("news-said") == "node3 is not reachable."
    assert (await listed(page))[:2] == ["node3 is not reachable", "node1 leads in term 100"]


@pytest_twisted.ensureDeferred
async def test_hostile_news_is_text(browser: Browser, stage: Stage) -> None:
    page = await open_quiet(browser, stage)
    await tell(page, item(1, "leader", node_id="<img src=x onerror=window.pwned=1>", term=1), is_all=True)
    assert await listed(page) == ["<img src=x onerror=window.pwned=1> leads in term 1"]
    assert await page.evaluate("document.querySelectorAll('#news img').length") == 0


@pytest_twisted.ensureDeferred
async def test_news_of_the_node_arrive_as_they_happen(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.until("document.querySelectorAll('#news li').length > 0")
    members = stage.cluster.members
    learner = type(members[2])("node4", "127.0.0.1:9014", "", Suffrage.LEARNER)
    stage.cluster.configuration = Configuration((*members, learner))
    await page.until(f"{NEWEST}.includes('node4 joined as a learner')")
    assert await page.text("news-said") == "node4 joined as a learner."
    stage.cluster.leader = members[1]
    await page.until(f"{NEWEST}.includes('node2 leads in term 1')")


DAY = datetime.date(2025, 6, 10)
CALENDAR = """(() => {
    const Real = Date;
    window.Date = class extends Real {
        constructor(...parts) { super(...(parts.length === 0 ? [window.today] : parts)); }
        static now() { return window.today; }
    };
})();"""
"""The time of day in the page is window.today, in milliseconds since the epoch."""
TIMES = "[...document.querySelectorAll('#news time')].map((time) => [time.textContent, time.dateTime])"


def at(day: datetime.date, hours: int, minutes: int, seconds: int) -> float:
    """Return a time of day, of this machine and its browser, in seconds since the epoch."""
    return datetime.datetime.combine(day, datetime.time(hours, minutes, seconds)).timestamp()


def iso(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest_twisted.ensureDeferred
async def test_the_date_stands_where_it_was_not_today_also_after_midnight(browser: Browser, stage: Stage) -> None:
    yesterday, today = at(DAY - datetime.timedelta(1), 23, 59, 59), at(DAY, 9, 26, 53)
    now = f"window.today = {at(DAY, 12, 0, 0) * 1000};"
    clocked = await ClockedPage.load(browser, stage.url(), streams=True, before=now + CALENDAR)
    items = [
        {"number": 1, "at": yesterday, "kind": "started", "node_id": "node1"},
        {"number": 2, "at": today, "kind": "no_leader", "term": 6},
    ]
    await clocked.page.evaluate(
        f"node.told.news.items = {json.dumps(items)}; node.told.cluster.status.leader_id = null"
    )
    assert await clocked.pass_until("document.querySelectorAll('#news li').length === 2", 1000) is not None
    assert await clocked.page.evaluate(TIMES) == [["09:26:53", iso(today)], ["2025-06-09 23:59:59", iso(yesterday)]]
    assert (await clocked.page.text("banner-text")).endswith(" Without a leader since 09:26:53.")
    await clocked.freeze()  # It is for the page itself to know the date.
    await clocked.page.evaluate(f"window.today = {at(DAY + datetime.timedelta(1), 0, 0, 0) * 1000}")
    assert await clocked.pass_until(f"{TIMES}[0][0] === '2025-06-10 09:26:53'", 2000) is not None


@pytest_twisted.ensureDeferred
async def test_the_list_stays_as_it_is_while_nothing_happens(browser: Browser, stage: Stage) -> None:
    """What is marked in it stays marked."""
    clocked = await ClockedPage.open(browser, stage.url(), streams=True)
    await clocked.speaks_each()
    await clocked.page.evaluate("window.first = document.querySelector('#news li')")
    await clocked.pass_time(5000)
    assert await clocked.page.evaluate("window.first.isConnected")
