"""How values are shown: as text, JSON or hex, in part where they are long, with what the node tells of them."""

import base64
from pathlib import Path

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from tests.dashboard.browser import Browser
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.stage import Stage

CHECKED = "document.querySelector('.ways input:checked').id"
DISABLED = "[...document.querySelectorAll('.ways input:disabled')].map((input) => input.id)"


def store(stage: Stage, **values: bytes) -> None:
    for number, (key, value) in enumerate(values.items(), start=4):
        stage.cluster.store.records[key] = Record(value, number, number, 1)


@pytest_twisted.ensureDeferred
async def test_a_key_comes_with_all_that_the_node_tells_of_it(browser: Browser, stage: Stage) -> None:
    stage.cluster.store.records["k"] = Record("Grüße\n".encode(), 1234, 17, 5)
    keys = await KeysPage.open(browser, stage, key="k")
    await keys.shown("value-view")
    assert await keys.page.text("viewer-title") == "k"
    told = [await keys.page.text(f"meta-{name}") for name in ("revision", "created", "version", "size")]
    assert told == ["1,234", "17", "5", "8 bytes"]
    assert await keys.value() == "Grüße\n"
    asked = [url for url in keys.page.requests.values() if "/kv/" in url]
    assert len(asked) == 1, "one request tells it all"


@pytest.mark.parametrize(
    ("value", "best", "impossible"),
    [
        (b"plain", "as-text", ["as-json"]),
        (b'{"a": 1}', "as-json", []),
        (b" [1, 2]\n", "as-json", []),
        (b"17", "as-text", ["as-json"]),
        (b'{"a": 1', "as-text", ["as-json"]),
        (b"\x1b[31mred", "as-hex", ["as-json"]),
        (b"\x00\xff", "as-hex", ["as-text", "as-json"]),
        (b"\xed\xa0\x80", "as-hex", ["as-text", "as-json"]),
        (b"", "as-text", ["as-json"]),
        (b"a\r\nb", "as-text", ["as-json"]),
    ],
)
@pytest_twisted.ensureDeferred
async def test_the_best_way_is_chosen_and_impossible_ones_are_not_offered(
    browser: Browser, stage: Stage, value: bytes, best: str, impossible: list[str]
) -> None:
    store(stage, k=value)
    keys = await KeysPage.open(browser, stage, key="k")
    await keys.shown("value-view")
    assert await keys.page.evaluate(CHECKED) == best
    assert await keys.page.evaluate(DISABLED) == impossible


@pytest_twisted.ensureDeferred
async def test_a_value_can_be_looked_at_in_other_ways(browser: Browser, stage: Stage) -> None:
    store(stage, k=b'{"b":[1,{}],"n":12345678901234567890,"\\u0041":"x"}', red=b"\x1b[31mred", crlf=b"a\r\nb")
    keys = await KeysPage.open(browser, stage, key="k")
    await keys.shown("value-view")
    assert await keys.value() == (
        '{\n  "b": [\n    1,\n    {}\n  ],\n  "n": 12345678901234567890,\n  "\\u0041": "x"\n}'
    ), "numbers and escapes stay as they were written"
    assert "stored bytes differ" in await keys.page.text("viewer-hint")
    await keys.page.click("as-text")
    assert await keys.value() == '{"b":[1,{}],"n":12345678901234567890,"\\u0041":"x"}'
    assert await keys.page.text("viewer-hint") == ""
    await keys.page.click("as-hex")
    assert (await keys.value()).startswith("0000  7b 22 62 22 3a 5b")
    await keys.choose("red")
    assert await keys.value() == f"0000  {'1b 5b 33 31 6d 72 65 64':47}  .[31mred"
    await keys.page.click("as-text")
    assert await keys.value() == "U+001B[31mred"
    await keys.choose("crlf")
    assert await keys.value() == "aU+000D\nb"


@pytest_twisted.ensureDeferred
async def test_ways_are_changed_with_the_keyboard(browser: Browser, stage: Stage) -> None:
    store(stage, k=b'{"a": 1}')
    keys = await KeysPage.open(browser, stage, key="k")
    await keys.shown("value-view")
    await keys.page.evaluate("document.getElementById('as-json').focus()")
    await keys.page.press("ArrowRight", 39)
    assert await keys.page.evaluate(CHECKED) == "as-hex"
    assert (await keys.value()).startswith("0000  ")


@pytest_twisted.ensureDeferred
async def test_long_values_are_shown_in_part_and_saved_whole(browser: Browser, stage: Stage, tmp_path: Path) -> None:
    long_text, long_bytes = "é".encode() * 200_000, bytes(range(256)) * 100
    store(stage, long=long_text, **{"logs/a b?.bin": long_bytes})
    keys = await KeysPage.open(browser, stage, key="long")
    await keys.shown("value-view")
    assert await keys.value() == "é" * 32 * 1024
    assert (await keys.page.text("viewer-hint")).startswith("The first 64.0 KiB (65,536 bytes) of 390.6 KiB")
    assert await keys.page.text("edit") == "Replace…"
    await keys.choose("logs/a b?.bin")
    assert (await keys.value()).count("\n") == 1023, "sixteen bytes a line, and the first 16 KiB"
    saved = await browser.save_to(tmp_path)
    await keys.page.click("download")
    await saved
    assert (tmp_path / "a b_.bin").read_bytes() == long_bytes


@pytest_twisted.ensureDeferred
async def test_keys_and_values_are_copied_exactly(browser: Browser, stage: Stage) -> None:
    store(stage, **{"\u202ekey": "va\u200blue\x1b".encode(), "binary": b"\xff\x00"})
    keys = await KeysPage.open(browser, stage, key="\u202ekey")
    await keys.shown("value-view")
    await keys.page.evaluate(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async (text) => { window.copied = text; }}})"
    )
    await keys.press("copy-key", "The key is in")
    assert await keys.page.evaluate("copied") == "\u202ekey"
    await keys.press("copy-value", "The value is in")
    assert await keys.page.evaluate("copied") == "va\u200blue\x1b"
    await keys.choose("binary")
    await keys.press("copy-value", "The value is in the clipboard, in base64")
    assert base64.b64decode(await keys.page.evaluate("copied")) == b"\xff\x00"


@pytest_twisted.ensureDeferred
async def test_without_a_clipboard_copying_goes_another_way_or_says_what_to_do(browser: Browser, stage: Stage) -> None:
    store(stage, k=b"value")
    keys = await KeysPage.open(browser, stage, key="k")
    await keys.shown("value-view")
    await keys.page.evaluate(
        """(() => {
            Object.defineProperty(navigator, "clipboard", {value: undefined});
            document.execCommand = () => { window.copied = document.activeElement.value; return window.allowed; };
            window.allowed = true;
        })()"""
    )
    await keys.press("copy-value", "The value is in")
    assert await keys.page.evaluate("copied") == "value"
    await keys.page.evaluate("window.allowed = false")
    assert "press Ctrl+C" in await keys.press("copy-value", "The browser does not let")


@pytest_twisted.ensureDeferred
async def test_an_empty_value_is_said_to_be_empty(browser: Browser, stage: Stage) -> None:
    store(stage, k=b"")
    keys = await KeysPage.open(browser, stage, key="k")
    await keys.shown("value-view")
    assert await keys.page.text("viewer-hint") == "The value is empty."
    assert await keys.page.text("meta-size") == "0 bytes"


@pytest_twisted.ensureDeferred
async def test_the_newest_choice_wins_over_a_slower_one(browser: Browser, stage: Stage) -> None:
    store(stage, slow=b"slow", fast=b"fast")
    keys = await KeysPage.open(browser, stage)
    await keys.page.evaluate(
        """(() => {
            const real = window.fetch;
            window.fetch = async (path, options) => {
                const answer = await real(path, options);
                if (String(path).includes("/kv/slow")) await new Promise((resolve) => { window.release = resolve; });
                return answer;
            };
        })()"""
    )
    await keys.press_row("slow")
    await keys.page.until("window.release !== undefined")
    await keys.choose("fast")
    await keys.page.evaluate("(release(), new Promise((resolve) => setTimeout(resolve, 0)))")
    assert (await keys.page.text("viewer-title"), await keys.value()) == ("fast", "fast")
    assert await keys.page.evaluate("location.hash") == "#keys/fast"
