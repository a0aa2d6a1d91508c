"""The plots: what they are made of, and that they are drawn, said and drawn again."""

import json

import pytest_twisted

from tests.dashboard.browser import Browser, Page
from tests.dashboard.page_clock import ClockedPage
from tests.dashboard.stage import Stage

DASH = "\u2013"

SAID = {
    "perSecond(0)": "0",
    "perSecond(0.52)": "0.5",
    "perSecond(12)": "12",
    "perSecond(12.34)": "12.3",
    "perSecond(1234.5)": "1,235",
    "perSecond(null)": DASH,
    "tick(12000)": "12k",
    "tick(2.5)": "2.5",
    "milliseconds(0.834)": "0.83 ms",
    "milliseconds(12.34)": "12.3 ms",
    "milliseconds(1240)": "1,240 ms",
    "milliseconds(undefined)": DASH,
}


async def load(page: Page, name: str) -> None:
    await page.evaluate(f"import('/static/cluster/{name}.js').then((module) => {{ window.{name} = module; }})")


async def ink(page: Page, plot: str) -> str:
    """Return the pixels of a plot."""
    return await page.evaluate(f"document.querySelector('#{plot} canvas').toDataURL()")


@pytest_twisted.ensureDeferred
async def test_figures_are_said_like_this(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await load(page, "figures")
    assert {expression: await page.evaluate(f"figures.{expression}") for expression in SAID} == SAID


@pytest_twisted.ensureDeferred
async def test_samples_are_kept_for_five_minutes_and_a_gap_stays_a_gap(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await load(page, "rates")
    kept = json.dumps([{"at": at, "gets_per_s": at} for at in (1, 200, 201)])
    came = json.dumps([{"at": at, "gets_per_s": 7} for at in (201, 202, 310)])
    merged = await page.evaluate(f"rates.merged({kept}, {came})")
    assert [(sample["at"], sample["gets_per_s"]) for sample in merged] == [(200, 200), (201, 7), (202, 7), (310, 7)]
    assert await page.evaluate(f"rates.merged({kept}, [])") == json.loads(kept)
    set_back = await page.evaluate(f"rates.merged({kept}, [200, 201, 150, 151].map((at) => ({{at}})))")
    assert [sample["at"] for sample in set_back] == [1, 150, 151], "times only grow, or a plot is a tangle"
    times, gets, puts = await page.evaluate(f"rates.columns({json.dumps(merged)}, ['gets_per_s', 'puts_per_s'])")
    assert times == [200, 201, 202, 256, 310]
    assert gets == [200, 7, 7, None, 7]
    assert puts == [None] * 5
    assert await page.evaluate(f"rates.lonely({json.dumps(gets)})") == [4]


@pytest_twisted.ensureDeferred
async def test_requests_show_in_the_plots_their_numbers_and_their_names(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.until("document.querySelectorAll('.plot canvas').length === 3")
    empty = {plot: await ink(page, plot) for plot in ("plot-requests", "plot-latency")}
    await page.evaluate("window.load = setInterval(() => fetch('/kv/k', {method: 'PUT', body: 'v'}), 40), null")
    shown = "document.querySelectorAll('#plot-requests dd')[1].textContent"
    await page.until(f"![{json.dumps(DASH)}, '0'].includes({shown})")
    await page.until("document.querySelector('#plot-latency dd').textContent.endsWith(' ms')")
    await page.evaluate("clearInterval(window.load)")
    for plot, before in empty.items():
        await page.until(f"document.querySelector('#{plot} canvas').toDataURL() !== {json.dumps(before)}")
        label = await page.evaluate(f"document.querySelector('#{plot} [role=img]').getAttribute('aria-label')")
        assert label.startswith("Plot, last five minutes.")
    names = "[...document.querySelectorAll('.plot dt')].map((name) => name.textContent)"
    latencies = ["PUT p50", "PUT p99", "GET p50", "GET p99"]
    assert await page.evaluate(names) == ["Applied", "Reads", "Writes", "Deletes", *latencies]


@pytest_twisted.ensureDeferred
async def test_lines_of_one_plot_differ_in_more_than_colour(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.until("document.querySelectorAll('.swatch line').length === 8")
    dashes = await page.evaluate(
        """[...document.querySelectorAll(".plot")].map(
            (plot) => [...plot.querySelectorAll("line")].map((line) => line.getAttribute("stroke-dasharray")))"""
    )
    assert all(len(set(plot)) == len(plot) for plot in dashes)


@pytest_twisted.ensureDeferred
async def test_plots_follow_the_window_and_the_colours(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    await page.until("document.querySelectorAll('.plot canvas').length === 3")
    fits = """[...document.querySelectorAll(".plot-picture")].every(
        (picture) => Math.abs(picture.clientWidth - picture.querySelector(".uplot").clientWidth) <= 1)"""
    for width in (1280, 390, 2000):
        await page.size(width, 900)
        await page.until(f"innerWidth === {width} && {fits}")
    await page.colours("light")
    light = await ink(page, "plot-writes")
    await page.colours("dark")
    await page.until(f"document.querySelector('#plot-writes canvas').toDataURL() !== {json.dumps(light)}")


@pytest_twisted.ensureDeferred
async def test_the_licence_of_the_plotting_library_is_served_beside_it(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    licence = await page.evaluate(
        "fetch('/static/vendor/uplot/LICENSE-uPlot-1.6.32.txt').then((answer) => answer.text())"
    )
    assert "The MIT License (MIT)" in licence
    assert "uPlot (v1.6.32)" in await page.evaluate(
        "fetch('/static/vendor/uplot/uPlot.iife.min.js').then((answer) => answer.text())"
    )


CHARTS = """(() => {
    let real;
    window.charts = [];
    Object.defineProperty(window, "uPlot", {
        get: () => real && class { constructor(...parts) { const made = new real(...parts); charts.push(made); return made; } },
        set: (script) => { real = script; },
    });
})();"""
"""Takes note of the charts that are made."""
FRAME = "new Promise((resolve) => requestAnimationFrame(() => resolve(null)))"
"""The page has drawn what it was about to draw."""
PLOTTED = "charts.map((chart) => chart.data[0])"


def samples(begin: float, *values: float) -> list[dict[str, float]]:
    """Return samples of each second from a time on, with a number of reads in each second."""
    return [
        {"number": number, "at": begin + number, "gets_per_s": value} for number, value in enumerate(values, start=1)
    ]


@pytest_twisted.ensureDeferred
async def test_the_plots_of_one_node_have_nothing_of_another(browser: Browser, stage: Stage) -> None:
    clocked = await ClockedPage.load(browser, stage.url(), streams=True, before=CHARTS)
    page = clocked.page
    await page.evaluate(f"node.told.rates.samples = {json.dumps(samples(1000, 5, 6, 7))}")
    assert await clocked.pass_until("document.getElementById('live').dataset.state === 'live'", 1000) is not None
    await page.evaluate(FRAME)
    assert await page.evaluate(PLOTTED) == [[1001, 1002, 1003]] * 3
    other = json.dumps(samples(1010, 8, 9))
    await page.evaluate(f"node.told.cluster.status.node_id = 'node2'; node.told.rates.samples = {other}; node.speak()")
    assert await page.text("served-node") == "node2"
    await page.evaluate(FRAME)
    assert await page.evaluate(PLOTTED) == [[1011, 1012]] * 3


@pytest_twisted.ensureDeferred
async def test_pointing_at_a_plot_tells_the_numbers_of_that_moment(browser: Browser, stage: Stage) -> None:
    page = await browser.open(stage.url())
    unit = "document.querySelector('#plot-latency .plot-unit').textContent"
    await page.until(f"{unit} === 'milliseconds'")
    await page.until("document.querySelector('#plot-writes dd').textContent !== '\u2013'")
    x, y = await page.evaluate(
        """(() => {
            const box = document.querySelector("#plot-requests .u-over").getBoundingClientRect();
            return [box.right - 2, box.top + 2];
        })()"""
    )
    # A move is what is between two places.
    await page.command("Input.dispatchMouseEvent", type="mouseMoved", x=x - 9, y=y)
    await page.command("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    await page.until(f"/^at \\d\\d:\\d\\d:\\d\\d$/.test({unit})")
    await page.command("Input.dispatchMouseEvent", type="mouseMoved", x=5, y=5)
    await page.until(f"{unit} === 'milliseconds'")
