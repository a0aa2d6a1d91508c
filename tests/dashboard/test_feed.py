"""How the page hears from its node: a stream, polls where there is none, and silence that is told."""

import json
import re
from typing import Any

import pytest
import pytest_twisted
from attrs import evolve

from minicloud.raft.configuration import Configuration
from tests.dashboard.browser import GONE, Browser, Page
from tests.dashboard.stage import Stage

LIVE = "document.getElementById('live-text').textContent === 'Live'"
STALE = "document.getElementById('live').dataset.state === 'stale'"
BECAUSE = "document.getElementById('live-because').textContent"
ENTER, TAB = 13, 9
POLLS = "performance.getEntriesByType('resource').filter((one) => one.name.includes('format=json')).length"
LATER = """(async () => {
    const now = performance.now.bind(performance);
    performance.now = () => now() + 60_000;
    const tick = () => new Promise((resolve) => setTimeout(resolve, 100));
    await tick().then(tick).then(tick);
    performance.now = now;
})()"""
"""A minute passes, as far as the page can tell, while its watchdog looks twice."""


async def hear_twice(page: Page) -> None:
    """Wait until the node has said twice how long it has been up: two seconds, in which a poll would have been sent."""
    for _ in range(2):
        before = await page.text("served-detail")
        await page.until(f"document.getElementById('served-detail').textContent !== {json.dumps(before)}")


async def hide(page: Page, is_hidden: bool) -> None:
    await page.evaluate(
        f"""Object.defineProperty(document, "hidden", {{value: {str(is_hidden).lower()}, configurable: true}});
        document.dispatchEvent(new Event("visibilitychange"))"""
    )


@pytest_twisted.ensureDeferred
async def test_a_stream_is_enough(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.until(LIVE)
    await hear_twice(page)
    polls = await page.evaluate(POLLS)  # One may have been sent where the stream was slow to come.
    await hear_twice(page)
    assert await page.evaluate(POLLS) == polls


@pytest_twisted.ensureDeferred
async def test_a_proxy_that_holds_the_stream_back_makes_the_page_poll(
    browser: Browser, stage: Stage, make_proxy: Any
) -> None:
    _proxy, url = make_proxy("hold")
    page = await browser.open(url)
    await page.until(LIVE)
    await page.until(f"{POLLS} >= 3")
    await page.until(f"{BECAUSE}.includes('something on the way holds its stream back')")
    urls = (
        "performance.getEntriesByType('resource').map((one) => one.name).filter((name) => name.includes('format=json'))"
    )
    first, *later = await page.evaluate(urls)
    assert "_after=" not in first
    assert all(re.search(r"&samples_after=\d+&news_after=[1-9]", one) for one in later), "nothing is fetched twice"
    stage.cluster.leader = stage.cluster.members[1]
    await page.until("document.getElementById('fact-leader').textContent === 'node2'")
    await page.until("document.querySelector('#news li').textContent.includes('node2 leads')")


@pytest_twisted.ensureDeferred
async def test_a_stream_that_is_refused_makes_the_page_poll_at_once(browser: Browser, make_proxy: Any) -> None:
    _proxy, url = make_proxy("refuse")
    page = await browser.open(url)
    await page.until(LIVE, within_ms=2500)
    await page.until(f"{POLLS} >= 1")
    await page.until(f"{BECAUSE}.includes('asked each second')")
    said = await page.evaluate(BECAUSE)
    assert "something on the way lets no stream through" in said
    assert "holds its stream back" not in said
    page.expect("status of 503")


async def without_stream(browser: Browser, make_proxy: Any) -> tuple[Any, Page]:
    """Open a page whose streams are refused on the way, and which says so; returns what is in the middle, too."""
    proxy, url = make_proxy("refuse")
    page = await browser.open(url)
    page.expect("status of 503")
    await page.until("!document.getElementById('live-why').hidden")
    return proxy, page


@pytest_twisted.ensureDeferred
async def test_why_the_node_is_asked_is_read_with_the_keyboard_alone(
    browser: Browser, stage: Stage, make_proxy: Any
) -> None:
    proxy, page = await without_stream(browser, make_proxy)
    text = "document.getElementById('live-because')"
    assert not await page.evaluate(f"{text}.checkVisibility()")
    await page.evaluate("document.getElementById('to-keys').focus()")
    await page.press("Tab", TAB)
    assert await page.evaluate("document.activeElement.textContent") == "No stream"
    await page.press("Enter", ENTER)
    await page.until(f"{text}.checkVisibility() && {text}.innerText.includes('its stream was refused')")
    proxy.streams = "pass"
    await hide(page, True)
    await hide(page, False)  # Streams are tried for again.
    await page.until("document.getElementById('live-why').hidden")
    focused = "document.activeElement === document.querySelector('#token-box summary')"
    assert await page.evaluate(focused), "the focus does not go with it"


@pytest.mark.parametrize("box", ["live-why", "token-box"])
@pytest_twisted.ensureDeferred
async def test_what_opens_below_the_head_is_in_sight_however_its_line_breaks(
    browser: Browser, make_proxy: Any, box: str
) -> None:
    _proxy, page = await without_stream(browser, make_proxy)
    await page.evaluate(f"document.getElementById('{box}').open = true")
    sides = f"""(() => {{
        const place = document.querySelector("#{box} .token-form").getBoundingClientRect();
        const head = document.querySelector(".top").getBoundingClientRect();
        return place.width > 0 && place.left >= 0 && place.right <= innerWidth && place.top >= head.bottom;
    }})()"""
    for width in (320, 360, 600, 700, 820, 1000, 1280, 1900):
        await page.size(width, 800)
        await page.until(f"innerWidth === {width}")
        assert await page.evaluate(sides), width


@pytest_twisted.ensureDeferred
async def test_a_page_with_a_stream_has_nothing_to_explain(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.until(LIVE)
    await page.until("document.getElementById('live-why').hidden")


@pytest_twisted.ensureDeferred
async def test_a_node_that_has_no_more_streams_is_not_called_something_on_the_way(
    browser: Browser, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("minicloud.web.events.MAX_STREAMS", 0)
    page = await browser.open(stage.url())
    await page.until(f"{BECAUSE}.includes('the node has given as many as it may')")
    page.expect("status of 503")


@pytest_twisted.ensureDeferred
async def test_polls_go_on_when_the_node_s_clock_is_set_back(browser: Browser, stage: Stage, make_proxy: Any) -> None:
    _proxy, url = make_proxy("refuse")
    page = await browser.open(url)
    await page.until(f"{POLLS} >= 2")
    stage.clock_step_s = -3600.0
    for leader in (1, 2):
        stage.cluster.leader = stage.cluster.members[leader]
        name = stage.cluster.leader.node_id
        await page.until(f"document.querySelector('#news li').textContent.includes('{name} leads')")
    page.expect("status of 503")


@pytest_twisted.ensureDeferred
async def test_polls_begin_afresh_with_another_node(browser: Browser, stage: Stage, make_proxy: Any) -> None:
    """Its numbers are others: what node1 has told must not hide what node2 has to tell."""
    proxy, url = make_proxy("refuse")
    page = await browser.open(url)
    await page.until(f"{POLLS} >= 3")
    proxy.port = stage.ports["node2"].getHost().port
    for connection in list(proxy.connections):
        connection.transport.loseConnection()
    await page.until("document.getElementById('served-node').textContent === 'node2'")
    await page.until("document.querySelector('#news').textContent.includes('node2 started')")
    assert "node1 started" not in await page.text("news")
    page.expect(f"status of 503|{GONE}")  # a poll may be under way just then


@pytest_twisted.ensureDeferred
async def test_polls_end_when_there_is_a_stream_again(browser: Browser, make_proxy: Any) -> None:
    proxy, url = make_proxy("refuse")
    page = await browser.open(url)
    await page.until(LIVE)
    port, proxy.port = proxy.port, 1
    proxy.streams = "pass"
    for connection in list(proxy.connections):
        connection.transport.abortConnection()
    await page.until(STALE)
    proxy.port = port
    await page.until(f"{LIVE} && {BECAUSE} === ''")
    polls = await page.evaluate(POLLS)
    await hear_twice(page)
    assert await page.evaluate(POLLS) == polls
    page.expect("status of 503", GONE)


@pytest_twisted.ensureDeferred
async def test_a_node_that_is_gone_is_noticed_and_a_new_one_is_found(
    browser: Browser, stage: Stage, make_proxy: Any
) -> None:
    proxy, url = make_proxy("pass")
    page = await browser.open(url)
    await page.until(LIVE)
    port = proxy.port
    proxy.port = 1  # Nobody listens there.
    for connection in list(proxy.connections):
        connection.transport.abortConnection()
    await page.until(STALE)
    assert (await page.text("live-text")).startswith("Stale since ")
    await page.until("/^\\(\\d+ s\\)$/.test(document.getElementById('live-age').textContent)")
    assert await page.text("served-node") == "node1"
    assert await page.evaluate("document.getElementById('cluster').classList.contains('stale')")
    assert "node1 does not answer." in await page.text("stale-text")
    links = "[...document.querySelectorAll('#stale-others a')].map((link) => link.href)"
    assert await page.evaluate(links) == [stage.url("node2"), stage.url("node3")]
    assert await page.evaluate("document.querySelectorAll('.node').length") == 3
    proxy.port = port
    await page.until(LIVE)
    assert await page.evaluate("document.getElementById('stale-note').hidden")
    assert await page.text("live-age") == ""
    page.expect(GONE)


@pytest_twisted.ensureDeferred
async def test_names_that_only_containers_know_are_no_links(browser: Browser, stage: Stage, make_proxy: Any) -> None:
    first, *others = stage.cluster.members
    inside = (evolve(member, http_addr=f"{member.node_id}:9001") for member in others)
    stage.cluster.configuration = Configuration((first, *inside))
    proxy, url = make_proxy("pass")
    page = await browser.open(url)
    await page.until(LIVE)
    assert await page.evaluate(
        "[...document.querySelectorAll('.node')].every((card) => card.querySelector('a').hidden)"
    )
    assert "HTTP node2:9001" in await page.text("cluster")
    proxy.mute(True)
    await page.until(STALE)
    assert "the dashboard of node2, node3, at the address by which you reach it" in await page.text("stale-others")


LINKS = (
    ("node2:9001", "localhost", False),
    ("node2:9001", "127.0.0.1", False),
    ("node2:9001", "[::1]", False),
    ("node2:9001", "kv.example.org", False),
    ("node2:9001", "node1", True),
    ("localhost:9002", "localhost", True),
    ("127.0.0.1:9002", "localhost", True),
    ("[::1]:9002", "localhost", True),
    ("node2.example.org:9001", "localhost", True),
    ("", "node1", False),
    ("a/b:9001", "node1", False),
    ("a b:9001", "node1", False),
)
"""Address of a member, host by which the page was opened, and whether there is a link."""


@pytest_twisted.ensureDeferred
async def test_whether_a_dashboard_can_be_linked_to(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    for http_addr, here, is_link in LINKS:
        call = f"dashboardOf({json.dumps({'http_addr': http_addr})}, {json.dumps(here)})"
        found = await page.evaluate(f"import('/static/cluster/addresses.js').then(({{ dashboardOf }}) => {call})")
        assert found == (f"http://{http_addr}/dashboard" if is_link else None), (http_addr, here)


@pytest_twisted.ensureDeferred
async def test_a_node_that_says_nothing_is_stale_too_and_live_again_when_it_speaks(
    browser: Browser, make_proxy: Any
) -> None:
    proxy, url = make_proxy("pass")
    page = await browser.open(url)
    await page.until(LIVE)
    proxy.mute(True)
    await page.until(STALE)
    proxy.mute(False)
    await page.until(LIVE)
    assert not await page.evaluate("document.getElementById('cluster').classList.contains('stale')")


@pytest_twisted.ensureDeferred
async def test_a_hidden_tab_asks_for_nothing_and_is_live_at_once_when_it_is_shown(
    browser: Browser, stage: Stage, make_proxy: Any
) -> None:
    _proxy, url = make_proxy("pass")
    page = await browser.open(url)
    await page.until(LIVE)
    await hide(page, True)
    polls = await page.evaluate(POLLS)
    stage.cluster.leader = stage.cluster.members[1]
    await page.evaluate(LATER)
    assert await page.text("live-text") == "Live", "nobody looks: nothing is called stale"
    assert await page.text("fact-leader") == "node1"
    assert await page.evaluate(POLLS) == polls
    await hide(page, False)
    await page.until("document.getElementById('fact-leader').textContent === 'node2'")
    assert await page.text("live-text") == "Live"


@pytest_twisted.ensureDeferred
async def test_another_node_at_the_same_address_starts_afresh(browser: Browser, stage: Stage, make_proxy: Any) -> None:
    proxy, url = make_proxy("pass")
    page = await browser.open(url)
    await page.until(LIVE)
    await page.until("document.querySelector('#news').textContent.includes('node1 started')")
    proxy.port = stage.ports["node2"].getHost().port
    for connection in list(proxy.connections):
        connection.transport.abortConnection()
    await page.until("document.getElementById('served-node').textContent === 'node2'")
    await page.until("document.querySelector('#news').textContent.includes('node2 started')")
    assert "node1 started" not in await page.text("news")
    page.expect(GONE)
