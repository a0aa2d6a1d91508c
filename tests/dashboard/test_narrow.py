"""The page on small screens: nothing sticks out of its box, and nothing lies over what has to be read."""

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from tests.dashboard.browser import Browser
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.stage import Stage

SIZES = [(360, 740), (345, 640), (320, 568)]
"""Widths and heights, in CSS pixels: telephones, one with a scroll bar, and the smallest that has to do (WCAG 2, 1.4.10)."""
STICKS_OUT = """((box) => {
    const {left, right, bottom} = box.getBoundingClientRect();
    const scrolls = (one) => one !== box && (/auto|scroll|hidden/.test(getComputedStyle(one).overflow) || scrolls(one.parentElement));
    return [...box.querySelectorAll("*")].filter((one) => {
        const place = one.getBoundingClientRect();
        const isSeen = one.checkVisibility({opacityProperty: true}) && place.width > 1 && !scrolls(one.parentElement);
        return isSeen && (place.left < left || place.right > right || place.bottom > bottom);
    }).map((one) => one.id || one.className || one.localName);
})"""
"""What can be seen of an element's descendants beyond its sides, or below it."""
COVERS = """((one, other) => {
    const [a, b] = [one, other].map((element) => element.getBoundingClientRect());
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
})"""


async def with_a_long_value(browser: Browser, stage: Stage, width: int, height: int) -> KeysPage:
    value = '{"name": "Ada Lovelace", "roles": [' + ", ".join(f'"role {number}"' for number in range(40)) + "]}"
    stage.cluster.store.records["users/ada"] = Record(value.encode(), 12345, 12345, 1)
    stage.cluster.store.applied_index = 12345
    keys = await KeysPage.open_at(browser, stage.url(), "users/ada", width=width, height=height)
    await keys.shown("value-view")
    return keys


async def sticks_out(keys: KeysPage, box: str) -> list[str]:
    return await keys.page.evaluate(f"{STICKS_OUT}(document.querySelector({box!r}))")


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest_twisted.ensureDeferred
async def test_a_key_stays_in_its_panel(browser: Browser, stage: Stage, width: int, height: int) -> None:
    keys = await with_a_long_value(browser, stage, width, height)
    assert await sticks_out(keys, "#detail") == []
    keys.page.expect("status of 412")
    await keys.type_edit("mine\nand more")
    assert await sticks_out(keys, "#detail") == []
    stage.cluster.store.records["users/ada"] = Record(b"theirs\n" * 40, 20000, 4, 2)
    await keys.press("put", "Not saved")
    assert await sticks_out(keys, "#detail") == []
    await keys.press("take-theirs", "What you typed")
    assert await sticks_out(keys, "#detail") == []
    assert await keys.page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest_twisted.ensureDeferred
async def test_the_figures_stay_in_their_banner(browser: Browser, stage: Stage, width: int, height: int) -> None:
    page = await browser.open(stage.url(), width=width, height=height)
    await page.until("document.querySelectorAll('.node').length === 3")
    assert await page.evaluate(f"{STICKS_OUT}(document.getElementById('facts'))") == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "height"), SIZES)
@pytest_twisted.ensureDeferred
async def test_the_box_for_the_token_covers_nothing_of_the_head(
    browser: Browser, stage: Stage, width: int, height: int
) -> None:
    page = await browser.open(stage.url(), width=width, height=height)
    await page.evaluate("document.getElementById('token-box').open = true")
    for part in (".served", "#live", "#token-box summary", ".views"):
        assert not await page.evaluate(
            f"{COVERS}(document.getElementById('token-form'), document.querySelector({part!r}))"
        ), part
    assert await page.evaluate(f"{STICKS_OUT}(document.getElementById('token-form'))") == []
