"""Creating, changing and deleting keys, and what happens when somebody else does so, too."""

from collections.abc import Callable

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from minicloud.node.errors import OutcomeUnknown
from tests.dashboard.browser import Browser
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.late import Line
from tests.dashboard.stage import Stage

KEYS = ["a//b", "a/../b", "/x", "%2Fx", "ключ", "a b?c#d&e=f", "...", "a\\b", "+", "é", "a/", "x" * 1024]
CONFLICT = "status of 412"
MISSING = "status of 404"
SIDES = """[...document.querySelectorAll("#sides tr")]
    .map((row) => [row.className, ...[...row.children].map((cell) => cell.textContent)])"""
NO_LINE = "\u2013"
STOPS_LEAVING = """(() => {
    const event = new Event("beforeunload", {cancelable: true});
    window.dispatchEvent(event);
    return event.defaultPrevented;
})()"""


def put_by_another(stage: Stage, key: str, value: bytes, revision: int) -> None:
    stage.cluster.store.records[key] = Record(value, revision, 4, 2)
    stage.cluster.store.applied_index = max(stage.cluster.store.applied_index, revision)


@pytest.fixture
def noted(stage: Stage) -> Stage:
    """A stage with a note of two lines."""
    put_by_another(stage, "note", b"one\ntwo", 10)
    return stage


@pytest.mark.parametrize("node_id", ["node1", "node2"])
@pytest_twisted.ensureDeferred
async def test_any_key_goes_there_and_back_through_any_node(browser: Browser, stage: Stage, node_id: str) -> None:
    keys = await KeysPage.open(browser, stage, node_id)
    for key in KEYS:
        await keys.create(key, f"value of {key[:5]}")
        record = stage.record(key)
        assert record.value == f"value of {key[:5]}".encode()
        assert await keys.page.text("meta-revision") == await keys.page.text("meta-created") == str(record.revision)
        await keys.page.click("reread")
        await keys.page.until("document.getElementById('outcome').textContent === ''")
        assert (await keys.page.text("viewer-title"), await keys.value()) == (key, f"value of {key[:5]}")


@pytest.mark.parametrize("key", [".", ".."])
@pytest_twisted.ensureDeferred
async def test_a_key_that_browsers_cannot_ask_for_is_named(browser: Browser, stage: Stage, key: str) -> None:
    put_by_another(stage, key, b"v", 10)
    keys = await KeysPage.open(browser, stage)
    await keys.press_row(key)
    assert "cloudctl can" in await keys.outcome("Browsers cannot ask for the key")
    await keys.type_new(key, "mine")
    assert "cloudctl can" in await keys.press("put", "Browsers cannot ask for the key")
    assert await keys.typed() == "mine"
    assert stage.record(key).value == b"v"


@pytest_twisted.ensureDeferred
async def test_nothing_is_asked_for_without_a_key(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    await keys.create("", "v", "Type a key first")
    assert await keys.page.evaluate("document.activeElement.id") == "key"
    assert stage.cluster.store.records == {}


@pytest_twisted.ensureDeferred
async def test_a_key_is_written_with_the_keyboard_alone(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    await keys.page.evaluate("document.getElementById('new-key').focus()")
    await keys.page.press("Enter", 13)
    assert await keys.page.evaluate("document.activeElement.id") == "key"
    await keys.page.type("k")
    await keys.page.press("Tab", 9)
    await keys.page.type("v")
    await keys.page.press("Enter", 13, modifiers=2)
    await keys.outcome("Created")
    assert await keys.page.evaluate("document.activeElement.id") == "edit"
    await keys.page.press("Enter", 13)
    await keys.page.type("w")
    await keys.page.press("s", 83, modifiers=2)
    await keys.outcome("Saved")
    assert stage.record("k").value == b"vw"


@pytest_twisted.ensureDeferred
async def test_enter_behind_a_key_goes_on_to_its_value_and_writes_nothing(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    line = await Line.of(keys)
    await keys.page.click("new-key")
    await keys.page.type("k")
    await keys.page.press("Enter", 13)
    assert await keys.page.evaluate("document.activeElement.id") == "value"
    await line.settled()
    assert await line.asked("PUT") == []
    assert stage.record("k") is None
    await keys.page.press("Enter", 13)
    await keys.page.type("v")
    await keys.page.evaluate("document.getElementById('key').focus()")
    await keys.page.press("Enter", 13, modifiers=2)
    await keys.outcome("Created")
    assert stage.record("k").value == b"\nv"


@pytest_twisted.ensureDeferred
async def test_a_key_is_made_by_its_button_with_the_keyboard(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    await keys.type_new("k", "")
    await keys.page.press("Tab", 9)
    assert await keys.page.evaluate("document.activeElement.id") == "put"
    await keys.page.press("Enter", 13)
    await keys.outcome("Created")
    assert stage.record("k").value == b"", "an empty value is one, where somebody wants it"


@pytest_twisted.ensureDeferred
async def test_a_value_is_edited_as_it_is_stored(browser: Browser, stage: Stage) -> None:
    values = {"bom": b"\xef\xbb\xbfone\ntwo", "crlf": b"one\r\ntwo\r\n", "json": b'{"a":1}'}
    for key, value in values.items():
        put_by_another(stage, key, value, 10)
    keys = await KeysPage.open(browser, stage)
    await keys.choose("bom")
    await keys.page.click("edit")
    assert await keys.typed() == "\ufeffone\ntwo"
    await keys.page.click("cancel")
    await keys.choose("json")
    await keys.page.click("edit")
    assert await keys.typed() == '{"a":1}', "and not as it is laid out for reading"
    await keys.page.fill("value", '{"a":1')
    assert "is none now" in await keys.page.text("editor-hint")
    await keys.page.click("cancel")
    await keys.answer("leave-dialog", "yes")
    await keys.shown("value-view")
    await keys.choose("crlf")
    await keys.edit("one\ntwo\nthree\n")
    assert stage.record("crlf").value == b"one\r\ntwo\r\nthree\r\n"


@pytest.mark.parametrize("value", [b"\x00\xffAB", b"a\x07", b"a\r\nb\nc", b"x" * (256 * 1024 + 1)])
@pytest_twisted.ensureDeferred
async def test_what_a_text_field_would_change_is_only_replaced_as_a_whole(
    browser: Browser, stage: Stage, value: bytes
) -> None:
    put_by_another(stage, "k", value, 10)
    keys = await KeysPage.open(browser, stage, key="k")
    await keys.shown("value-view")
    assert await keys.page.text("edit") == "Replace…"
    assert "replaced as a whole" in await keys.page.text("edit-hint")
    await keys.page.click("edit")
    assert await keys.typed() == ""
    await keys.page.fill("value", "new")
    await keys.press("put", "Saved at revision")
    assert stage.record("k").value == b"new"


@pytest_twisted.ensureDeferred
async def test_a_conflict_shows_both_side_by_side_and_overwrites_nothing(browser: Browser, noted: Stage) -> None:
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    put_by_another(noted, "note", b"one\nzwei\nthree", 90)
    keys.page.expect(CONFLICT)
    await keys.edit("one\n2", "Not saved")
    assert await keys.is_shown("conflict")
    assert await keys.page.text("theirs-head") == "Theirs, revision 90"
    assert await keys.page.text("mine-head") == "Mine, from revision 10"
    assert await keys.page.evaluate(SIDES) == [
        ["", "", "one", "", "one"],
        ["differs", "≠", "zwei", "≠", "2"],
        ["differs", "≠", "three", NO_LINE, ""],
    ]
    assert await keys.page.text("conflict-hint") == "2 lines differ."
    assert await keys.page.evaluate("document.activeElement.id") == "go-on", "the harmless answer"
    assert noted.record("note").value == b"one\nzwei\nthree"


@pytest_twisted.ensureDeferred
async def test_mine_overwrites_theirs_only_as_it_was_shown(browser: Browser, noted: Stage) -> None:
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    put_by_another(noted, "note", b"theirs", 90)
    keys.page.expect(CONFLICT)
    await keys.edit("mine", "Not saved")
    put_by_another(noted, "note", b"a third writer's", 91)
    await keys.press("overwrite", "Not saved")
    assert await keys.page.text("theirs-head") == "Theirs, revision 91"
    assert noted.record("note").value == b"a third writer's"
    await keys.press("overwrite", "Saved at revision")
    assert noted.record("note").value == b"mine"
    assert await keys.value() == "mine"


@pytest_twisted.ensureDeferred
async def test_theirs_can_be_taken(browser: Browser, noted: Stage) -> None:
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    put_by_another(noted, "note", b"theirs", 90)
    keys.page.expect(CONFLICT)
    await keys.edit("mine", "Not saved")
    await keys.press("take-theirs", "What you typed was thrown away")
    assert (await keys.value(), await keys.page.text("meta-revision")) == ("theirs", "90")
    assert noted.record("note").value == b"theirs"
    await keys.edit("on top of theirs")
    assert noted.record("note").value == b"on top of theirs"


@pytest_twisted.ensureDeferred
async def test_one_goes_on_editing_and_is_told_again(browser: Browser, noted: Stage) -> None:
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    put_by_another(noted, "note", b"theirs", 90)
    keys.page.expect(CONFLICT)
    await keys.edit("mine", "Not saved")
    await keys.page.click("go-on")
    assert await keys.typed() == "mine"
    await keys.page.fill("value", "mine and theirs")
    await keys.press("put", "Not saved")
    assert await keys.page.evaluate(SIDES) == [["differs", "≠", "theirs", "≠", "mine and theirs"]]


@pytest_twisted.ensureDeferred
async def test_theirs_may_be_bytes_or_nothing(browser: Browser, noted: Stage) -> None:
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    put_by_another(noted, "note", b"\xff\x00", 90)
    keys.page.expect(CONFLICT, MISSING)
    await keys.edit("mine", "Not saved")
    assert "Theirs is not text: 2 bytes" in await keys.page.text("conflict-hint")
    del noted.cluster.store.records["note"]
    await keys.press("overwrite", "Not saved")
    assert await keys.page.text("conflict-title") == "Somebody else deleted this key"
    await keys.press("overwrite", "Created at revision")
    assert noted.record("note").value == b"mine"


@pytest_twisted.ensureDeferred
async def test_a_key_that_somebody_else_deleted_can_be_let_go(browser: Browser, noted: Stage) -> None:
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    await keys.type_edit("mine")
    del noted.cluster.store.records["note"]
    keys.page.expect(CONFLICT, MISSING)
    await keys.press("put", "Not saved")
    await keys.page.click("take-theirs")
    await keys.shown("no-value")
    assert await keys.names() == []


@pytest_twisted.ensureDeferred
async def test_a_new_key_that_exists_by_then_overwrites_nothing(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    await keys.type_new("k", "mine")
    put_by_another(stage, "k", b"theirs", 90)
    keys.page.expect(CONFLICT)
    await keys.press("put", "Not saved")
    assert await keys.page.text("conflict-title") == "There is such a key already"
    assert stage.record("k").value == b"theirs"


@pytest_twisted.ensureDeferred
async def test_long_texts_are_compared_with_equal_lines_left_out(browser: Browser, stage: Stage) -> None:
    lines = [f"line {n}" for n in range(4000)]
    put_by_another(stage, "k", "\n".join(lines).encode(), 10)
    keys = await KeysPage.open(browser, stage, key="k")
    await keys.shown("value-view")
    put_by_another(stage, "k", "\n".join([*lines[:2000], "theirs", *lines[2000:]]).encode(), 90)
    keys.page.expect(CONFLICT)
    await keys.edit("\n".join(["mine", *lines]), "Not saved")
    rows = await keys.page.evaluate(SIDES)
    assert rows[0] == ["differs", NO_LINE, "", "≠", "mine"]
    assert ["equal", "1,994 equal lines"] in rows
    assert ["differs", "≠", "theirs", NO_LINE, ""] in rows
    assert len(rows) == 1 + 3 + 1 + 3 + 1 + 3 + 1


@pytest_twisted.ensureDeferred
async def test_texts_that_differ_everywhere_are_shown_in_part(browser: Browser, noted: Stage) -> None:
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    put_by_another(noted, "note", "\n".join(f"theirs {n}" for n in range(3000)).encode(), 90)
    keys.page.expect(CONFLICT)
    await keys.edit("\n".join(f"mine {n}" for n in range(3000)), "Not saved")
    rows = await keys.page.evaluate(SIDES)
    assert rows[-1] == ["equal", "2,000 more rows are not shown."]
    assert len(rows) == 1001


@pytest_twisted.ensureDeferred
async def test_a_key_is_deleted_after_a_question_only(browser: Browser, noted: Stage) -> None:
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    await keys.delete("Kept", answer="no")
    await keys.page.click("delete")
    await keys.page.until("document.getElementById('delete-dialog').open")
    assert await keys.page.text("delete-key") == "note"
    assert await keys.page.evaluate("document.activeElement.value") == "no", "the harmless answer has the focus"
    await keys.page.evaluate("document.getElementById('outcome').textContent = ''")
    await keys.page.press("Escape", 27)
    await keys.outcome("Kept")
    assert noted.record("note") is not None
    await keys.delete()
    assert noted.record("note") is None
    assert await keys.page.text("no-value-title") == "note"
    assert await keys.names() == []
    await keys.page.click("no-value-act")
    assert await keys.page.evaluate("document.getElementById('key').value") == "note"


@pytest_twisted.ensureDeferred
async def test_what_somebody_else_changed_is_not_deleted(browser: Browser, noted: Stage) -> None:
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    put_by_another(noted, "note", b"theirs", 90)
    keys.page.expect(CONFLICT, MISSING)
    await keys.delete("Not deleted: somebody else changed the key")
    assert noted.record("note").value == b"theirs"
    assert (await keys.value(), await keys.page.text("meta-revision")) == ("theirs", "90")
    del noted.cluster.store.records["note"]
    await keys.delete("Somebody else deleted it before")


@pytest_twisted.ensureDeferred
async def test_a_missing_key_says_so_and_can_be_made(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open_at(browser, stage.url(), "nowhere")
    keys.page.expect(MISSING)
    await keys.shown("no-value")
    assert await keys.page.text("no-value-text") == "There is no such key."
    await keys.page.click("no-value-act")
    await keys.page.fill("value", "v")
    await keys.press("put", "Created")
    assert stage.record("nowhere").value == b"v"


@pytest_twisted.ensureDeferred
async def test_what_was_typed_is_not_lost_without_a_question(browser: Browser, noted: Stage) -> None:
    put_by_another(noted, "other", b"other", 11)
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    await keys.type_edit("half a thought")
    for leave in ("row", "new", "cancel", "link"):
        if leave == "link":
            await keys.page.evaluate("location.hash = '#keys/other'")
        elif leave in ("new", "cancel"):
            await keys.page.click("new-key" if leave == "new" else "cancel")
        else:
            await keys.press_row("other")
        await keys.answer("leave-dialog", "no")
        await keys.page.until("!document.getElementById('leave-dialog').open && location.hash === '#keys/note'")
        assert await keys.typed() == "half a thought"
        assert await keys.is_shown("editor")
    assert await keys.page.evaluate(STOPS_LEAVING)
    await keys.press_row("other")
    await keys.answer("leave-dialog", "yes")
    await keys.page.until("document.getElementById('viewer-title').textContent === 'other'")
    assert not await keys.page.evaluate(STOPS_LEAVING)
    await keys.page.click("edit")
    await keys.press_row("note")
    await keys.page.until("document.getElementById('viewer-title').textContent === 'note'")
    assert noted.record("note").value == b"one\ntwo"


@pytest_twisted.ensureDeferred
async def test_the_end_of_one_question_is_no_answer_to_the_next(browser: Browser, noted: Stage) -> None:
    """A dialog says that it has closed a moment after it has: by then it may be open again."""
    put_by_another(noted, "other", b"other", 11)
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    await keys.type_edit("half a thought")
    dialog = "document.getElementById('leave-dialog')"
    await keys.page.evaluate(f"""(async () => {{
        document.getElementById("cancel").click();
        {dialog}.querySelector("[value=no]").click();
        await null; // What waits for that answer goes on first, as it does between two clicks.
        await null;
        document.getElementById("cancel").click();
        await new Promise((resolve) => {dialog}.addEventListener("close", resolve, {{once: true}}));
    }})()""")
    assert await keys.page.evaluate(f"{dialog}.open"), "that was the first one's end"
    await keys.answer("leave-dialog", "yes")
    await keys.shown("value-view")


@pytest_twisted.ensureDeferred
async def test_a_write_whose_fate_is_unknown_is_reported_so_and_can_be_tried_again(
    browser: Browser, noted: Stage
) -> None:
    keys = await KeysPage.open(browser, noted, key="note")
    await keys.shown("value-view")
    keys.page.expect("status of 504", CONFLICT)
    noted.cluster.nodes["node1"].script.append(OutcomeUnknown())
    assert "Save again" in await keys.edit("mine", "It was proposed")
    assert await keys.typed() == "mine"
    put_by_another(noted, "note", b"mine", 90)
    await keys.press("put", "Stored already, at revision 90")
    assert await keys.page.text("meta-revision") == "90"


@pytest_twisted.ensureDeferred
async def test_when_the_node_is_gone_it_is_said_where_one_acted_and_nothing_typed_is_lost(
    browser: Browser, make_stage: Callable[..., Stage]
) -> None:
    stage = make_stage()
    put_by_another(stage, "note", b"one", 10)
    keys = await KeysPage.open(browser, stage, key="note")
    await keys.shown("value-view")
    keys.page.expect("ERR_")
    await stage.stop("node1")
    assert "not known" in await keys.edit("mine", "The node did not answer")
    assert await keys.typed() == "mine"
    await keys.press("refresh", "The node did not answer", outcome="tree-outcome")
    assert await keys.names() == ["note"]
    assert not await keys.page.evaluate("document.getElementById('tree-retry').hidden")
