"""The page's picture of the cluster, in a real browser."""

import re
from collections.abc import Callable
from typing import Any

import pytest_twisted
from attrs import evolve

from minicloud.kv.commands import Record
from minicloud.raft.configuration import Configuration, Suffrage
from tests.dashboard.browser import Browser, Page
from tests.dashboard.stage import Stage

DASH = "\u2013"
LIVE = "document.getElementById('live-text').textContent === 'Live'"


async def open_live(browser: Browser, stage: Stage, node_id: str = "node1") -> Page:
    page = await browser.open(stage.url(node_id))
    await page.until(LIVE)
    return page


def change_status(stage: Stage, node_id: str, **changes: Any) -> None:
    """Let a node say something else of itself."""
    node = stage.cluster.nodes[node_id]
    status = node.status
    node.status = lambda: evolve(status(), **changes)


async def cards(page: Page) -> list[dict[str, str]]:
    """Return what the cards say, label by label."""
    return await page.evaluate(
        """[...document.querySelectorAll(".node")].map((card) => ({
            node: card.querySelector("h3").textContent,
            role: card.querySelector(".badge").textContent,
            reach: card.querySelector(".reach").textContent.trim(),
            link: card.querySelector("a").hidden ? "" : card.querySelector("a").href,
            ...Object.fromEntries([...card.querySelectorAll("dl div")].map(
                (pair) => [pair.querySelector("dt").textContent, pair.querySelector("dd").textContent])),
        }))"""
    )


@pytest_twisted.ensureDeferred
async def test_there_is_a_card_for_each_node_as_the_leader_sees_it(browser: Browser, stage: Stage) -> None:
    stage.cluster.store.applied_index = 18432
    stage.down.add("node3")
    stage.lag.update(node2=3, node3=1200)
    stage.cluster.store.records = {"k": Record(b"v" * 1022, 4, 4, 1), "l": Record(b"", 5, 5, 1)}
    change_status(stage, "node1", term=4, pending_proposals=5)
    page = await open_live(browser, stage)
    first, second, third = await cards(page)
    assert (first["node"], first["role"], first["reach"]) == ("node1", "Leader", "Serves this page")
    assert (first["Term"], first["Committed"], first["Applied"], first["Lag"]) == ("4", "18,432", "18,432", "none")
    assert (second["role"], second["reach"], second["Lag"], second["Last contact"]) == (
        "Follower",
        "Reachable",
        "3",
        "12 ms",
    )
    assert (third["Lag"], third["Last contact"]) == ("1,200", "1 min 24 s")
    assert (first["link"], second["link"]) == ("", stage.url("node2"))
    facts = {name: await page.text(f"fact-{name}") for name in ("term", "commit", "keys", "bytes", "pending")}
    assert facts == {"term": "4", "commit": "18,432", "keys": "2", "bytes": "1.0 KiB", "pending": "5"}
    assert await page.text("banner-title") == "Quorum held, nothing to spare"
    assert "2 of 3 voters are up" in await page.text("banner-text")
    assert "Down: node3" in await page.text("banner-text")
    assert page.console == []


@pytest_twisted.ensureDeferred
async def test_each_node_says_itself_where_it_is(browser: Browser, stage: Stage) -> None:
    stage.cluster.store.applied_index = 18432
    page = await open_live(browser, stage)
    await page.until(
        "[...document.querySelectorAll('.node-about')].every((about) => about.textContent.includes('up '))"
    )
    for card in await cards(page):
        assert (card["Term"], card["Committed"], card["Applied"]) == ("1", "18,432", "18,432")


@pytest_twisted.ensureDeferred
async def test_who_answers_and_who_is_heard_are_told_apart(browser: Browser, stage: Stage) -> None:
    stage.down.add("node3")
    await stage.stop("node2")
    page = await open_live(browser, stage)
    await page.until("document.querySelectorAll('.node[data-level=warn]').length === 2")
    _first, second, third = await cards(page)
    assert second["reach"] == "Does not answer over HTTP, but the leader hears it"
    assert third["reach"] == "Answers over HTTP, but the leader does not hear it"
    assert "Down: node3." in await page.text("banner-text"), "a quorum is made of whom the leader hears"
    await stage.stop("node3")
    await page.until("document.querySelectorAll('.node')[2].dataset.level === 'bad'")
    third = (await cards(page))[2]
    assert (third["reach"], third["role"]) == ("Not reachable", "Voter")


@pytest_twisted.ensureDeferred
async def test_a_follower_says_what_it_cannot_know(browser: Browser, stage: Stage) -> None:
    members = stage.cluster.members
    stage.cluster.configuration = Configuration((*members[:2], evolve(members[2], http_addr="")))
    page = await open_live(browser, stage, "node2")
    assert await page.text("served-node") == "node2"
    assert await page.evaluate("document.title") == "node2 · minicloud"
    first, second, third = await cards(page)
    assert (first["role"], first["reach"]) == ("Leader", "Reachable")
    assert (second["role"], second["reach"]) == ("Follower", "Serves this page")
    assert (third["reach"], third["Lag"], third["Last contact"]) == ("Not seen by node2", DASH, DASH)
    assert "as far as node2 can tell" in await page.text("banner-text")
    assert await page.text("fact-leader") == "node1"


@pytest_twisted.ensureDeferred
async def test_a_follower_tells_the_lag_and_the_last_contact_of_each(browser: Browser, stage: Stage) -> None:
    stage.cluster.store.applied_index = 18432
    change_status(stage, "node3", last_log_index=18427)
    page = await open_live(browser, stage, "node2")
    await page.until("document.querySelectorAll('.node')[2].textContent.includes('about 5')")
    first, second, third = await cards(page)
    assert [card["Lag"] for card in (first, second, third)] == ["none", "none", "about 5"]
    assert second["Last contact"] == "7 ms", "with the leader, over Raft"
    for card in (first, third):
        assert re.fullmatch(r"\d+ ms|\d\.\d s", card["Last contact"]), "with it, over HTTP"


@pytest_twisted.ensureDeferred
async def test_the_page_follows_what_happens(browser: Browser, stage: Stage) -> None:
    page = await open_live(browser, stage)
    assert await page.text("banner-title") == "Quorum held"
    leader, stage.cluster.leader = stage.cluster.leader, None
    await page.until("document.getElementById('banner-title').textContent === 'Electing a leader…'")
    since = r"/ Without a leader since (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d\.$/"
    await page.until(f"{since}.test(document.getElementById('banner-text').textContent)")
    assert await page.text("fact-leader") == "none"
    stage.cluster.leader = leader
    members = stage.cluster.members
    learner = type(members[2])("node4", "127.0.0.1:9014", "127.0.0.1:9004", Suffrage.LEARNER)
    stage.cluster.configuration = Configuration((*members[:2], learner))
    await page.until(
        "[...document.querySelectorAll('.node h3')].map((name) => name.textContent).join() === 'node1,node2,node4'"
    )
    assert (await cards(page))[2]["role"] == "Learner"
    stage.cluster.configuration = Configuration(members[:1])
    await page.until("document.getElementById('banner-title').textContent === 'One voter'")
    stage.cluster.configuration = Configuration(())
    await page.until("document.getElementById('banner-title').textContent === 'No cluster yet'")
    stage.cluster.nodes["node1"].state = "Removed"
    await page.until("document.getElementById('banner-title').textContent === 'Not a member'")


@pytest_twisted.ensureDeferred
async def test_a_hostile_member_is_text_and_leads_nowhere(browser: Browser, stage: Stage) -> None:
    members = stage.cluster.members
    hostile = type(members[0])("<img src=x onerror=window.pwned=1>", "<b>", "javascript:window.pwned=1//:80")
    stage.cluster.configuration = Configuration((*members, hostile))
    page = await open_live(browser, stage)
    seen = [card for card in await cards(page) if card["node"].startswith("<img")]
    assert [card["link"] for card in seen] == [""]
    assert await page.evaluate("document.querySelectorAll('.nodes img, .nodes b').length") == 0
    assert await page.evaluate("window.pwned === undefined")


@pytest_twisted.ensureDeferred
async def test_a_lost_quorum_is_explained_with_what_to_start(browser: Browser, stage: Stage) -> None:
    page = await open_live(browser, stage)
    assert await page.evaluate("document.getElementById('repair').hidden")
    stage.down.update(("node2", "node3"))
    await page.until("document.getElementById('banner-title').textContent === 'Quorum lost'")
    said = await page.text("banner-text")
    assert "1 of 3 voters is up, and 2 are needed." in said
    assert "Nothing that was answered is lost." in said
    assert "?stale" in said
    command = "twistd -n minicloud --config …"
    wanted = [f"{name} (HTTP {stage.address(name)} · Raft 127.0.0.1:901{name[-1]}): {command}" for name in stage.down]
    assert await page.evaluate(
        "[...document.querySelectorAll('#repair-nodes li')].map((item) => item.textContent)"
    ) == (sorted(wanted))
    stage.down.clear()
    await page.until("document.getElementById('banner-title').textContent === 'Quorum held'")
    assert await page.evaluate("document.getElementById('repair').hidden")


@pytest_twisted.ensureDeferred
async def test_the_picture_needs_no_token(browser: Browser, make_stage: Callable[..., Stage]) -> None:
    await open_live(browser, make_stage(token="secret", auth_reads=True))


@pytest_twisted.ensureDeferred
async def test_nothing_is_wider_than_a_small_telephone(browser: Browser, stage: Stage) -> None:
    page = await open_live(browser, stage)
    for width in (360, 390, 820, 1280, 2200):
        await page.size(width, 800)
        await page.until(f"innerWidth === {width}")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), width


@pytest_twisted.ensureDeferred
async def test_numbers_that_change_move_nothing(browser: Browser, stage: Stage) -> None:
    page = await open_live(browser, stage)
    places = "JSON.stringify([...document.querySelectorAll('.node, .plot, .banner')].map((one) => one.getBoundingClientRect()))"
    await page.until(
        "[...document.querySelectorAll('.node-about')].every((about) => about.textContent.includes('up '))"
    )
    before = await page.evaluate(places)
    stage.cluster.store.applied_index = 1_848_484
    await page.until("document.getElementById('fact-commit').textContent === '1,848,484'")
    assert await page.evaluate(places) == before
