"""The list of what happened."""

import json
from typing import Any

import pytest_twisted

from minicloud.raft.configuration import Configuration, Suffrage
from tests.dashboard.browser import Browser, Page
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
