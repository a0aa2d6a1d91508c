"""The token: asked for where it is needed, kept in the tab, sent to this node only; what was refused is done when it comes."""

import json
from collections.abc import Awaitable, Callable

import pytest
import pytest_twisted

from minicloud.config.settings import MAX_TOKEN_BYTES
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


NO_TOKENS = {
    "two words": "A token has no spaces inside, and this one has. Copy it again, and nothing beside it.",
    "two\u00a0words": "A token has no spaces inside",
    "two\twords": "A token has no spaces inside",
    "Bearer secret": "Enter the token alone, without the word Bearer",
    "s\u00e9cret": "A token is printable ASCII. This one is not: copy it again",
    "sec\u200bret": "A token is printable ASCII",
    "x" * (MAX_TOKEN_BYTES + 1): "A token has at most 4,096 characters",
    "  ": "Enter the token first",
}
"""What is said of what no node takes as auth_token."""


@pytest_twisted.ensureDeferred
async def test_what_can_be_no_token_is_refused_where_it_is_entered(
    browser: Browser, make_stage: Callable[..., Stage]
) -> None:
    keys = await KeysPage.open(browser, make_stage(token="secret"))
    page = keys.page
    await page.evaluate("document.getElementById('token-box').open = true")
    for text, said in NO_TOKENS.items():
        await page.fill("token", text)
        await page.press("Enter", 13)
        await page.until(f"document.getElementById('token-hint').textContent.startsWith({json.dumps(said)})")
        assert await page.evaluate("document.activeElement.id") == "token"
        assert await page.evaluate("document.getElementById('token-box').open")
        assert await page.evaluate("document.getElementById('token').ariaInvalid") == "true"
    assert await page.evaluate("sessionStorage.length") == 0
    assert await page.text("token-state") == "none in this tab"


@pytest.mark.parametrize("token", ["secret", "x" * MAX_TOKEN_BYTES], ids=["short", "longest"])
@pytest_twisted.ensureDeferred
async def test_spaces_around_a_token_are_none_of_it(
    browser: Browser, make_stage: Callable[..., Stage], token: str
) -> None:
    keys = await KeysPage.open(browser, make_stage(token=token))
    page = keys.page
    await page.evaluate("document.getElementById('token-box').open = true")
    await page.fill("token", "no token")
    await page.press("Enter", 13)
    await page.fill("token", f" \t{token}\u00a0 ")
    await page.press("Enter", 13)
    await page.until("!document.getElementById('token-box').open")
    assert await page.evaluate("document.getElementById('token').ariaInvalid") != "true"
    assert await page.evaluate("sessionStorage.getItem('minicloud.token')") == token
    await keys.create("k", "v")


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


FOCUS = "document.activeElement.id"


@pytest.fixture
def closed(make_stage: Callable[..., Stage]) -> Stage:
    """A stage that neither writes nor reads without a token, with keys."""
    stage = make_stage(token="secret", auth_reads=True)
    for number, key in enumerate(["a", "users/ann"], start=4):
        stage.cluster.store.records[key] = Record(b"v", number, number, 1)
        stage.cluster.store.applied_index = number
    return stage


async def unread_page(browser: Browser, stage: Stage) -> tuple[KeysPage, Line]:
    """Show the keys, of which none can be read, and close the box for the token that this has opened."""
    keys = await KeysPage.open_at(browser, stage.url())
    keys.page.expect(REFUSED)
    await keys.page.until(f"{FOCUS} === 'token'")
    await keys.page.until("document.querySelector('#tree .waiting')?.textContent === 'Not loaded'")
    await keys.page.until("document.getElementById('tree-count').textContent === 'Not counted'")
    await keys.page.press("Escape", 27)
    await keys.page.until("!document.getElementById('token-box').open")
    return keys, await Line.of(keys)


@pytest_twisted.ensureDeferred
async def test_a_search_that_is_refused_does_not_take_what_is_typed_into_the_field_for_the_token(
    browser: Browser, closed: Stage
) -> None:
    keys, line = await unread_page(browser, closed)
    await keys.page.evaluate("document.getElementById('find').focus()")
    await keys.page.type("u")
    await keys.page.until("line.asked.length === 2")
    await line.settled()
    await keys.page.type("sers/")
    fields = "['find', 'token'].map((id) => document.getElementById(id).value)"
    assert await keys.page.evaluate(fields) == ["users/", ""]
    assert "enter it under Token" in await keys.page.text("tree-outcome")
    await keys.page.until("line.asked.length === 4")
    await line.settled()
    await enter_token(keys)
    await keys.page.until("document.getElementById('tree-count').textContent === '1 key begins with “users/”'")


@pytest_twisted.ensureDeferred
async def test_a_search_that_is_refused_late_takes_nobody_away_from_the_editor(browser: Browser, closed: Stage) -> None:
    keys, line = await unread_page(browser, closed)
    await line.hold("path.startsWith('/kv?')")
    await keys.page.fill("find", "u")
    await line.holds(2)
    await keys.page.click("new-key")
    await line.let_pass()
    await keys.outcome("This needs the cluster's token", "tree-outcome")
    assert await keys.page.evaluate(FOCUS) == "key"


async def _read(keys: KeysPage) -> None:
    await keys.page.evaluate("location.hash = '#keys/a'")


async def _write(keys: KeysPage) -> None:
    await keys.type_new("k", "v")
    await keys.page.click("put")


@pytest.mark.parametrize(
    ("act", "focused", "then"),
    [
        (_read, "find", "find"),
        (_read, "", "token"),
        (_write, "find", "find"),
        (_write, "value", "token"),
        (_write, "", "token"),
    ],
)
@pytest_twisted.ensureDeferred
async def test_what_is_refused_in_the_panel_takes_the_focus_only_from_there_or_from_nowhere(
    browser: Browser, closed: Stage, act: Callable[[KeysPage], Awaitable[None]], focused: str, then: str
) -> None:
    keys, line = await unread_page(browser, closed)
    await line.hold("path.startsWith('/kv/')")
    await act(keys)
    await line.holds()
    await keys.page.evaluate(f"document.activeElement.blur(); document.getElementById('{focused}')?.focus()")
    await line.let_pass()
    await keys.outcome("This needs the cluster's token")
    assert await keys.page.evaluate(FOCUS) == then


@pytest_twisted.ensureDeferred
async def test_a_wrong_token_is_asked_for_again_where_it_was_entered(browser: Browser, closed: Stage) -> None:
    keys, line = await unread_page(browser, closed)
    await keys.page.evaluate("document.getElementById('token-box').open = true")
    await keys.page.fill("token", "wrong")
    await keys.page.press("Enter", 13)
    await keys.outcome("The node refuses this token", "tree-outcome")
    await line.settled()
    assert await keys.page.evaluate(FOCUS) == "token"
