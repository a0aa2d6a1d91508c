"""The lines of the plots are there: pixels of each one's colour, in light, in dark, and after a change of the two."""

from __future__ import annotations

import json

import pytest_twisted

from tests.dashboard.browser import Browser, Page
from tests.dashboard.stage import Stage

SAMPLES = 300
"""One each second: the whole width of a plot."""
VALUE = 6
"""Somewhere in the middle: a plot goes up to 10 at least."""
MORE_THAN = 60
"""Pixels of one line. Plots are 300 wide or more; of the line with the most gaps, two fifths are drawn."""

LINES = {
    "plot-writes": ["writes_applied_per_s"],
    "plot-requests": ["gets_per_s", "puts_per_s", "deletes_per_s"],
    "plot-latency": ["put_p50_ms", "put_p99_ms", "get_p50_ms", "get_p99_ms"],
}
"""The plots and what their lines show, in the order of their legends."""

OWN_PLOTS = """import("/static/cluster/plots.js").then(({startPlots}) => {
    for (const root of document.querySelectorAll(".plot")) root.replaceChildren();
    window.plots = startPlots();
})"""
"""Plots that hear of nobody but the test, in the place of the page's own."""

HELPERS = """(() => {
    /** The colour that the legend shows for a line, as the browser has computed it: [red, green, blue], or null. */
    window.colourOf = (plot, line) => {
        const stroke = getComputedStyle(document.querySelectorAll(`#${plot} .swatch`)[line]).stroke;
        return /^rgb\\((\\d+), (\\d+), (\\d+)\\)$/.exec(stroke)?.slice(1).map(Number) ?? null;
    };
    /** How many pixels of a plot are of a colour, not much paler. Letters, grid and fill are of others. */
    window.pixelsOf = (plot, colour) => {
        const {width, height} = document.querySelector(`#${plot} canvas`);
        const {data} = document.querySelector(`#${plot} canvas`).getContext("2d").getImageData(0, 0, width, height);
        let number = 0;
        for (let at = 0; at < data.length; at += 4) {
            const near = colour.every((wanted, part) => Math.abs(data[at + part] - wanted) <= 4);
            if (near && data[at + 3] >= 128) number += 1;
        }
        return number;
    };
    /** Shows samples of which only one number is known, or none at all. */
    window.showOnly = async (field) => {
        plots.clear();
        if (field !== null) plots.add(Array.from({length: %d}, (_, second) => ({at: 1_764_000_000 + second, [field]: %d})));
        for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
    };
})()"""


async def open_plots(browser: Browser, stage: Stage, scheme: str) -> Page:
    page = await browser.open(stage.url())
    await page.colours(scheme)
    await page.until("document.querySelectorAll('.plot canvas').length === 3")
    await page.evaluate(OWN_PLOTS)
    await page.evaluate(HELPERS % (SAMPLES, VALUE))
    return page


async def colour(page: Page, plot: str, line: int) -> list[int]:
    found = await page.evaluate(f"colourOf({plot!r}, {line})")
    assert found is not None, f"line {line} of {plot} has no opaque colour"
    return found


async def pixels(page: Page, plot: str, wanted: list[int]) -> int:
    return await page.evaluate(f"pixelsOf({plot!r}, {json.dumps(wanted)})")


async def each_line_is_drawn(page: Page) -> None:
    for plot, fields in LINES.items():
        for line, field in enumerate(fields):
            wanted = await colour(page, plot, line)
            await page.evaluate("showOnly(null)")
            assert await pixels(page, plot, wanted) == 0, field
            await page.evaluate(f"showOnly({field!r})")
            assert await pixels(page, plot, wanted) > MORE_THAN, field


@pytest_twisted.ensureDeferred
async def test_each_line_is_drawn_in_its_colour_in_light_and_in_dark(browser: Browser, stage: Stage) -> None:
    page = await open_plots(browser, stage, "light")
    light = await colour(page, "plot-writes", 0)
    await each_line_is_drawn(page)
    await page.colours("dark")
    assert await colour(page, "plot-writes", 0) != light
    await each_line_is_drawn(page)


@pytest_twisted.ensureDeferred
async def test_what_is_drawn_changes_its_colour_with_the_scheme(browser: Browser, stage: Stage) -> None:
    page = await open_plots(browser, stage, "dark")
    for plot, (field, *_) in LINES.items():
        await page.colours("dark")
        await page.evaluate(f"showOnly({field!r})")
        dark = await colour(page, plot, 0)
        assert await pixels(page, plot, dark) > MORE_THAN
        await page.colours("light")
        light = await colour(page, plot, 0)
        await page.until(f"pixelsOf({plot!r}, {light}) > {MORE_THAN}")
        assert await pixels(page, plot, dark) == 0


@pytest_twisted.ensureDeferred
async def test_values_that_stand_alone_are_dots(browser: Browser, stage: Stage) -> None:
    page = await open_plots(browser, stage, "light")
    wanted = await colour(page, "plot-writes", 0)
    lonely = [{"at": 1_764_000_000 + second, "writes_applied_per_s": VALUE} for second in (0, 100, 200)]
    await page.evaluate(f"plots.clear(); plots.add({json.dumps(lonely)})")
    await page.until(f"pixelsOf('plot-writes', {wanted}) >= {3 * len(lonely)}")
