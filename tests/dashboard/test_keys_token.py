"""The token: asked for where it is needed, kept in the tab, sent to this node only; what was refused is done when it comes."""

from collections.abc import Callable

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from tests.dashboard.browser import Browser
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.late import Line
from tests.dashboard.stage import Stage

REFUSED = "status of 401"


@pytest_twisted.ensureDeferred
async def test_the_token_is_asked_for_kept_in_the_tab_and_forgotten(
    browser: Browser, make_stage: Callable[..., Stage]
) -> None:
    stage = make_stage(token="secret")
    keys = await KeysPage.open(browser, stage)
    page = keys.page
    page.expect(REFUSED)
    before = await page.text("token-state")
    assert "enter it under Token" in await keys.create("k", "v", "This needs the cluster's token")
    assert await page.evaluate("document.activeElement.id") == "token"
    await page.fill("token", "wrong")
    await page.press("Enter", 13)
    await keys.outcome("The node refuses this token")
    await page.fill("token", "sécret")
    await page.press("Enter", 13)
    await page.until("document.getElementById('token-hint').textContent.startsWith('A token is printable ASCII')")
    assert stage.record("k") is None
    await page.fill("token", "secret")
    await page.press("Enter", 13)
    await keys.outcome("Created at revision")
    assert stage.record("k").value == b"v", "what was refused is done without being typed again"
    assert await page.text("token-state") != before
    assert await page.evaluate("document.getElementById('token').value") == ""
    assert await page.evaluate("localStorage.length + document.cookie.length") == 0
    other = await KeysPage.open(browser, stage)
    assert await other.page.text("token-state") == before, "another tab has none"
    await page.click("token-forget")
    await keys.edit("w", "This needs")
    assert await keys.typed() == "w"


@pytest_twisted.ensureDeferred
async def test_a_delete_that_was_refused_is_done_after_the_question_is_asked_again(
    browser: Browser, make_stage: Callable[..., Stage]
) -> None:
    stage = make_stage(token="secret")
    stage.cluster.store.records["k"] = Record(b"v", 4, 4, 1)
    keys = await KeysPage.open(browser, stage, key="k")
    await keys.shown("value-view")
    keys.page.expect(REFUSED)
    await keys.delete("This needs")
    await keys.page.fill("token", "secret")
    await keys.page.press("Enter", 13)
    await keys.answer("delete-dialog", "yes")
    await keys.outcome("Deleted")
    assert stage.record("k") is None


@pytest.fixture
def guarded(make_stage: Callable[..., Stage]) -> Stage:
    """A stage that writes only with a token, with two keys."""
    stage = make_stage(token="secret")
    for number, key in enumerate("ab", start=4):
        stage.cluster.store.records[key] = Record(key.encode(), number, number, 1)
        stage.cluster.store.applied_index = number
    return stage


async def refused_page(browser: Browser, stage: Stage) -> KeysPage:
    """Show the key a, where writes will be refused."""
    keys = await KeysPage.open(browser, stage, key="a")
    await keys.shown("value-view")
    keys.page.expect(REFUSED)
    return keys


async def enter_token(keys: KeysPage) -> None:
    """Enter the token, and let the page do with it what it does."""
    line = await Line.of(keys)
    await keys.page.evaluate("document.getElementById('token-box').open = true")
    await keys.page.fill("token", "secret")
    await keys.page.press("Enter", 13)
    await keys.page.until("!document.getElementById('token-box').open")
    await line.settled()


@pytest.mark.parametrize("then", ["editor", "nothing"])
@pytest_twisted.ensureDeferred
async def test_a_token_saves_nothing_that_one_has_turned_away_from(browser: Browser, guarded: Stage, then: str) -> None:
    keys = await refused_page(browser, guarded)
    await keys.edit("for a", "This needs")
    await keys.page.click("cancel")
    await keys.answer("leave-dialog", "yes")
    await keys.shown("value-view")
    if then == "editor":
        await keys.choose("b")
        await keys.type_edit("half of")
    await enter_token(keys)
    assert (guarded.record("a").value, guarded.record("b").value) == (b"a", b"b")
    assert await keys.page.text("outcome") == ""
    assert await keys.is_shown("editor") is (then == "editor")


@pytest_twisted.ensureDeferred
async def test_a_token_saves_nothing_that_was_typed_after_save_was_pressed(browser: Browser, guarded: Stage) -> None:
    keys = await refused_page(browser, guarded)
    await keys.edit("whole", "This needs")
    await keys.page.fill("value", "whole, and half of")
    await enter_token(keys)
    assert "it is not saved yet" in await keys.outcome("The token is set")
    assert guarded.record("a").value == b"a"
    await keys.press("put", "Saved")
    assert guarded.record("a").value == b"whole, and half of"


@pytest_twisted.ensureDeferred
async def test_a_token_overwrites_nothing_after_one_has_gone_on_editing(browser: Browser, guarded: Stage) -> None:
    keys = await refused_page(browser, guarded)
    keys.page.expect("status of 412")
    await keys.page.evaluate("sessionStorage.setItem('minicloud.token', 'secret')")
    guarded.cluster.store.records["a"] = Record(b"theirs", 20, 4, 2)
    await keys.edit("mine", "Not saved")
    await keys.page.click("token-forget")
    await keys.press("overwrite", "This needs")
    await keys.page.click("go-on")
    await enter_token(keys)
    assert guarded.record("a").value == b"theirs"
    assert await keys.is_shown("editor")


@pytest_twisted.ensureDeferred
async def test_a_token_deletes_no_other_key_than_the_one_that_was_asked_about(browser: Browser, guarded: Stage) -> None:
    keys = await refused_page(browser, guarded)
    await keys.delete("This needs")
    await keys.choose("b")
    await enter_token(keys)
    assert not await keys.page.evaluate("document.getElementById('delete-dialog').open")
    assert sorted(guarded.cluster.store.records) == ["a", "b"]
