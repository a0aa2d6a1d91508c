"""The page's picture of the cluster, in a real browser."""

import pytest_twisted

from minicloud.raft.configuration import Configuration, Suffrage
from tests.dashboard.browser import Browser, Page
from tests.dashboard.stage import Stage

DASH = "\u2013"
LIVE = "document.getElementById('live-text').textContent === 'Live'"


async def open_live(browser: Browser, stage: Stage, node_id: str = "node1") -> Page:
    page = await browser.open(stage.url(node_id))
    await page.until(LIVE)
    return page


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
    page = await open_live(browser, stage)
    first, second, third = await cards(page)
    assert (first["node"], first["role"], first["reach"]) == ("node1", "Leader", "Serves this page")
    assert (first["Term"], first["Committed"], first["Applied"], first["Lag"]) == ("1", "18,432", "18,432", "none")
    assert (second["role"], second["reach"], second["Lag"], second["Last contact"]) == (
        "Follower",
        "Reachable",
        "3",
        "12 ms",
    )
    assert (third["reach"], third["Lag"], third["In its log"]) == ("Not reachable", "1,200", "17,232")
    assert (second["Term"], first["link"], second["link"]) == (DASH, "", stage.url("node2"))
    assert await page.text("banner-title") == "Quorum held, nothing to spare"
    assert "2 of 3 voters are up" in await page.text("banner-text")
    assert "Down: node3" in await page.text("banner-text")
    assert page.console == []


@pytest_twisted.ensureDeferred
async def test_a_follower_says_what_it_cannot_know(browser: Browser, stage: Stage) -> None:
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
async def test_the_page_follows_what_happens(browser: Browser, stage: Stage) -> None:
    page = await open_live(browser, stage)
    assert await page.text("banner-title") == "Quorum held"
    leader, stage.cluster.leader = stage.cluster.leader, None
    await page.until("document.getElementById('banner-title').textContent === 'No leader'")
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
async def test_what_is_shown_is_marked_stale_when_the_node_goes_away(browser: Browser, stage: Stage) -> None:
    page = await open_live(browser, stage)
    await stage.stop("node1")
    await page.until("document.getElementById('live').dataset.state === 'stale'")
    assert (await page.text("live-text")).startswith("Stale since ")
    assert await page.text("served-node") == "node1"
    assert await page.evaluate("document.getElementById('cluster').classList.contains('stale')")
    assert len(await cards(page)) == 3


@pytest_twisted.ensureDeferred
async def test_a_node_that_is_silent_is_stale_too_and_live_again_when_it_answers(
    browser: Browser, stage: Stage
) -> None:
    page = await open_live(browser, stage)
    await page.evaluate(
        """(() => {
            window.realFetch = window.fetch;
            window.polls = 0;
            window.fetch = (path, {signal}) => {
                window.polls += 1;
                return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
            };
        })()"""
    )
    await page.until("document.getElementById('live').dataset.state === 'stale'")
    assert await page.evaluate("window.polls") <= 4, "polls do not pile up"
    await page.evaluate("window.fetch = window.realFetch")
    await page.until(LIVE)
    assert not await page.evaluate("document.getElementById('cluster').classList.contains('stale')")


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
async def test_reading_that_needs_the_token_asks_for_it(browser: Browser, make_stage: object) -> None:
    stage = make_stage(token="secret", auth_reads=True)
    page = await browser.open(stage.url())
    await page.until("document.getElementById('live').dataset.state !== 'connecting'")
    if await page.text("live-text") != "Live":
        assert await page.text("live-text") == "Reading needs the token"
        assert await page.evaluate("document.getElementById('token-box').open")
        await page.fill("token", "secret")
        await page.evaluate("document.getElementById('token-form').requestSubmit()")
        await page.until(LIVE)
