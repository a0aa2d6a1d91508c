"""The tree by keyboard beyond single steps: names that are typed, and the end of a tree that is not loaded yet."""

import pytest_twisted

from minicloud.kv.commands import Record
from tests.dashboard.browser import Browser
from tests.dashboard.keys_page import ROWS, KeysPage
from tests.dashboard.late import Line
from tests.dashboard.stage import Stage

FOCUSED = "document.activeElement.querySelector('.tree-name')?.textContent"
LISTING = "path.includes('keys_only')"
CTRL = 2
SHIFT = 8
OWN_LIMIT = """import('/static/keys/tree-keyboard.js').then(({TYPED_TOGETHER_MS}) => {
    const [set, clear] = [setTimeout, clearTimeout];
    window.limits = new Map();
    window.setTimeout = (act, ms) => {
        if (ms !== TYPED_TOGETHER_MS) return set(act, ms);
        const timer = set(() => {});
        limits.set(timer, act);
        return timer;
    };
    window.clearTimeout = (timer) => { limits.delete(timer); clear(timer); };
    window.passLimit = () => { for (const [timer, act] of limits) { limits.delete(timer); act(); } };
})"""
"""Has the time for the next letter pass when a test says so, by ``passLimit()``."""
PAGES_BY_END = 10
"""How many more pages End goes to at once, as in tree.js."""
PAGE_ROWS = 200
"""How many keys a page has, as in pages.js."""
MAX_ELEMENTS = 150
"""Rows in the document: a screen of them, and a margin."""


async def opened(browser: Browser, stage: Stage, *names: str) -> KeysPage:
    """Show a tree with the keyboard at its first row."""
    for number, key in enumerate(names, start=4):
        stage.cluster.store.records[key] = Record(b"v", number, number, 1)
        stage.cluster.store.applied_index = number
    keys = await KeysPage.open(browser, stage)
    await keys.page.evaluate(OWN_LIMIT)
    await keys.page.evaluate("document.querySelector('#tree [tabindex=\"0\"]').focus()")
    return keys


async def press(keys: KeysPage, *pressed: str, modifiers: int = 0) -> str:
    """Press keys, one after the other; return at which row the keyboard is."""
    for key in pressed:
        await keys.page.press(key, 0, modifiers)
    return await keys.page.evaluate(FOCUSED)


async def type_anew(keys: KeysPage, *pressed: str) -> str:
    """Press keys after a pause."""
    await keys.page.evaluate("passLimit()")
    return await press(keys, *pressed)


@pytest_twisted.ensureDeferred
async def test_a_letter_leads_to_the_next_name_that_begins_with_it(browser: Browser, stage: Stage) -> None:
    keys = await opened(browser, stage, "alpha", "beta/ann", "beta/bob", "Bravo", "charlie", "zulu")
    assert await keys.names() == ["Bravo", "alpha", "beta/", "charlie", "zulu"]
    assert await press(keys, "c") == "charlie"
    assert await type_anew(keys, "b") == "Bravo", "after the last one, the first again; case does not count"
    assert await type_anew(keys, "b") == "beta/"
    assert await type_anew(keys, "a") == "alpha", "what is in a closed folder cannot be seen"
    await type_anew(keys, "b", "ArrowRight")
    await keys.tree_is_whole()
    assert await type_anew(keys, "a") == "ann", "in an open one it can, by what its row says"
    assert await type_anew(keys, "x") == "ann", "no name begins with it"
    assert await keys.page.evaluate(f"{ROWS}.filter((row) => row.tabIndex === 0).length") == 1


@pytest_twisted.ensureDeferred
async def test_letters_in_rapid_succession_are_the_beginning_of_one_name(browser: Browser, stage: Stage) -> None:
    keys = await opened(browser, stage, "node1", "node10", "node2", "nothing", "other")
    assert await press(keys, "n", "o", "t") == "nothing"
    assert await type_anew(keys, "n", "o", "d", "e") == "node1"
    assert await press(keys, "2") == "node2"
    assert await press(keys, "o") == "node2", "nothing begins with node2o"
    assert await type_anew(keys, "o") == "other", "after a pause, it is the first letter of a name"
    assert await type_anew(keys, "N", "O") == "node1"
    assert await press(keys, "ArrowDown", "o") == "other", "any other key ends the name, too"


@pytest_twisted.ensureDeferred
async def test_the_limit_is_counted_from_the_last_letter(browser: Browser, stage: Stage) -> None:
    keys = await opened(browser, stage, "ab", "abc", "b", "c")
    await press(keys, "a", "b")
    assert await keys.page.evaluate("limits.size") == 1
    assert await press(keys, "c") == "abc"
    await keys.page.evaluate("passLimit()")
    assert await keys.page.evaluate("limits.size") == 0
    assert await press(keys, "c") == "c"


@pytest_twisted.ensureDeferred
async def test_the_same_letter_again_and_again_goes_through_its_names(browser: Browser, stage: Stage) -> None:
    keys = await opened(browser, stage, "aa", "ab", "ac", "b")
    assert [await press(keys, "a") for _ in range(5)] == ["ab", "aa", "ab", "ac", "aa"], (
        "aa is a beginning, aaa is none"
    )


@pytest_twisted.ensureDeferred
async def test_other_keys_do_what_they_did(browser: Browser, stage: Stage) -> None:
    keys = await opened(browser, stage, "a", "b b", "shift")
    assert await press(keys, "b", modifiers=CTRL) == "a"
    assert await press(keys, "Shift", "F2", "Dead", "Process") == "a"
    assert await press(keys, "B", modifiers=SHIFT) == "b b"
    await press(keys, " ")
    await keys.page.until("document.getElementById('viewer-title').textContent === 'b b'")


@pytest_twisted.ensureDeferred
async def test_matches_of_a_search_are_typed_as_they_are_shown(browser: Browser, stage: Stage) -> None:
    keys = await opened(browser, stage, "a/1", "a/2", "b")
    await keys.find("a/")
    await keys.page.press("ArrowDown", 0)
    assert await keys.page.evaluate(FOCUSED) == "a/1"
    assert await type_anew(keys, "a", "/", "2") == "a/2"


@pytest_twisted.ensureDeferred
async def test_typing_reaches_what_is_loaded_and_asks_for_nothing(browser: Browser, stage: Stage) -> None:
    keys = await opened(browser, stage, *[f"a{number:03}" for number in range(300)], "z")
    asked = len(keys.page.requests)
    assert await press(keys, "z") == "a000", "that row is not there yet"
    assert await type_anew(keys, "a", "1", "5", "0") == "a150"
    assert len([url for url in list(keys.page.requests.values())[asked:] if "/kv?" in url]) == 0


@pytest_twisted.ensureDeferred
async def test_end_goes_on_to_the_last_row_of_all(browser: Browser, stage: Stage) -> None:
    keys = await opened(browser, stage, *[f"n{number:04}" for number in range(5 * PAGE_ROWS + 1)], "z/a", "z/b")
    await keys.page.press("End", 0)
    await keys.page.until(f"{FOCUSED} === 'z/'")
    await keys.page.press("ArrowRight", 0)
    await keys.tree_is_whole()
    assert await press(keys, "End") == "b", "in a folder that is open, too"
    assert await press(keys, "Home") == "n0000"
    await keys.tree_is_whole()
    assert await press(keys, "End") == "b"


@pytest_twisted.ensureDeferred
async def test_end_follows_so_many_pages_and_goes_on_when_it_is_pressed_again(browser: Browser, stage: Stage) -> None:
    number = 2 * PAGES_BY_END * PAGE_ROWS + 5 * PAGE_ROWS
    keys = await opened(browser, stage, *[f"n{number:05}" for number in range(number)])
    line = await Line.of(keys)
    ends = []
    for time in range(1, 4):
        await keys.page.press("End", 0)
        await keys.page.until(f"{FOCUSED} >= 'n{min(number, time * PAGES_BY_END * PAGE_ROWS) - 1:05}'")
        await keys.tree_is_whole()
        await line.settled()
        ends.append(int((await keys.page.evaluate(FOCUSED)).removeprefix("n")) + 1)
        assert len(await line.asked("keys_only")) <= time * (PAGES_BY_END + 2)
        assert await keys.page.evaluate("document.querySelectorAll('#tree [role=treeitem]').length") < MAX_ELEMENTS
    assert ends[-1] == number
    assert ends[0] < ends[1] < ends[2]


@pytest_twisted.ensureDeferred
async def test_whoever_goes_elsewhere_is_not_taken_to_the_end(browser: Browser, stage: Stage) -> None:
    keys = await opened(browser, stage, *[f"n{number:04}" for number in range(5 * PAGE_ROWS)])
    line = await Line.of(keys)
    for elsewhere, row in {"ArrowDown": "n0001", "Enter": "n0001", "n": "n0002"}.items():
        await line.hold(LISTING)
        await keys.page.press("End", 0)
        await line.holds()
        await keys.page.press(elsewhere, 13 if elsewhere == "Enter" else 0)
        await line.let_pass()
        assert await keys.page.evaluate(FOCUSED) == row, elsewhere


@pytest_twisted.ensureDeferred
async def test_a_wheel_that_is_turned_ends_the_way_to_the_end(browser: Browser, stage: Stage) -> None:
    keys = await opened(browser, stage, *[f"n{number:04}" for number in range(5 * PAGE_ROWS)])
    line = await Line.of(keys)
    await line.hold(LISTING)
    await keys.page.press("End", 0)
    await line.holds()
    await keys.page.evaluate("document.getElementById('tree').dispatchEvent(new WheelEvent('wheel'))")
    await line.let_pass()
    assert await keys.page.evaluate(FOCUSED) == "n0000"


@pytest_twisted.ensureDeferred
async def test_a_focus_that_came_by_tab_stays_when_one_scrolls(browser: Browser, stage: Stage) -> None:
    keys = await opened(browser, stage, *[f"n{number:04}" for number in range(PAGE_ROWS)])
    await keys.page.evaluate("document.getElementById('tree').scrollTop = 3000")
    await keys.tree_is_whole()
    assert await keys.page.evaluate("document.activeElement.querySelector('.tree-name').textContent") == "n0000"
    assert await press(keys, "ArrowDown") == "n0001"
