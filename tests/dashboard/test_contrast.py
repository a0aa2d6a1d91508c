"""Every text that is on the page can be read, in light and in dark: the colours that the browser has computed.

Contrast is that of WCAG 2, section 1.4.3. A text's background is made of all that lies behind it: colours that are partly
transparent, and the opacity of elements, are laid over each other.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import pytest_twisted

from minicloud.kv.commands import Record
from tests.dashboard.browser import Browser, Page
from tests.dashboard.keys_page import KeysPage
from tests.dashboard.proxy import Proxy
from tests.dashboard.stage import Stage
from tests.dashboard.test_files import contrast

LIVE = "document.getElementById('live-text').textContent === 'Live'"
STALE = "document.getElementById('live').dataset.state === 'stale'"
LEAST = 4.5
LEAST_OF_LARGE = 3.0
LARGE_PX = 24.0
LARGE_BOLD_PX = 18.66
"""14 points, from a weight of 700 on."""
DARK = "#808080"
"""Half-way: a page is dark where its background has less luminance than this, and light where it has more."""

FOUND = """(() => {
    const parse = (colour) => {
        const [red, green, blue, alpha = 1] = colour.match(/[\\d.]+/g).map(Number);
        if (!/^rgba?\\(/.test(colour)) throw new Error(`cannot read the colour ${colour}`);
        return [red, green, blue, alpha];
    };
    const over = ([red, green, blue, alpha], below) => [red, green, blue].map((part, at) => alpha * part + (1 - alpha) * below[at]);
    const canvas = document.createElement("span");
    canvas.style.color = "Canvas";
    document.body.append(canvas);
    const base = parse(getComputedStyle(canvas).color).slice(0, 3);
    canvas.remove();
    const chain = (element) => (element === null ? [] : [...chain(element.parentElement), element]);
    const hex = (colour) => `#${colour.map((part) => Math.round(part).toString(16).padStart(2, "0")).join("")}`;

    const grey = ([red, green, blue]) => Array(3).fill(0.2126 * red + 0.7152 * green + 0.0722 * blue);

    /** What one sees of a text in an element, in the style that it has there; `faded` is the opacity of the text alone. */
    const seen = (element, style, faded, text) => {
        let [back, opacity, filter] = [base, 1, (colour) => colour];
        for (const one of chain(element)) {
            const {backgroundColor, opacity: own, filter: named} = getComputedStyle(one);
            if (named === "grayscale(1)") filter = grey;
            else if (named !== "none") throw new Error(`cannot tell what the filter ${named} does`);
            opacity *= Number(own);
            const [red, green, blue, alpha] = parse(backgroundColor);
            back = over([red, green, blue, alpha * opacity], back);
        }
        const [red, green, blue, alpha] = parse(style.color);
        const front = over([red, green, blue, alpha * opacity * faded], back);
        return {name: String(element.id || element.className || element.localName), text: text.trim().slice(0, 40),
            front: hex(filter(front)), back: hex(filter(back)), size: parseFloat(style.fontSize), weight: Number(style.fontWeight)};
    };
    const shown = (element, text) => seen(element, getComputedStyle(element), 1, text);
    const placeholder = (field) => {
        const style = getComputedStyle(field, "::placeholder");
        return seen(field, style, Number(style.opacity), field.placeholder);
    };
    /** Disabled controls, and labels of such, may be pale (section 1.4.3). */
    const inactive = (element) =>
        element.closest(":disabled, [aria-disabled=true]") !== null || element.previousElementSibling?.matches("input:disabled");
    const visible = (element) => element.checkVisibility({visibilityProperty: true}) && element.getClientRects().length > 0
        && !inactive(element) && element.closest(".unseen") === null;
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (texts.nextNode()) {
        const element = texts.currentNode.parentElement;
        if (texts.currentNode.data.trim() === "" || element.closest("noscript") !== null || !visible(element)) continue;
        found.push(shown(element, texts.currentNode.data));
    }
    for (const field of document.querySelectorAll("input:not([type=radio]), textarea")) {
        if (!visible(field)) continue;
        if (field.value) found.push(shown(field, field.value));
        else if (field.placeholder) found.push(placeholder(field));
    }
    return {page: hex(parse(getComputedStyle(document.body).backgroundColor).slice(0, 3)), found};
})()"""


async def is_readable(page: Page, *expected: str) -> None:
    """See that every text can be read in both schemes, and that those which are expected are among them."""
    for scheme in ("light", "dark"):
        await page.colours(scheme)
        await page.until("document.getAnimations().length === 0")  # Colours go over into each other.
        told = await page.evaluate(FOUND)
        is_dark = contrast(told["page"], "#000000") < contrast(DARK, "#000000")
        assert is_dark == (scheme == "dark"), told["page"]
        texts = [one["text"] for one in told["found"]]
        assert set(expected) <= set(texts), texts
        pale = [one for one in told["found"] if contrast(one["front"], one["back"]) < least(one)]
        assert pale == [], scheme


def least(text: dict[str, float]) -> float:
    """Return the contrast that a text of this size and weight needs."""
    is_large = text["size"] >= LARGE_PX or (text["size"] >= LARGE_BOLD_PX and text["weight"] >= 700)
    return LEAST_OF_LARGE if is_large else LEAST


@pytest.fixture
def eventful(stage: Stage) -> Stage:
    """A cluster in which something is wrong, and that has keys."""
    stage.down.add("node3")
    stage.lag.update(node2=3, node3=1200)
    values = {"config/a": b'{"limits": 7}', "greeting": b"Hello", "pay\u200bpal": b"\x00\xff"}
    stage.cluster.store.records.update({key: Record(value, 4, 4, 1) for key, value in values.items()})
    return stage


@pytest_twisted.ensureDeferred
async def test_the_cluster_can_be_read_live_and_stale_and_so_can_its_dialogs(
    browser: Browser, eventful: Stage, make_proxy: Callable[[str], tuple[Proxy, str]]
) -> None:
    proxy, url = make_proxy("pass")
    page = await browser.open(url)
    await page.until(f"{LIVE} && document.querySelectorAll('.node').length === 3")
    await page.until("document.querySelector('#news li') !== null")
    await page.evaluate("document.getElementById('token-box').open = true")
    await is_readable(page, "Quorum held, nothing to spare", "node1", "1,200", "Make leader…", "Bearer token")
    eventful.down.add("node2")
    await page.until("document.getElementById('banner-title').textContent === 'Quorum lost'")
    await is_readable(page, "Quorum lost", "twistd -n minicloud --config …")
    await page.evaluate("document.querySelector('[aria-label=\"Remove node3 from the cluster\"]').click()")
    await is_readable(page, "Remove node3 from the cluster?", "Remove node3", "Cancel")
    await page.click("member-no")
    await page.click("add")
    await is_readable(page, "Add a node", "node4", "Go on…")
    await page.click("add-no")
    proxy.mute(True)
    await page.until(STALE)
    await is_readable(page, "Quorum lost", "node1", "1,200")


@pytest_twisted.ensureDeferred
async def test_keys_and_values_can_be_read_while_they_are_looked_at_edited_compared_and_deleted(
    browser: Browser, eventful: Stage
) -> None:
    keys = await KeysPage.open(browser, eventful)
    page = keys.page
    await is_readable(page, "3 keys", "config/", "greeting", "No key is chosen", "users/")
    await keys.choose("pay\u200bpal")
    await is_readable(page, "U+200B", "Hex", "Replace…")
    await keys.choose("greeting")
    await keys.type_edit("Hello\nyou")
    await is_readable(page, "Hello\nyou", "Save")
    eventful.cluster.store.records["greeting"] = Record(b"Hello\nall", 9, 4, 2)
    page.expect("status of 412")
    await keys.press("put", "Not saved")
    await is_readable(page, "you", "all", "Overwrite theirs")
    await keys.press("overwrite", "Saved")
    await page.click("delete")
    await is_readable(page, "Delete this key?", "Keep it", "Delete")
    await keys.answer("delete-dialog", "no")
    await keys.type_new("", "")
    await is_readable(page, "users/ann", "Text, stored as UTF-8")


@pytest_twisted.ensureDeferred
async def test_an_empty_tree_can_be_read(browser: Browser, stage: Stage) -> None:
    keys = await KeysPage.open(browser, stage)
    await is_readable(keys.page, "No keys yet", "Create a key")
