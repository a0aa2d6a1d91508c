"""Hostile keys and values: the page shows them as text, and does nothing of what they say."""

from urllib.parse import urlsplit

import pytest_twisted

from minicloud.kv.commands import Record, key_problem
from tests.dashboard.browser import Browser
from tests.dashboard.injections import MARK, TEXTS, VALUES
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.stage import Stage

KINDS = "[...new Set([...document.querySelectorAll('*')].map((one) => one.localName))].sort()"
HANDLERS = """[...document.querySelectorAll("*")].flatMap((one) => [...one.attributes])
    .filter((one) => one.name.startsWith("on") || /javascript:/i.test(one.value) && one.name !== "title" && one.name !== "aria-label")
    .map((one) => one.name)"""
OF_ROWS = ["bdi", "span", "td"]
"""What rows, unseen characters and compared lines are made of, beside what the page has anyway."""


def test_the_corpus_holds_keys_that_a_node_takes_and_each_once() -> None:
    assert [text for text in TEXTS if key_problem(text.encode()) is not None] == []
    assert len(set(VALUES)) == len(VALUES)


async def is_harmless(keys: KeysPage, kinds: list[str]) -> None:
    page = keys.page
    assert await page.evaluate(f"window.{MARK} === undefined && Object.prototype.{MARK} === undefined")
    assert set(await page.evaluate(KINDS)) <= {*kinds, *OF_ROWS}
    assert await page.evaluate(HANDLERS) == []
    assert await page.evaluate("document.title") == "node1 · minicloud"


def only_the_node_was_asked(keys: KeysPage, stage: Stage) -> None:
    assert {urlsplit(url).netloc for url in keys.page.requests.values()} == {stage.address("node1")}


@pytest_twisted.ensureDeferred
async def test_hostile_keys_are_made_browsed_opened_searched_edited_and_deleted(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    kinds = await keys.page.evaluate(KINDS)
    for text in TEXTS:
        await keys.create(text, text)
        assert stage.record(text).value == text.encode()
        assert await keys.exact("viewer-title") == text
    await is_harmless(keys, kinds)
    assert sorted(await keys.all_keys()) == sorted(TEXTS)
    await is_harmless(keys, kinds)
    for text in TEXTS[::4]:
        await keys.find(text)
        assert sorted(await keys.all_keys()) == sorted(key for key in TEXTS if key.startswith(text))
        await keys.choose(text)
        await keys.edit(f"{text}{text}")
        assert stage.record(text).value == (text + text).encode()
        await keys.page.click("delete")
        assert await keys.exact("delete-key") == text
        await keys.answer("delete-dialog", "yes")
        await keys.outcome("Deleted")
        assert await keys.exact("no-value-title") == text
    await is_harmless(keys, kinds)
    only_the_node_was_asked(keys, stage)


@pytest_twisted.ensureDeferred
async def test_hostile_values_are_opened_in_every_way_and_laid_side_by_side(browser: Browser, stage: Stage) -> None:
    for number, value in enumerate(VALUES):
        stage.cluster.store.records[f"{number:03}"] = Record(value.encode(), number + 4, number + 4, 1)
    keys = await KeysPage.open(browser, stage)
    kinds = await keys.page.evaluate(KINDS)
    for number, value in enumerate(VALUES):
        await keys.choose(f"{number:03}")
        for way in ("as-json", "as-text", "as-hex"):
            await keys.page.evaluate(f"document.getElementById('{way}').click()")
            if way == "as-text" and len(value) <= 1024:
                assert (await keys.exact("shown")).replace("\r", "") == value.replace("\r", "")
        await keys.page.click("edit")
        await keys.page.click("cancel")
        await is_harmless(keys, kinds)
    await keys.choose("000")
    stage.cluster.store.records["000"] = Record("\n".join(VALUES[:-3]).encode(), 900, 4, 2)
    keys.page.expect("status of 412")
    await keys.edit("\n".join(reversed(TEXTS)), "Not saved")
    await is_harmless(keys, kinds)
    only_the_node_was_asked(keys, stage)


@pytest_twisted.ensureDeferred
async def test_characters_that_nobody_sees_are_named(browser: Browser, stage: Stage) -> None:
    stage.cluster.store.records["pay\u200bpal\u202e"] = Record(b"v", 4, 4, 1)
    keys = await KeysPage.open(browser, stage)
    assert await keys.names() == ["payU+200BpalU+202E"]
    marks = "[...document.querySelectorAll('#tree .code-point')].map((mark) => mark.textContent)"
    assert await keys.page.evaluate(marks) == ["U+200B", "U+202E"]
    await keys.choose("pay\u200bpal\u202e")
    assert await keys.page.text("viewer-title") == "payU+200BpalU+202E"


@pytest_twisted.ensureDeferred
async def test_the_policy_stops_what_gets_into_the_page_all_the_same(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    keys.page.expect("Content Security Policy", "ERR_INVALID_URL data:x")
    await keys.page.evaluate(
        """(() => {
            const script = document.createElement("script");
            script.textContent = "window.pwned = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src=data:x onerror='window.pwned=1'>");
        })()"""
    )
    assert await keys.page.evaluate("fetch('http://127.0.0.1:1/').then(() => 'sent', () => 'stopped')") == "stopped"
    assert await keys.page.evaluate("window.pwned === undefined")
