"""Keys through the page, in a real browser: get, put, delete, conditions, the token, and hostile content."""

from collections.abc import Callable

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from minicloud.node.errors import OutcomeUnknown
from tests.dashboard.browser import Browser, Page
from tests.dashboard.stage import Stage


async def open_keys(browser: Browser, stage: Stage, node_id: str = "node1") -> Page:
    page = await browser.open(stage.url(node_id) + "#keys")
    await page.until("document.getElementById('live-text').textContent === 'Live'")
    return page


async def act(page: Page, button: str, key: str, expected: str, value: str | None = None) -> str:
    """Fill in, press a button, wait for an outcome that begins as expected, and return it."""
    await page.fill("key", key)
    if value is not None:
        await page.fill("value", value)
    await page.evaluate("document.getElementById('outcome').textContent = ''")
    await page.click(button)
    await page.until(f"document.getElementById('outcome').textContent.startsWith('{expected}')")
    return await page.text("outcome")


KEYS = ["a//b", "a/../b", "/x", "%2Fx", "ключ", "a b?c#d&e=f", "...", "a\\b", "+", "é", "x" * 1024]


@pytest.mark.parametrize("node_id", ["node1", "node2"])
@pytest_twisted.ensureDeferred
async def test_any_key_goes_there_and_back_through_any_node(browser: Browser, stage: Stage, node_id: str) -> None:
    page = await open_keys(browser, stage, node_id)
    for key in KEYS:
        await act(page, "put", key, "Created", f"value of {key[:5]}")
        assert stage.record(key).value == f"value of {key[:5]}".encode()
        await act(page, "get", key, "Read at revision")
        assert await page.text("shown") == f"value of {key[:5]}"
        assert await page.text("viewer-title") == key
        assert await page.text("meta-etag") == f'"{stage.record(key).revision}"'
    assert page.console == []


@pytest.mark.parametrize("key", [".", ".."])
@pytest_twisted.ensureDeferred
async def test_a_key_that_browsers_cannot_ask_for_is_named(browser: Browser, stage: Stage, key: str) -> None:
    page = await open_keys(browser, stage)
    assert "cloudctl can" in await act(page, "put", key, "Browsers cannot", "v")
    assert stage.cluster.store.records == {}


@pytest_twisted.ensureDeferred
async def test_a_key_is_read_with_the_enter_key_and_written_with_control_enter(browser: Browser, stage: Stage) -> None:
    page = await open_keys(browser, stage)
    await page.fill("key", "k")
    await page.fill("value", "v")
    await page.press("Enter", 13, modifiers=2)
    await page.until("document.getElementById('outcome').textContent.startsWith('Created')")
    await page.evaluate("document.getElementById('key').focus()")
    await page.press("Enter", 13)
    await page.until("document.getElementById('outcome').textContent.startsWith('Read at')")


@pytest_twisted.ensureDeferred
async def test_what_is_not_text_is_shown_as_hex_and_not_offered_for_editing(browser: Browser, stage: Stage) -> None:
    stage.cluster.store.records.update(
        binary=Record(b"\x00\xffAB", 2, 2, 1), bell=Record(b"a\x07", 3, 3, 1), crlf=Record(b"a\r\nb", 4, 4, 1)
    )
    page = await open_keys(browser, stage)
    await act(page, "get", "binary", "Read at")
    assert await page.text("shown") == f"0000  {'00 ff 41 42':47}  ..AB"
    assert await page.text("meta-kind") == "hex (not UTF-8)"
    assert await page.evaluate("document.getElementById('edit').hidden")
    await act(page, "get", "bell", "Read at")
    assert await page.text("meta-kind") == "hex (has control characters)"
    await act(page, "get", "crlf", "Read at")
    assert await page.text("shown") == "a\r\nb"
    assert await page.evaluate("document.getElementById('edit').hidden")


@pytest_twisted.ensureDeferred
async def test_a_long_value_is_shown_in_part(browser: Browser, stage: Stage) -> None:
    stage.cluster.store.records["long"] = Record("é".encode() * 40_000, 2, 2, 1)
    page = await open_keys(browser, stage)
    await act(page, "get", "long", "Read at")
    assert len(await page.text("shown")) == 32 * 1024
    assert await page.text("viewer-hint") == "The first 64.0 KiB (65,536 bytes) of 78.1 KiB (80,000 bytes)."
    assert await page.evaluate("document.getElementById('edit').hidden")


@pytest_twisted.ensureDeferred
async def test_a_value_can_be_taken_over_for_editing(browser: Browser, stage: Stage) -> None:
    stage.cluster.store.records["k"] = Record(b"\xef\xbb\xbfone\ntwo", 2, 2, 1)
    page = await open_keys(browser, stage)
    await act(page, "get", "k", "Read at")
    await page.click("edit")
    assert await page.evaluate("document.getElementById('value').value") == "\ufeffone\ntwo"
    assert await page.evaluate("document.activeElement.id") == "value"


@pytest_twisted.ensureDeferred
async def test_what_somebody_else_wrote_meanwhile_is_not_overwritten(browser: Browser, stage: Stage) -> None:
    page = await open_keys(browser, stage)
    await act(page, "put", "k", "Created", "one")
    stage.cluster.store.records["k"] = Record(b"theirs", 90, 2, 2)
    assert "is at revision 90 now" in await act(page, "put", "k", "Not written", "two")
    assert stage.record("k").value == b"theirs"
    assert "is at revision 90 now" in await _delete(page, "k", "Not written")
    await page.click("conditional")
    await act(page, "put", "k", "Changed", "two")
    assert stage.record("k").value == b"two"


@pytest_twisted.ensureDeferred
async def test_a_key_that_was_missing_is_created_only_if_it_still_is(browser: Browser, stage: Stage) -> None:
    page = await open_keys(browser, stage)
    await act(page, "get", "k", "There is no such key")
    assert await page.text("condition-text") == "Only if it still does not exist"
    stage.cluster.store.records["k"] = Record(b"theirs", 90, 90, 1)
    await act(page, "put", "k", "Not written", "mine")
    assert stage.record("k").value == b"theirs"


async def _delete(page: Page, key: str, expected: str, answer: str = "yes") -> str:
    await page.fill("key", key)
    await page.evaluate("document.getElementById('outcome').textContent = ''")
    await page.click("delete")
    await page.until("document.getElementById('confirm').open")
    assert await page.text("confirm-key") == key
    await page.evaluate(f"document.querySelector('#confirm button[value={answer}]').click()")
    await page.until(f"document.getElementById('outcome').textContent.startsWith('{expected}')")
    return await page.text("outcome")


@pytest_twisted.ensureDeferred
async def test_a_key_is_deleted_after_a_question_only(browser: Browser, stage: Stage) -> None:
    page = await open_keys(browser, stage)
    await act(page, "put", "k", "Created", "v")
    await _delete(page, "k", "Kept", answer="no")
    await page.evaluate("document.getElementById('outcome').textContent = ''")
    await page.click("delete")
    await page.until("document.getElementById('confirm').open")
    assert await page.evaluate("document.activeElement.value") == "no", "the safe answer has the focus"
    await page.press("Escape", 27)
    await page.until("document.getElementById('outcome').textContent === 'Kept.'")
    assert stage.record("k") is not None
    await _delete(page, "k", "Deleted at revision")
    assert stage.record("k") is None
    await _delete(page, "other", "There was no such key")


HOSTILE = [
    "<script>window.pwned=1</script>",
    "<img src=x onerror=window.pwned=1>",
    '"><svg onload=window.pwned=1>',
    "javascript:window.pwned=1",
    "{{constructor.constructor('window.pwned=1')()}}",
    "\u202eexe.txt",
]


@pytest_twisted.ensureDeferred
async def test_hostile_keys_and_values_are_text(browser: Browser, stage: Stage) -> None:
    page = await open_keys(browser, stage)
    before = await page.evaluate("document.querySelectorAll('*').length")
    for text in HOSTILE:
        await act(page, "put", text, "Created", text)
        await act(page, "get", text, "Read at")
        assert (await page.text("shown"), await page.text("viewer-title")) == (text, text)
        await _delete(page, text, "Kept", answer="no")
    assert await page.evaluate("document.querySelectorAll('*').length") == before
    assert await page.evaluate("window.pwned === undefined")
    assert page.console == []


@pytest_twisted.ensureDeferred
async def test_the_policy_stops_what_gets_into_the_page_all_the_same(browser: Browser, stage: Stage) -> None:
    page = await open_keys(browser, stage)
    await page.evaluate(
        """(() => {
            const script = document.createElement("script");
            script.textContent = "window.pwned = 1";
            document.body.append(script);
            document.body.insertAdjacentHTML("beforeend", "<img src=data:x onerror='window.pwned=1'>");
        })()"""
    )
    assert await page.evaluate("fetch('http://127.0.0.1:1/').then(() => 'sent', () => 'stopped')") == "stopped"
    assert await page.evaluate("window.pwned === undefined")
    assert any("Content Security Policy" in line for line in page.console)


@pytest_twisted.ensureDeferred
async def test_the_token_is_asked_for_kept_in_the_tab_and_forgotten(
    browser: Browser, make_stage: Callable[..., Stage]
) -> None:
    stage = make_stage(token="secret")
    page = await open_keys(browser, stage)
    assert "enter it under Token" in await act(page, "put", "k", "This needs", "v")
    assert await page.evaluate("document.activeElement.id") == "token"
    await page.fill("token", "wrong")
    await page.press("Enter", 13)
    await act(page, "put", "k", "The node refuses this token", "v")
    await page.fill("token", "sécret")
    await page.press("Enter", 13)
    assert await page.text("token-hint") == "A token is printable ASCII."
    await page.fill("token", "secret")
    await page.press("Enter", 13)
    await act(page, "put", "k", "Created", "v")
    assert await page.text("token-state") == "set for this tab"
    assert await page.evaluate("document.getElementById('token').value") == ""
    assert await page.evaluate("localStorage.length + document.cookie.length") == 0
    other = await open_keys(browser, stage)
    assert await other.text("token-state") == "none in this tab"
    await page.click("token-forget")
    await act(page, "put", "k", "This needs", "v")


@pytest_twisted.ensureDeferred
async def test_a_write_whose_fate_is_unknown_is_reported_so(browser: Browser, stage: Stage) -> None:
    page = await open_keys(browser, stage)
    stage.cluster.nodes["node1"].script.append(OutcomeUnknown())
    assert "Get the key before you try again" in await act(page, "put", "k", "It was proposed", "v")
    await stage.stop("node1")
    assert "not known" in await act(page, "put", "k", "The node did not answer", "v")


@pytest_twisted.ensureDeferred
async def test_nothing_is_asked_for_without_a_key(browser: Browser, stage: Stage) -> None:
    page = await open_keys(browser, stage)
    await act(page, "put", "", "Type a key first", "v")
    assert await page.evaluate("document.activeElement.id") == "key"
