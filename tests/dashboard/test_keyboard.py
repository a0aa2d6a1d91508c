"""The whole page by keyboard alone: the order of Tab, a focus that is seen, dialogs that open, hold it and give it back."""

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from tests.dashboard.browser import Browser, Page
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.stage import Stage
from tests.dashboard.test_cluster_members import ASKED, ENTER, ESCAPE, FOCUSED, TAB, changes, open_page, told

SHIFT = 8
NOWHERE = "body"
FOCUS = """((one) => {
    if (one === document.body) return ["body", true, true];
    const shape = getComputedStyle(one).opacity === "0" ? one.labels[0] : one;
    const box = shape.getBoundingClientRect();
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    const {outlineStyle, outlineWidth} = getComputedStyle(shape);
    return [
        one.id || one.getAttribute("aria-label") || one.className || one.localName,
        one.matches(":focus-visible") && outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
        top !== null && shape.contains(top),
    ];
})(document.activeElement)"""
"""The name of what has the focus, whether that shows, and whether it is in sight with nothing over it. A field that is
transparent is seen as its label."""

HEAD = ["skip", "to-cluster", "to-keys", "summary"]
CARDS = [
    "Remove node1 from the cluster",
    "Dashboard of node2",
    "Make node2 the leader",
    "Remove node2 from the cluster",
    "Dashboard of node3",
    "Make node3 the leader",
    "Remove node3 from the cluster",
]
"""The leader, which serves the page, needs neither a link to it nor a way to become leader."""
CLUSTER = [*HEAD, "add", *CARDS, "news-box"]
TREE = ["new-key", "find", "refresh", "k1, 1 B"]
VALUE = ["copy-key", "as-text", "reread", "copy-value", "download", "shown", "edit", "delete"]
SIZES = [(1280, 900), (390, 700), (320, 700)]
"""Widths and heights, in CSS pixels: a desk, a telephone, and the smallest that has to do (WCAG 2, section 1.4.10)."""


async def focused(page: Page) -> str:
    """Return what has the focus, and see that a reader can tell."""
    name, shows, is_in_sight = await page.evaluate(FOCUS)
    assert shows, f"nothing shows that {name} has the focus"
    assert is_in_sight, f"{name} has the focus and lies behind something"
    return name


async def tab(page: Page, modifiers: int = 0) -> str:
    await page.press("Tab", TAB, modifiers)
    return await focused(page)


async def round_trip(page: Page, modifiers: int = 0) -> list[str]:
    """Press Tab until the page's end, where some browsers begin anew; return what had the focus, in that order."""
    names: list[str] = []
    while (name := await tab(page, modifiers)) not in (NOWHERE, *names[:1]):
        assert name not in names, f"{name} again, after {names}: the page has no end"
        names.append(name)
    return names


async def tab_to(page: Page, wanted: str) -> None:
    """Press Tab until an element has the focus, at most once around."""
    seen: list[str] = []
    while (name := await tab(page)) != wanted:
        assert name == NOWHERE or name not in seen, f"{wanted} is not among {seen}"
        seen.append(name)


async def with_a_key(browser: Browser, stage: Stage) -> KeysPage:
    stage.cluster.store.records["k1"] = Record(b"v", 4, 4, 1)
    keys = await KeysPage.open(browser, stage, key="k1")
    await keys.shown("value-view")
    return keys


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest_twisted.ensureDeferred
async def test_tab_goes_through_the_cluster_as_one_reads_it_and_back(
    browser: Browser, stage: Stage, width: int, height: int
) -> None:
    page = await open_page(browser, stage)
    await page.size(width, height)
    await page.until(f"innerWidth === {width}")
    assert await round_trip(page) == CLUSTER
    assert await round_trip(page, SHIFT) == CLUSTER[::-1]


@pytest_twisted.ensureDeferred
async def test_tab_goes_through_the_keys_as_one_reads_them(browser: Browser, stage: Stage) -> None:
    keys = await with_a_key(browser, stage)
    assert await round_trip(keys.page) == [*HEAD, *TREE, *VALUE]


@pytest_twisted.ensureDeferred
async def test_the_views_are_changed_by_their_links(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    await tab_to(page, "to-keys")
    await page.press("Enter", ENTER)
    await page.until("document.getElementById('cluster').hidden && !document.getElementById('keys').hidden")
    assert await tab(page) == "new-key", "the browser goes on in what the link led to"


@pytest_twisted.ensureDeferred
async def test_the_content_is_skipped_to_in_the_view_that_is_shown(browser: Browser, stage: Stage) -> None:
    keys = await with_a_key(browser, stage)
    page = keys.page
    await tab_to(page, "skip")
    await page.press("Enter", ENTER)
    await page.until(f"{FOCUSED} === 'main'")
    assert await page.evaluate("location.hash") == "#keys/k1"
    assert await page.evaluate("document.getElementById('cluster').hidden")
    assert await tab(page) == "new-key"


@pytest_twisted.ensureDeferred
async def test_a_question_keeps_the_focus_until_escape_and_gives_it_back(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    for opener in ("Make node2 the leader", "Remove node3 from the cluster"):
        await tab_to(page, opener)
        await page.press("Enter", ENTER)
        await page.until(ASKED)
        assert await focused(page) == "member-no"
        assert [await tab(page) for _ in range(3)] == ["member-yes", NOWHERE, "member-no"]
        await page.press("Escape", ESCAPE)
        await page.until(f"!{ASKED}")
        assert await focused(page) == opener
    assert changes(stage) == []


@pytest_twisted.ensureDeferred
async def test_a_node_is_added_without_a_mouse(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    is_open = "document.getElementById('add-dialog').open"
    await tab_to(page, "add")
    await page.press("Enter", ENTER)
    await page.until(is_open)
    assert await focused(page) == "add-id"
    assert [await tab(page) for _ in range(3)] == ["add-raft", "add-http", "add-voter"]
    await page.press("Escape", ESCAPE)
    await page.until(f"!{is_open}")
    assert await focused(page) == "add"
    await page.press("Enter", ENTER)
    await page.until(is_open)
    await page.type("node4")
    await tab(page)
    await page.type("127.0.0.1:9914")
    await page.press("Enter", ENTER)
    await page.until(ASKED)
    assert await focused(page) == "member-no"
    assert await tab(page) == "member-yes"
    await page.press("Enter", ENTER)
    await told(page, "node4 is a member now")
    assert await focused(page) == "add"


@pytest_twisted.ensureDeferred
async def test_the_box_for_the_token_opens_closes_and_says_what_to_enter(browser: Browser, stage: Stage) -> None:
    page = await open_page(browser, stage)
    is_open = "document.getElementById('token-box').open"
    await tab_to(page, "summary")
    await page.press("Enter", ENTER)
    await page.until(is_open)
    assert await tab(page) == "token"
    await page.press("Enter", ENTER)
    await page.until("document.getElementById('token-hint').textContent.startsWith('Enter the token first')")
    assert await focused(page) == "token"
    await page.press("Escape", ESCAPE)
    await page.until(f"!{is_open}")
    assert await focused(page) == "summary"
    await page.press("Enter", ENTER)
    await page.until(is_open)
    await tab(page)
    await page.type("a-token")
    await page.press("Enter", ENTER)
    await page.until(f"!{is_open}")
    assert await page.text("token-state") == "set for this tab"
    assert await focused(page) == "summary"
