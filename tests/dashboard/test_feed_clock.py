"""How the page hears from its node, by the page's own clock: streams that end, that are held back, and silent deaths."""

from __future__ import annotations

import json
from typing import Any

import pytest
import pytest_twisted

from tests.dashboard.browser import Browser
from tests.dashboard.page_clock import ClockedPage
from tests.dashboard.stage import Stage
from tests.dashboard.test_feed import hide
from tests.dashboard.watch import GENEROUS_MS, WANTED_MS

LIVE = "document.getElementById('live').dataset.state === 'live'"
STALE = "document.getElementById('live').dataset.state === 'stale'"
BECAUSE = "document.getElementById('live-because').textContent"

SLOW_MS = 300
"""What an answer takes on a slow line."""
MINUTE_MS = 60_000
SILENCE_MS = 5000
"""A stream that says nothing for this long is given up."""
REOPEN_MS = 1000
"""Streams are opened this often at most."""
POLL_TIMEOUT_MS = 2500
"""A poll that takes longer is given up."""
AGAIN_MS = 30_000
"""Between two looks whether there are streams by now, while polling."""

HIDDEN = 'Object.defineProperty(document, "hidden", {value: true, configurable: true});'


async def of(clocked: ClockedPage, what: str) -> Any:
    """Return what the node has counted."""
    return await clocked.page.evaluate(f"node.{what}")


# Streams that something on the way holds back


@pytest_twisted.ensureDeferred
async def test_where_streams_are_held_back_the_first_answer_is_waited_for(browser: Browser, stage: Stage) -> None:
    clocked = await ClockedPage.load(browser, stage.url(), streams="held", answer_ms=SLOW_MS)
    assert await clocked.pass_until(STALE, GENEROUS_MS) is None
    assert await clocked.page.evaluate(LIVE)
    assert "holds its stream back" in await clocked.page.evaluate(BECAUSE)


@pytest_twisted.ensureDeferred
async def test_where_streams_are_held_back_a_tab_that_comes_back_is_live(browser: Browser, stage: Stage) -> None:
    clocked = await ClockedPage.load(browser, stage.url(), streams="held", answer_ms=SLOW_MS)
    await clocked.pass_time(GENEROUS_MS)
    await hide(clocked.page, True)
    await clocked.pass_time(MINUTE_MS)
    before, asked = await of(clocked, "answers"), await of(clocked, "asked")
    await hide(clocked.page, False)
    assert await clocked.pass_until(f"node.answers > {before}", SLOW_MS) is not None, (
        "what is known to help is done at once"
    )
    assert await clocked.pass_until(STALE, GENEROUS_MS) is None
    assert await clocked.page.evaluate(LIVE)
    seconds = (GENEROUS_MS + SLOW_MS) / 1000
    assert await of(clocked, "asked") - asked <= seconds + 1, "once each second, and not by two"


@pytest_twisted.ensureDeferred
async def test_a_tab_that_is_hidden_before_it_has_heard_anything_asks_for_nothing(
    browser: Browser, stage: Stage
) -> None:
    clocked = await ClockedPage.load(browser, stage.url(), streams="held")
    await clocked.pass_time(100)
    await hide(clocked.page, True)
    await clocked.pass_time(MINUTE_MS)
    assert (await of(clocked, "opened"), await of(clocked, "asked")) == (1, 0)


@pytest_twisted.ensureDeferred
async def test_where_streams_are_held_back_since_a_tab_was_hidden_it_is_live_too(
    browser: Browser, stage: Stage
) -> None:
    clocked = await ClockedPage.open(browser, stage.url(), streams=True, answer_ms=SLOW_MS)
    await hide(clocked.page, True)
    await clocked.page.evaluate("node.streams = 'held'")
    await clocked.pass_time(MINUTE_MS)
    await hide(clocked.page, False)
    assert await clocked.pass_until(STALE, GENEROUS_MS) is None
    assert await of(clocked, "answers") > 1


@pytest_twisted.ensureDeferred
async def test_why_the_node_is_asked_is_not_said_before_it_is_known(browser: Browser, stage: Stage) -> None:
    clocked = await ClockedPage.load(browser, stage.url(), streams="held")
    assert await clocked.pass_until(LIVE, WANTED_MS) is not None
    assert await of(clocked, "answers") == 1
    assert await clocked.page.evaluate(BECAUSE) == "", "the stream may only be slow"
    assert await clocked.pass_until(f"{BECAUSE} !== ''", GENEROUS_MS) is not None


@pytest_twisted.ensureDeferred
async def test_a_tab_that_has_had_a_stream_again_does_not_ask_when_it_comes_back(
    browser: Browser, stage: Stage
) -> None:
    clocked = await ClockedPage.open(browser, stage.url(), streams=False)
    await clocked.page.evaluate("node.streams = true")
    await clocked.speaks_each()
    await clocked.pass_time(AGAIN_MS + REOPEN_MS)
    asked = await of(clocked, "asked")
    await hide(clocked.page, True)
    await hide(clocked.page, False)
    await clocked.pass_time(GENEROUS_MS)
    assert await of(clocked, "asked") == asked


@pytest_twisted.ensureDeferred
async def test_while_polls_are_answered_streams_are_tried_now_and_then_and_may_break(
    browser: Browser, stage: Stage
) -> None:
    clocked = await ClockedPage.open(browser, stage.url(), streams=False)
    await clocked.page.evaluate("node.streams = 'cut'; node.opened = 0")
    assert await clocked.pass_until(STALE, MINUTE_MS + REOPEN_MS) is None
    assert await of(clocked, "opened") == MINUTE_MS / AGAIN_MS


# Streams that end


@pytest.mark.parametrize("life_ms", [300, 900, 2500, 20_000])
@pytest_twisted.ensureDeferred
async def test_something_that_ends_streams_is_no_dead_node(browser: Browser, stage: Stage, life_ms: int) -> None:
    clocked = await ClockedPage.open(browser, stage.url(), streams=True)
    await clocked.speaks_each()
    await clocked.page.evaluate(f"setInterval(() => node.cut(), {life_ms}), undefined")
    assert await clocked.pass_until(STALE, MINUTE_MS) is None
    opened = await of(clocked, "opened")
    assert MINUTE_MS / max(life_ms, REOPEN_MS) / 2 < opened <= MINUTE_MS / REOPEN_MS + 1, "and it is not flooded"


@pytest.mark.parametrize("age_ms", [0, 100, 900, 1100, 7900])
@pytest_twisted.ensureDeferred
async def test_a_node_that_is_gone_is_noticed_in_time(browser: Browser, stage: Stage, age_ms: int) -> None:
    clocked = await ClockedPage.open(browser, stage.url(), streams=True)
    await clocked.speaks_each()
    await clocked.pass_time(age_ms)
    await clocked.page.evaluate("node.gone = true; node.cut()")
    ms = await clocked.pass_until(STALE, GENEROUS_MS)
    assert ms is not None
    assert ms <= max(0, REOPEN_MS - age_ms) < WANTED_MS, "as soon as the next stream cannot be opened, either"
    await clocked.pass_time(GENEROUS_MS)
    assert await of(clocked, "asked") == 0, "streams are tried, and nothing else"
    await clocked.page.evaluate("node.gone = false")
    assert await clocked.pass_until(LIVE, GENEROUS_MS) is not None


# Coming back from a death that nobody told of


@pytest_twisted.ensureDeferred
async def test_a_stream_that_leads_nowhere_is_opened_anew(browser: Browser, stage: Stage) -> None:
    clocked = await ClockedPage.open(browser, stage.url(), streams=True)
    await clocked.speaks_each()
    await clocked.freeze()
    assert await clocked.pass_until(STALE, WANTED_MS) is not None
    await clocked.page.evaluate("node.lose(); node.frozen = false")
    ms = await clocked.pass_until(LIVE, MINUTE_MS)
    assert ms is not None, "until the page is loaded anew"
    assert ms <= SILENCE_MS + REOPEN_MS + 1000


@pytest_twisted.ensureDeferred
async def test_a_poll_that_is_never_answered_is_not_the_last_one(browser: Browser, stage: Stage) -> None:
    clocked = await ClockedPage.open(browser, stage.url(), streams=False)
    await clocked.freeze()
    assert await clocked.pass_until(STALE, WANTED_MS) is not None
    await clocked.page.evaluate("node.frozen = false")  # The poll that is under way stays without an answer.
    ms = await clocked.pass_until(LIVE, MINUTE_MS)
    assert ms is not None, "until the page is loaded anew"
    assert ms <= POLL_TIMEOUT_MS + 1000


# Where it begins


@pytest_twisted.ensureDeferred
async def test_a_page_that_is_opened_hidden_asks_for_nothing_until_it_is_shown(browser: Browser, stage: Stage) -> None:
    clocked = await ClockedPage.load(browser, stage.url(), streams=True, before=HIDDEN)
    await clocked.pass_time(MINUTE_MS)
    assert (await of(clocked, "opened"), await of(clocked, "asked")) == (0, 0)
    assert await clocked.page.text("live-text") == "Connecting…", "nobody looks: nothing is called stale"
    await hide(clocked.page, False)
    assert await clocked.pass_until(LIVE, REOPEN_MS) is not None
    assert (await of(clocked, "opened"), await of(clocked, "asked")) == (1, 0)


@pytest_twisted.ensureDeferred
async def test_polls_begin_afresh_with_a_node_that_was_started_anew(browser: Browser, stage: Stage) -> None:
    """Its numbers begin with 1 again: what it told before must not hide what it has to tell now."""
    clocked = await ClockedPage.open(browser, stage.url(), streams=False)
    await clocked.page.evaluate("node.told.cluster.status.uptime_seconds = 1000")
    await clocked.pass_time(3 * REOPEN_MS)
    await clocked.page.evaluate("node.told.cluster.status.uptime_seconds = 2; node.questions = []")
    await clocked.pass_time(3 * REOPEN_MS)
    asked = ["_after=" in question for question in await of(clocked, "questions")]
    assert asked[:3] == [True, False, True], json.dumps(await of(clocked, "questions"))
