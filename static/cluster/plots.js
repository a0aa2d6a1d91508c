// Live plots of what the cluster and this node do: uPlot draws the lines; names and numbers are text beside them.

import { $, addPair, element, setText } from "../dom.js";
import { milliseconds, perSecond, tick } from "./figures.js";
import { columns, lonely, merged, SPAN_S } from "./rates.js";
import { timeOfDay } from "../text.js";

const HEIGHT_PX = 156;
const TICK_S = 60;
const AXIS_FONT = "11px system-ui, sans-serif";
/** A plot of an idle cluster is a flat line, not its noise in full height. */
const LEAST_TOP = 10;

/** Lines are told apart by their dashes too: not everybody sees the colours. Dashes are in CSS pixels. */
const SOLID = [];
const DASHED = [7, 4];
const DOTTED = [2, 3];
const MIXED = [8, 3, 2, 3];

const PLOTS = [
  {
    id: "plot-writes",
    title: "Writes in the cluster",
    unit: "per second",
    say: perSecond,
    lines: [{ field: "writes_applied_per_s", name: "Applied", colour: "--plot-put", dash: SOLID, isFilled: true }],
  },
  {
    id: "plot-requests",
    title: "Answered by this node",
    unit: "per second",
    say: perSecond,
    lines: [
      { field: "gets_per_s", name: "Reads", colour: "--plot-get", dash: DASHED },
      { field: "puts_per_s", name: "Writes", colour: "--plot-put", dash: SOLID },
      { field: "deletes_per_s", name: "Deletes", colour: "--plot-delete", dash: DOTTED },
    ],
  },
  {
    id: "plot-latency",
    title: "Latency at this node",
    unit: "milliseconds",
    say: milliseconds,
    lines: [
      { field: "put_p50_ms", name: "PUT p50", colour: "--plot-put", dash: SOLID },
      { field: "put_p99_ms", name: "PUT p99", colour: "--plot-put", dash: DASHED },
      { field: "get_p50_ms", name: "GET p50", colour: "--plot-get", dash: DOTTED },
      { field: "get_p99_ms", name: "GET p99", colour: "--plot-get", dash: MIXED },
    ],
  },
];

/** Makes the plots; returns `add(samples)` for samples as they come, and `clear()` for when another node answers. */
export function startPlots() {
  const plots = PLOTS.map(makePlot);
  let samples = [];
  let frame = 0;
  const show = () => {
    frame = 0;
    for (const plot of plots) plot.show(samples);
  };
  // Once a frame: a tab that comes back gets many samples at once.
  const showSoon = () => {
    frame ||= requestAnimationFrame(show);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach((plot) => plot.redraw()));
  return {
    add(came) {
      samples = merged(samples, came);
      showSoon();
    },
    clear() {
      samples = [];
      showSoon();
    },
  };
}

function makePlot(plan) {
  const root = $(plan.id);
  const head = root.appendChild(element("h3", "plot-title"));
  head.append(`${plan.title} `);
  const unit = head.appendChild(element("span", "plot-unit"));
  const picture = root.appendChild(element("div", "plot-picture"));
  picture.setAttribute("role", "img");
  const legend = root.appendChild(element("dl", "legend"));
  const values = plan.lines.map((line) => addPair(legend, swatch(line), line.name));
  let newest = null;

  /** Says the newest numbers and their unit, or those of the row that the mouse points at and their time: no longer text. */
  const say = (row) => {
    const at = row === null ? undefined : chart.data[0][row];
    const sample = at === undefined ? newest : sampleAt(chart, plan, row);
    plan.lines.forEach(({ field }, position) => setText(values[position], plan.say(sample?.[field])));
    setText(unit, at === undefined ? plan.unit : `at ${timeOfDay(new Date(at * 1000))}`);
  };
  const chart = makeChart(plan, picture, say);
  say(null);
  new ResizeObserver(([{ contentRect }]) => {
    if (contentRect.width > 0) chart.setSize({ width: Math.floor(contentRect.width), height: HEIGHT_PX });
  }).observe(picture);

  return {
    show(samples) {
      newest = samples.at(-1) ?? null;
      chart.setData(columns(samples, plan.lines.map(({ field }) => field)));
      root.classList.toggle("is-empty", newest === null);
      say(chart.cursor.idx ?? null);
      picture.setAttribute("aria-label", spoken(plan, newest));
    },
    redraw: () => chart.redraw(),
  };
}

function spoken(plan, sample) {
  const said = plan.lines.map(({ field, name }) => `${name} ${plan.say(sample?.[field])}`);
  return `Plot, last five minutes. ${plan.title}, ${plan.unit}, now: ${said.join(", ")}.`;
}

function sampleAt(chart, plan, row) {
  return Object.fromEntries(plan.lines.map(({ field }, position) => [field, chart.data[position + 1]?.[row]]));
}

/** A line as it is drawn, for the legend. */
function swatch({ colour, dash }) {
  const make = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
    return made;
  };
  const picture = make("svg", { class: `swatch ${colour.slice(2)}`, width: 24, height: 8, "aria-hidden": "true" });
  picture.append(make("line", { x1: 1, x2: 23, y1: 4, y2: 4, "stroke-dasharray": dash.join(" ") }));
  return picture;
}

/** A chart; `onPoint(row)` is called with the row that the mouse points at, and null when it has left. */
function makeChart(plan, picture, onPoint) {
  const options = {
    width: picture.clientWidth || 320,
    height: HEIGHT_PX,
    padding: [8, 10, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 }, sync: { key: "rates" } },
    scales: {
      x: { time: true, range: (_chart, _first, last) => [(last ?? Date.now() / 1000) - SPAN_S, last ?? Date.now() / 1000] },
      y: { range: (_chart, _least, most) => [0, Math.max(LEAST_TOP, most ?? 0) * 1.08] },
    },
    axes: [timeAxis(), valueAxis()],
    series: [{}, ...plan.lines.map((line) => series(line))],
    hooks: { setCursor: [(chart) => onPoint(chart.cursor.idx ?? null)] },
  };
  return new globalThis.uPlot(options, [[], ...plan.lines.map(() => [])], picture);
}

function series({ colour, dash, isFilled }) {
  return {
    stroke: () => colourOf(colour),
    fill: isFilled ? () => `${colourOf(colour)}22` : undefined,
    width: 1.6,
    dash,
    points: { show: false, size: 4, filter: (chart, row, isShown) => (isShown ? null : lonely(chart.data[row])) },
  };
}

function timeAxis() {
  return { ...axis(), size: 28, gap: 9, incrs: [TICK_S], values: (_chart, times) => times.map(hourAndMinute), space: 40 };
}

function valueAxis() {
  return { ...axis(), size: 40, space: 32, values: (_chart, values) => values.map(tick) };
}

function axis() {
  const line = () => colourOf("--line");
  return {
    stroke: () => colourOf("--muted"),
    font: AXIS_FONT,
    gap: 4,
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
  };
}

function hourAndMinute(seconds) {
  return timeOfDay(new Date(seconds * 1000)).slice(0, -":00".length);
}

function colourOf(property) {
  return getComputedStyle(document.documentElement).getPropertyValue(property).trim();
}
