"""The token: asked for where it is needed, kept in the tab, sent to this node only; what was refused is done when it comes."""

from collections.abc import Callable

import pytest_twisted

from minicloud.kv.commands import Record
from tests.dashboard.browser import Browser
from tests.dashboard.keys_page import KeysPage
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
    await page.until("document.getElementById('token-hint').textContent === 'A token is printable ASCII.'")
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
