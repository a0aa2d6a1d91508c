"""Answers that come when the page has moved on: they show nothing, undo nothing, and take nobody's focus."""

from collections.abc import Awaitable, Callable

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from minicloud.node.errors import ReadTimeout
from tests.dashboard.browser import Browser
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.late import Kept, Line
from tests.dashboard.stage import Stage

CONFLICT = "status of 412"
FOCUS = "document.activeElement.id"
SELECTED = "document.querySelector('#tree [aria-selected=true] .tree-name').textContent"
NEXT_TURN = "await new Promise((resolve) => setTimeout(resolve))"
QUICK_MS = 200
"""As in reading.js."""
OWN_PATIENCE = f"""(() => {{
    const real = window.setTimeout;
    window.waits = [];
    window.setTimeout = (act, ms) => (ms === {QUICK_MS} ? void waits.push(act) : real(act, ms));
}})()"""
"""Has the page lose its patience with a slow answer when a test says so, by ``waits.at(-1)()``."""


def put(stage: Stage, key: str, value: bytes, revision: int = 10) -> None:
    stage.cluster.store.records[key] = Record(value, revision, 4, 2)
    stage.cluster.store.applied_index = max(stage.cluster.store.applied_index, revision)


@pytest.fixture
def two(stage: Stage) -> Stage:
    put(stage, "a", b"A")
    put(stage, "b", b"B", 11)
    return stage


async def opened(browser: Browser, stage: Stage) -> tuple[KeysPage, Line]:
    """Show the key a."""
    keys = await KeysPage.open(browser, stage, key="a")
    await keys.shown("value-view")
    await keys.page.evaluate(OWN_PATIENCE)
    return keys, await Line.of(keys)


async def press_and_edit(keys: KeysPage, button: str) -> None:
    """Press something that reads a key, and Edit at once, before the answer."""
    await keys.page.evaluate(
        f"(async () => {{ {button}.click(); {NEXT_TURN}; document.getElementById('edit').click(); }})()"
    )


ROW_B = "[...document.querySelectorAll('#tree .tree-row')].find((row) => row.textContent.startsWith('b'))"
REREAD = "document.getElementById('reread')"


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("button", [ROW_B, REREAD], ids=["another key", "the same key"])
@pytest_twisted.ensureDeferred
async def test_an_answer_that_comes_late_does_not_replace_the_editor(
    browser: Browser, two: Stage, button: str, fails: bool
) -> None:
    keys, line = await opened(browser, two)
    kept = Kept(two, "read_barrier")
    await press_and_edit(keys, button)
    await keys.page.fill("value", "half a thought")
    await kept.came
    if fails:
        keys.page.expect("status of 504")
        kept.fail(ReadTimeout("too slow"))
    else:
        kept.read()
    await line.settled()
    assert await keys.is_shown("editor")
    assert await keys.typed() == "half a thought"
    assert await keys.page.text("outcome") == ""
    assert await keys.page.evaluate("location.hash") == "#keys/a", "what is edited"
    assert await keys.page.evaluate(SELECTED) == "a"
    await keys.press_row("b")
    await keys.answer("leave-dialog", "no")
    await keys.page.until(f"{FOCUS} === 'value'")
    await keys.press("put", "Saved")
    assert two.record("a").value == b"half a thought"
    assert two.record("b").value == b"B"


@pytest_twisted.ensureDeferred
async def test_a_slow_answer_leaves_no_button_of_another_key_behind_and_a_quick_one_does_not_flicker(
    browser: Browser, two: Stage
) -> None:
    keys, _line = await opened(browser, two)
    kept = Kept(two, "read_barrier")
    await keys.press_row("b")
    await kept.came
    assert await keys.is_shown("value-view"), "it may come any moment"
    await keys.page.evaluate("waits.at(-1)()")
    assert not await keys.is_shown("value-view")
    assert await keys.is_shown("reading")
    assert (await keys.page.text("reading-title"), await keys.page.text("outcome")) == ("b", "Reading…")
    kept.read()
    await keys.shown("value-view")
    assert await keys.value() == "B"
    await keys.page.evaluate("waits.at(-1)()")
    assert await keys.is_shown("value-view")


@pytest_twisted.ensureDeferred
async def test_a_new_key_can_be_begun_and_given_up_while_the_first_one_is_read(browser: Browser, two: Stage) -> None:
    keys = await KeysPage.open(browser, two)
    line = await Line.of(keys)
    kept = Kept(two, "read_barrier")
    await keys.press_row("b")
    await kept.came
    await keys.page.click("new-key")
    kept.read()
    await line.settled()
    await keys.page.click("cancel")
    await keys.shown("nothing")
    assert await keys.page.evaluate("location.hash") == "#keys"
    assert await keys.page.evaluate("document.querySelector('#tree [aria-selected=true]')") is None


@pytest_twisted.ensureDeferred
async def test_a_new_key_can_be_begun_and_given_up_while_another_is_read(browser: Browser, two: Stage) -> None:
    keys, line = await opened(browser, two)
    kept = Kept(two, "read_barrier")
    await keys.press_row("b")
    await kept.came
    await keys.page.evaluate("waits.at(-1)()")
    await keys.page.click("new-key")
    kept.read()
    await line.settled()
    assert await keys.is_shown("editor")
    await keys.page.click("cancel")
    await keys.shown("value-view")
    assert await keys.value() == "A"
    assert await keys.page.evaluate("location.hash") == "#keys/a"
    assert await keys.page.evaluate(SELECTED) == "a"


@pytest_twisted.ensureDeferred
async def test_an_editor_that_was_left_takes_no_text_while_the_next_key_is_read(browser: Browser, two: Stage) -> None:
    keys, _line = await opened(browser, two)
    await keys.type_edit("half a thought")
    kept = Kept(two, "read_barrier")
    await keys.press_row("b")
    await keys.answer("leave-dialog", "yes")
    await kept.came
    assert await keys.is_shown("reading")
    assert not await keys.is_shown("editor")
    kept.read()
    await keys.shown("value-view")
    assert await keys.value() == "B"


@pytest_twisted.ensureDeferred
async def test_a_link_back_to_what_is_shown_wins_over_a_slow_read(browser: Browser, two: Stage) -> None:
    keys, line = await opened(browser, two)
    await line.hold("path.startsWith('/kv/b')")
    await keys.press_row("b")
    await line.holds()
    await keys.page.evaluate("location.hash = '#keys/a'")
    await keys.page.until("line.asked.filter((one) => one.includes('/kv/a')).length === 1")
    await line.let_pass()
    assert (await keys.page.text("viewer-title"), await keys.value()) == ("a", "A")
    assert await keys.page.evaluate("location.hash") == "#keys/a"


@pytest_twisted.ensureDeferred
async def test_nothing_can_be_typed_or_pressed_while_it_is_saved(browser: Browser, two: Stage) -> None:
    keys, _line = await opened(browser, two)
    await keys.type_edit("one")
    await keys.page.evaluate("document.getElementById('value').setSelectionRange(3, 3)")
    kept = Kept(two, "propose")
    await keys.page.press("s", 83, modifiers=2)
    await kept.came
    assert await keys.page.evaluate(FOCUS) == "value", "the focus stays"
    await keys.page.type(" and two")
    assert await keys.typed() == "one"
    for button in ("put", "cancel"):
        assert await keys.page.evaluate(f"document.getElementById('{button}').ariaDisabled") == "true"
        await keys.page.click(button)
    assert await keys.is_shown("editor")
    kept.write()
    await keys.outcome("Saved")
    assert (two.record("a").value, await keys.value()) == (b"one", "one")
    await keys.edit("one and two")
    assert two.record("a").value == b"one and two"


@pytest_twisted.ensureDeferred
async def test_a_conflict_stays_while_theirs_is_overwritten(browser: Browser, two: Stage) -> None:
    keys, line = await opened(browser, two)
    keys.page.expect(CONFLICT)
    put(two, "a", b"theirs", 20)
    await keys.edit("mine", "Not saved")
    await line.settled()
    kept = Kept(two, "propose")
    await keys.page.click("overwrite")
    await kept.came
    for button in ("go-on", "take-theirs", "overwrite"):
        await keys.page.click(button)
    assert await keys.is_shown("conflict")
    kept.write()
    await keys.outcome("Saved")
    assert two.record("a").value == b"mine"


@pytest.mark.parametrize("write", ["save", "delete"])
@pytest_twisted.ensureDeferred
async def test_a_read_from_before_a_write_does_not_bring_the_old_value_back(
    browser: Browser, two: Stage, write: str
) -> None:
    keys, line = await opened(browser, two)
    await line.hold("method === 'GET' && path.startsWith('/kv/a')")
    await keys.page.click("reread")
    await line.holds()
    await (keys.edit("new") if write == "save" else keys.delete())
    await line.let_pass()
    if write == "save":
        assert (await keys.value(), await keys.page.text("meta-revision")) == ("new", "12")
    else:
        assert await keys.is_shown("no-value")
        assert await keys.names() == ["b"]


@pytest_twisted.ensureDeferred
async def test_a_key_is_not_read_edited_or_deleted_again_while_it_is_deleted(browser: Browser, two: Stage) -> None:
    keys, line = await opened(browser, two)
    kept = Kept(two, "propose")
    await keys.page.click("delete")
    await keys.answer("delete-dialog", "yes")
    await kept.came
    for button in ("reread", "edit", "delete"):
        await keys.page.click(button)
    assert await keys.is_shown("value-view")
    assert not await keys.page.evaluate("document.getElementById('delete-dialog').open")
    assert len(await line.asked("/kv/a")) == 1
    kept.write()
    await keys.outcome("Deleted")


async def _save(keys: KeysPage) -> None:
    await keys.type_edit("mine")
    await keys.page.click("put")


async def _delete(keys: KeysPage) -> None:
    await keys.page.click("delete")
    await keys.answer("delete-dialog", "yes")


@pytest.mark.parametrize(
    ("act", "becomes", "told", "focused"),
    [
        (_save, b"A", "Saved", "edit"),
        (_save, b"theirs", "Not saved", "go-on"),
        (_delete, b"A", "Deleted", "no-value-act"),
    ],
)
@pytest.mark.parametrize("elsewhere", [True, False])
@pytest_twisted.ensureDeferred
async def test_what_comes_of_a_write_takes_the_focus_only_from_its_own_panel(
    browser: Browser,
    two: Stage,
    act: Callable[[KeysPage], Awaitable[None]],
    becomes: bytes,
    told: str,
    focused: str,
    elsewhere: bool,
) -> None:
    keys, _line = await opened(browser, two)
    if becomes != b"A":
        keys.page.expect(CONFLICT)
        put(two, "a", becomes, 20)
    kept = Kept(two, "propose")
    await act(keys)
    await kept.came
    if elsewhere:
        await keys.page.evaluate("document.getElementById('find').focus()")
    kept.write()
    await keys.outcome(told)
    assert await keys.page.evaluate(FOCUS) == ("find" if elsewhere else focused)


@pytest_twisted.ensureDeferred
async def test_a_proxy_that_weakens_entity_tags_stops_no_save(browser: Browser, two: Stage) -> None:
    keys, line = await opened(browser, two)
    weak = """new Response(body, {status: answer.status, headers: {...Object.fromEntries(answer.headers),
        ...(answer.headers.has("ETag") ? {ETag: `W/${answer.headers.get("ETag")}`} : {})}})"""
    await line.change(weak)
    await keys.page.click("reread")
    await line.settled()
    await keys.edit("new")
    assert two.record("a").value == b"new"
