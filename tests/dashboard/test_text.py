"""How the page says things: its pure functions, evaluated in the browser."""

import pytest_twisted

from tests.dashboard.browser import Browser
from tests.dashboard.stage import Stage

DASH = "\u2013"

SAID = {
    "count(1234567)": "1,234,567",
    "count(null)": DASH,
    "count(undefined)": DASH,
    "shortTime(0)": "0 ms",
    "shortTime(999.4)": "999 ms",
    "shortTime(3400)": "3.4 s",
    "shortTime(NaN)": DASH,
    "shortTime(84210)": "1 min 24 s",
    "age(0)": "0 s",
    "age(59.9)": "59 s",
    "age(3600)": "1 h 0 min",
    "age(90000)": "1 d 1 h",
    "age(-1)": DASH,
    "size(0)": "0 bytes",
    "size(1)": "1 byte",
    "size(2048)": "2.0 KiB (2,048 bytes)",
    "size(1048576)": "1.0 MiB (1,048,576 bytes)",
    "keyPath('a/../b')": "/kv/a%2F..%2Fb",
    "hexDump(new Uint8Array(17)).split('\\n')[1]": f"0010  {'00':47}  .",
    "describeValue(new Uint8Array([0xed, 0xa0, 0x80])).kind": "hex (not UTF-8)",
    "describeValue(new Uint8Array([])).shown": "",
}


@pytest_twisted.ensureDeferred
async def test_numbers_times_sizes_keys_and_values_are_said_like_this(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.evaluate("import('/static/text.js').then((text) => { window.text = text; })")
    assert {expression: await page.evaluate(f"text.{expression}") for expression in SAID} == SAID


@pytest_twisted.ensureDeferred
async def test_half_a_character_is_no_key(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.evaluate("import('/static/text.js').then((text) => { window.text = text; })")
    said = "(() => { try { text.keyPath('\\ud800'); } catch (error) { return error.message; } })()"
    assert "lone surrogate" in await page.evaluate(said)
