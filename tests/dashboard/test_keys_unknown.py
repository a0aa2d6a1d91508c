"""Writes of which nobody knows whether they took effect: what is said then, and when they are tried again."""

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from minicloud.node.errors import OutcomeUnknown
from tests.dashboard.browser import Browser
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.late import Line
from tests.dashboard.stage import Stage

CONFLICT = "status of 412"
MISSING = "status of 404"
UNKNOWN = "status of 504"
BROKEN = """new Response(new ReadableStream({start(stream) {
    stream.enqueue(new TextEncoder().encode('{"revision":')); stream.error(new TypeError("network error")); }}))"""


@pytest.fixture
def noted(stage: Stage) -> Stage:
    """A stage with a note."""
    stage.cluster.store.records["note"] = Record(b"one", 10, 4, 2)
    stage.cluster.store.applied_index = 10
    return stage


async def opened(browser: Browser, stage: Stage) -> tuple[KeysPage, Line]:
    keys = await KeysPage.open(browser, stage, key="note")
    await keys.shown("value-view")
    return keys, await Line.of(keys)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("new Response('<h1>Bad Gateway</h1>', {status: 502})", "Something on the way to the node answered 502."),
        ("new Response('<h1>Timeout</h1>', {status: 504})", "Something on the way to the node answered 504."),
        (BROKEN, "The node's answer did not come whole."),
        ("new Response('<h1>Welcome</h1>')", "The node's answer did not come whole."),
    ],
    ids=["502", "504", "broken off", "no JSON"],
)
@pytest_twisted.ensureDeferred
async def test_an_answer_that_is_not_the_nodes_leaves_the_outcome_open(
    browser: Browser, noted: Stage, answer: str, told: str
) -> None:
    keys, line = await opened(browser, noted)
    keys.page.expect(CONFLICT)
    await line.change(f"method === 'PUT' ? {answer} : null")
    said = await keys.edit("mine", told)
    assert "Whether this took effect is not known. Save again" in said
    assert await keys.typed() == "mine"
    await line.change("null")
    await keys.press("put", "Stored already, at revision 11")


@pytest_twisted.ensureDeferred
async def test_an_answer_of_the_node_that_nothing_was_done_is_no_open_outcome(browser: Browser, noted: Stage) -> None:
    keys, _line = await opened(browser, noted)
    keys.page.expect("status of 503")
    noted.cluster.leader = None
    assert "not known" not in await keys.edit("mine", "No leader")


@pytest.mark.parametrize("by_another", [False, True])
@pytest_twisted.ensureDeferred
async def test_a_delete_that_may_have_been_ones_own_is_not_laid_on_somebody_else(
    browser: Browser, noted: Stage, by_another: bool
) -> None:
    keys, _line = await opened(browser, noted)
    keys.page.expect(CONFLICT, MISSING, *([] if by_another else [UNKNOWN]))
    if not by_another:
        noted.cluster.nodes["node1"].script.append(OutcomeUnknown())
        said = await keys.delete("It was proposed")
        assert "Delete again" in said
        assert "Save again" not in said
    del noted.cluster.store.records["note"]
    told = await keys.delete("Somebody else deleted it before" if by_another else "It is gone")
    assert ("earlier attempt" in told) is not by_another
    assert await keys.names() == []


@pytest_twisted.ensureDeferred
async def test_a_conflict_with_what_one_may_have_written_oneself_says_so(browser: Browser, noted: Stage) -> None:
    keys, _line = await opened(browser, noted)
    keys.page.expect(CONFLICT, UNKNOWN)
    noted.cluster.nodes["node1"].script.append(OutcomeUnknown())
    await keys.edit("mine", "It was proposed")
    noted.cluster.store.records["note"] = Record(b"mine", 90, 4, 3)
    await keys.page.fill("value", "mine, and more")
    await keys.press("put", "Not saved")
    assert await keys.page.text("conflict-title") == "An earlier attempt seems to have got through"
    await keys.press("overwrite", "Saved at revision")
    noted.cluster.store.records["note"] = Record(b"mine", 99, 4, 5)
    await keys.edit("again", "Not saved")
    assert await keys.page.text("conflict-title") == "Somebody else changed this key"


@pytest_twisted.ensureDeferred
async def test_what_could_not_be_looked_at_after_a_conflict_was_not_saved_for_certain(
    browser: Browser, noted: Stage
) -> None:
    keys, line = await opened(browser, noted)
    keys.page.expect(CONFLICT)
    noted.cluster.store.records["note"] = Record(b"theirs", 90, 4, 3)
    await line.change("method === 'GET' && path.startsWith('/kv/note') ? Response.error() : null")
    said = await keys.edit("mine", "Not saved: the key is not as it was. What is stored now could not be read")
    assert "not known" not in said
    assert await keys.typed() == "mine"
