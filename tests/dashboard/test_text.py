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
    "shortSize(0)": "0 B",
    "shortSize(1023)": "1023 B",
    "shortSize(1536)": "1.5 KiB",
    "shortSize(3 * 1024 ** 3)": "3.0 GiB",
    "shortSize(null)": DASH,
    "timeOfDay(new Date(2026, 2, 14, 9, 6, 53))": "09:06:53",
    "keyPath('a/../b')": "/kv/a%2F..%2Fb",
    "hexDump(new Uint8Array(17)).split('\\n')[1]": f"0010  {'00':47}  .",
}

FORMATS = {
    "[]": [True, "text", ""],
    "[0xed, 0xa0, 0x80]": [False, "hex", "0000  ed a0 80"],
    "[0x61, 0x00]": [False, "hex", "0000  61 00"],
    "[0x61, 0x09, 0x0a]": [True, "text", "a\t\n"],
    "[0x7b, 0x7d]": [True, "json", "{}"],
}
"""Of the bytes of a value: whether they are text without control characters, how they are shown first, and as what."""


@pytest_twisted.ensureDeferred
async def test_numbers_times_sizes_keys_and_values_are_said_like_this(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.evaluate("import('/static/text.js').then((text) => { window.text = text; })")
    assert {expression: await page.evaluate(f"text.{expression}") for expression in SAID} == SAID


@pytest_twisted.ensureDeferred
async def test_a_value_is_shown_as_what_it_is(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.evaluate("import('/static/keys/formats.js').then((formats) => { window.formats = formats; })")
    for bytes_, (is_plain, best, shown) in FORMATS.items():
        found = await page.evaluate(
            f"""(() => {{
                const found = formats.formatsOf(new Uint8Array({bytes_}));
                return [found.isPlain, found.best, formats.present(found, found.best).shown];
            }})()"""
        )
        assert found[:2] == [is_plain, best], bytes_
        assert found[2].startswith(shown), bytes_


@pytest_twisted.ensureDeferred
async def test_half_a_character_is_no_key(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.evaluate("import('/static/text.js').then((text) => { window.text = text; })")
    said = "(() => { try { text.keyPath('\\ud800'); } catch (error) { return error.message; } })()"
    assert "lone surrogate" in await page.evaluate(said)
