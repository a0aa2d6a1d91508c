"""The tree and the number of keys, when answers come late or not at all: own writes stay, and the focus stays where it is."""

import pytest
import pytest_twisted
from attrs import field, frozen

from minicloud.kv.commands import Record
from tests.dashboard.browser import Browser
from tests.dashboard.keys_page import ROWS, KeysPage
from tests.dashboard.late import Line
from tests.dashboard.stage import Stage

COUNT = "document.getElementById('tree-count').textContent"
FOCUS = "document.activeElement.id"
LISTING = "path.includes('keys_only')"
COUNTING = "path.includes('count=true')"
CONFLICT = "status of 412"
MISSING = "status of 404"
REACHED = f"{ROWS}.filter((row) => row.tabIndex === 0).map((row) => row.children[1].textContent)"


def store(stage: Stage, *keys: str) -> None:
    for key in keys:
        stage.cluster.store.applied_index += 1
        revision = stage.cluster.store.applied_index
        stage.cluster.store.records[key] = Record(b"v", revision, revision, 1)


async def opened(browser: Browser, stage: Stage, key: str | None = None) -> tuple[KeysPage, Line]:
    keys = await KeysPage.open(browser, stage, key=key)
    return keys, await Line.of(keys)


@pytest_twisted.ensureDeferred
async def test_a_listing_from_before_own_writes_is_asked_for_again_and_not_taken(
    browser: Browser, stage: Stage
) -> None:
    store(stage, "a", "b", "f/1")
    keys, line = await opened(browser, stage, key="b")
    await keys.shown("value-view")
    await line.hold(f"{LISTING} || {COUNTING}")
    await keys.page.click("refresh")
    await line.holds(2)
    await keys.create("c", "C")
    await keys.create("f/2", "C")
    await keys.page.evaluate("location.hash = '#keys/b'")
    await keys.page.until("document.getElementById('viewer-title').textContent === 'b'")
    await keys.shown("value-view")
    await keys.delete()
    await line.let_pass()
    assert await keys.rows() == [["1", "a", "1 B"], ["1", "c", "1 B"], ["1", "f/", "2"]]
    assert await keys.page.evaluate(COUNT) == "4 keys"
    revision = stage.cluster.store.applied_index
    assert len(await line.asked(f"min_revision={revision}")) == 2, "the listing and the number"


@pytest_twisted.ensureDeferred
async def test_a_write_that_an_answer_shows_already_is_not_counted_twice(browser: Browser, stage: Stage) -> None:
    store(stage, "f/1")
    keys, line = await opened(browser, stage)
    await line.hold("method === 'PUT'")
    await keys.type_new("f/2", "v")
    await keys.page.click("put")
    await line.holds()
    await keys.page.click("refresh")
    await keys.page.until("line.asked.length - line.given === 1")
    assert await keys.page.evaluate(COUNT) == "2 keys"
    await line.let_pass()
    assert await keys.rows() == [["1", "f/", "2"]]
    assert await keys.page.evaluate(COUNT) == "2 keys"


@pytest_twisted.ensureDeferred
async def test_a_refresh_while_one_is_under_way_brings_what_the_first_had_not_seen(
    browser: Browser, stage: Stage
) -> None:
    store(stage, "a")
    keys, line = await opened(browser, stage)
    await line.hold(LISTING)
    await keys.page.click("refresh")
    await line.holds()
    store(stage, "b")
    await keys.page.click("refresh")
    await line.let_pass()
    assert await keys.names() == ["a", "b"]


@pytest_twisted.ensureDeferred
async def test_taking_theirs_or_letting_it_go_counts_no_key_that_was_counted_already_or_never(
    browser: Browser, stage: Stage
) -> None:
    store(stage, "f/theirs")
    keys, line = await opened(browser, stage)
    keys.page.expect(CONFLICT, MISSING)
    await keys.create("f/theirs", "mine", "Not saved")
    await keys.press("take-theirs", "What you typed")
    await line.settled()
    assert await keys.page.evaluate(COUNT) == "1 key"
    assert await keys.rows() == [["1", "f/", "1"]]
    await keys.type_new("f/gone", "mine")
    store(stage, "f/gone")
    await keys.press("put", "Not saved")
    del stage.cluster.store.records["f/gone"]
    await keys.press("overwrite", "Not saved")
    await keys.press("take-theirs", "What you typed")
    await line.settled()
    assert await keys.page.evaluate(COUNT) == "1 key"
    assert await keys.rows() == [["1", "f/", "1"]]


@frozen
class Stale:
    """A folder that was counted before others wrote into it, and opened after that."""

    counted: str
    """The only key in it at first, which is deleted in the end."""
    added: str
    """The one that others write."""
    opened: list[str]
    """Folders that are opened before that,"""
    opened_then: list[str]
    """and after it."""
    left: list[str]
    """The rows in the end, with what they have written elsewhere: all of it is asked for anew."""
    closed: list[str] = field(factory=list)
    """Folders that are closed before the key is deleted: the link to it has opened them."""


STALE = {
    "both keys in it": Stale("users/ann", "users/bob", [], ["users/"], ["users/", "bob", "yak", "zoo"]),
    "both in a folder in it": Stale("a/b/c", "a/b/d", ["a/"], ["b/"], ["a/", "b/", "d", "yak", "zoo"]),
    "both in a closed one": Stale("a/b/c", "a/b/d", [], ["a/"], ["a/", "b/", "yak", "zoo"], closed=["b/"]),
    "a folder beside the key": Stale("a/b", "a/c/d", [], ["a/"], ["a/", "c/", "yak", "zoo"]),
}


@pytest.mark.parametrize("stale", STALE.values(), ids=STALE)
@pytest_twisted.ensureDeferred
async def test_a_folder_stays_with_what_others_have_written_into_it_since_it_was_counted(
    browser: Browser, stage: Stage, stale: Stale
) -> None:
    store(stage, stale.counted, "zoo")
    keys, line = await opened(browser, stage)
    for folder in stale.opened:
        await keys.open_folder(folder)
    store(stage, stale.added, "yak")
    for folder in stale.opened_then:
        await keys.open_folder(folder)
    await keys.choose(stale.counted)
    await keys.tree_is_whole()
    for folder in stale.closed:
        await keys.press_row(folder)
    assert (await keys.rows())[0][2] == "1", "as it was counted"
    await keys.delete()
    await line.settled()
    assert await keys.names() == stale.left
    assert await keys.page.evaluate(COUNT) == "3 keys"


@pytest_twisted.ensureDeferred
async def test_a_closed_folder_goes_with_the_last_key_in_it_and_nothing_is_asked_for(
    browser: Browser, stage: Stage
) -> None:
    store(stage, "a")
    keys, line = await opened(browser, stage)
    await keys.create("f/g/1", "v")
    assert await keys.names() == ["a", "f/"]
    await keys.delete()
    assert await keys.names() == ["a"]
    await line.settled()
    assert await line.asked("GET") == []


@pytest_twisted.ensureDeferred
async def test_a_folder_whose_keys_are_still_on_their_way_stays_until_it_is_known_what_is_in_it(
    browser: Browser, stage: Stage
) -> None:
    store(stage, "users/ann", "zoo")
    keys, line = await opened(browser, stage, key="users/ann")
    await keys.tree_is_whole()
    await keys.press_row("users/")
    store(stage, "users/bob")
    await line.hold(LISTING)
    await keys.press_row("users/")
    await line.holds()
    await keys.delete()
    await line.let_pass()
    assert await keys.names() == ["users/", "bob", "zoo"]
    assert await keys.page.evaluate(COUNT) == "2 keys"


@pytest_twisted.ensureDeferred
async def test_a_folder_that_was_opened_while_its_only_counted_key_was_deleted_stays_with_what_is_in_it(
    browser: Browser, stage: Stage
) -> None:
    store(stage, "users/ann", "zoo")
    keys, line = await opened(browser, stage, key="users/ann")
    await keys.tree_is_whole()
    await keys.press_row("users/")
    store(stage, "users/bob")
    await line.hold("method === 'DELETE'")
    await keys.page.click("delete")
    await keys.answer("delete-dialog", "yes")
    await line.holds()
    await keys.open_folder("users/")
    assert await keys.names() == ["users/", "bob", "zoo"]
    await line.let_pass()
    assert await keys.names() == ["users/", "bob", "zoo"]
    assert await keys.page.evaluate(COUNT) == "2 keys"


@pytest_twisted.ensureDeferred
async def test_the_tree_is_reached_with_tab_when_the_key_at_which_it_was_is_gone(
    browser: Browser, stage: Stage
) -> None:
    store(stage, "a", "b", "c")
    keys, _line = await opened(browser, stage)
    await keys.press_row("b")
    await keys.shown("value-view")
    await keys.delete()
    assert await keys.names() == ["a", "c"]
    assert await keys.page.evaluate(REACHED) == ["a"]


async def go_to_the_end(keys: KeysPage, line: Line) -> None:
    """Press End in the tree, of which the last page is on its way."""
    await line.hold(LISTING)
    await keys.page.evaluate("document.querySelector('#tree [tabindex=\"0\"]').focus()")
    await keys.page.press("End", 35)
    await line.holds()


@pytest_twisted.ensureDeferred
async def test_a_row_that_comes_late_takes_no_focus_from_elsewhere(browser: Browser, stage: Stage) -> None:
    store(stage, *[f"k{number:03}" for number in range(450)])
    keys, line = await opened(browser, stage)
    await go_to_the_end(keys, line)
    await keys.page.click("new-key")
    await keys.page.type("ab")
    await line.let_pass()
    assert await keys.page.evaluate(FOCUS) == "key"
    assert await keys.page.evaluate("document.getElementById('key').value") == "ab"


@pytest_twisted.ensureDeferred
async def test_a_row_that_comes_while_another_view_is_shown_does_no_harm(browser: Browser, stage: Stage) -> None:
    store(stage, *[f"k{number:03}" for number in range(450)])
    keys, line = await opened(browser, stage)
    await go_to_the_end(keys, line)
    await keys.page.evaluate("location.hash = '#cluster'")
    await keys.page.until("document.getElementById('keys').hidden")
    await line.let_pass()
    await keys.page.evaluate("location.hash = '#keys'")
    await keys.page.until("!document.getElementById('keys').hidden")
    assert len(await keys.names()) > 10


@pytest_twisted.ensureDeferred
async def test_a_link_into_a_folder_that_does_not_load_does_not_hold_the_tree_there(
    browser: Browser, stage: Stage
) -> None:
    store(stage, "b/c", *[f"k{number:03}" for number in range(450)])
    keys, line = await opened(browser, stage)
    await line.change(f"{LISTING} && path.includes('prefix=b') ? Response.error() : null")
    await keys.page.evaluate("location.hash = '#keys/b%2Fc'")
    await keys.page.until("document.querySelector('#tree .waiting')?.textContent === 'Not loaded'")
    await line.settled()
    await keys.page.evaluate(
        "(() => { const tree = document.getElementById('tree'); tree.scrollTop = tree.scrollHeight; })()"
    )
    await keys.page.evaluate("new Promise(requestAnimationFrame)")
    await keys.page.until("line.asked.filter((one) => one.includes('cursor')).length === 1")
    await line.settled()
    assert await keys.page.evaluate("document.getElementById('tree').scrollTop") > 3000
