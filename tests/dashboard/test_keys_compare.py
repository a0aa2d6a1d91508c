"""Theirs beside mine, however large either of them is."""

import json

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from tests.dashboard.browser import Browser
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.stage import Stage

ROWS = """[...document.querySelectorAll("#sides tr")].map((row) => [...row.children].map((cell) => cell.textContent))"""


@pytest_twisted.ensureDeferred
async def test_a_million_lines_beside_one_are_shown_in_part(browser: Browser, stage: Stage) -> None:
    stage.cluster.store.records["k"] = Record(b"one", 10, 4, 2)
    keys = await KeysPage.open(browser, stage, key="k")
    await keys.shown("value-view")
    stage.cluster.store.records["k"] = Record(b"\n" * 1_000_000 + b"z", 20, 4, 3)
    keys.page.expect("status of 412")
    await keys.edit("x", "Not saved")
    assert await keys.page.text("conflict-hint") == "At least 5,000 lines differ."
    rows = await keys.page.evaluate(ROWS)
    assert len(rows) == 1001
    assert rows[-1] == ["999,001 more rows are not shown."]


@pytest.mark.parametrize(
    ("base", "typed", "theirs"),
    [(b"a\r\nb", "x\ny", b"x\ny"), (b"a\nb", "x\ny", b"x\r\ny"), (b"a\nb\nc", "x\ny\nz", b"x\r\ny\nz")],
    ids=["mine end in CR LF", "theirs do", "some of theirs do"],
)
@pytest_twisted.ensureDeferred
async def test_texts_of_which_only_the_line_ends_differ_are_said_to(
    browser: Browser, stage: Stage, base: bytes, typed: str, theirs: bytes
) -> None:
    stage.cluster.store.records["k"] = Record(base, 10, 4, 2)
    keys = await KeysPage.open(browser, stage, key="k")
    await keys.shown("value-view")
    stage.cluster.store.records["k"] = Record(theirs, 20, 4, 3)
    keys.page.expect("status of 412")
    await keys.edit(typed, "Not saved")
    assert await keys.page.text("conflict-hint") == "Only the line ends differ."
    assert await keys.page.evaluate(ROWS) == [[f"{len(typed.splitlines())} equal lines"]]


async def compared(keys: KeysPage, theirs: list[str], mine: list[str]) -> list[list[object]]:
    """Lay lines beside each other, and return rows of theirs, mine, same, cut."""
    texts = [json.dumps("\n".join(lines)) for lines in (theirs, mine)]
    return await keys.page.evaluate(
        "import('/static/keys/diff.js').then(({sideBySide}) => "
        f"sideBySide({texts[0]}, {texts[1]}).map((row) => [row.theirs, row.mine, row.same, row.cut]))"
    )


@pytest_twisted.ensureDeferred
async def test_lines_beyond_those_that_are_compared_are_counted_in_their_place(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    theirs = ["head", *(f"theirs {n}" for n in range(7000)), "tail"]
    mine = ["head", *(f"mine {n}" for n in range(6000)), "tail"]
    rows = await compared(keys, theirs, mine)
    assert rows[0] == ["head", "head", True, None]
    assert rows[5000] == ["theirs 4999", "mine 4999", False, None]
    assert rows[5001:] == [[None, None, False, 2000], ["tail", "tail", True, None]]


@pytest_twisted.ensureDeferred
async def test_a_line_far_down_in_long_texts_is_found(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    lines = [f"line {n}" for n in range(50_000)]
    rows = await compared(keys, [*lines, "theirs", *lines], [*lines, "mine", *lines])
    assert len(rows) == 100_001
    assert [row for row in rows if not row[2]] == [["theirs", "mine", False, None]]
