// @ts-check

import uPlot from "/dashboard/uplot/uPlot.esm.js";
import { byId } from "./dom.js";

/**
 * Two charts over time, drawn with uPlot in the colours of the theme and resized with their container.
 *
 * @typedef {[number[], number[]]} Series unix seconds and values
 * @typedef {{ accent: string, quiet: string, line: string }} Colours
 */

const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
/** Grid steps: apps are whole numbers. */
const wholeSteps = [1, 10, 100, 1_000, 10_000, 100_000].flatMap((power) => [power, 2 * power, 5 * power]);

/** @param {string} id @param {string} label */
export const lineChart = (id, label) => createChart(id, (colours) => lineOptions(label, colours));

/** @param {string} id @param {string} label */
export const barChart = (id, label) => createChart(id, (colours, data) => barOptions(label, colours, data));

/**
 * @param {string} id of the container
 * @param {(colours: Colours, data: () => Series) => Omit<uPlot.Options, "width" | "height">} optionsFor
 */
function createChart(id, optionsFor) {
  const container = byId(id);
  /** @type {Series} */
  let data = [[], []];
  /** @type {uPlot | null} */
  let plot = null;

  const size = () => ({ width: Math.max(200, container.clientWidth), height: Math.max(150, container.clientHeight) });
  // uPlot fixes colours at creation, so a change of theme needs a new plot.
  const draw = () => {
    plot?.destroy();
    plot = new uPlot({ ...size(), ...optionsFor(themeColours(), () => data) }, data, container);
  };
  new ResizeObserver(() => plot?.setSize(size())).observe(container);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.addEventListener("theme", draw);
  draw();

  return {
    /** @param {Series} next */
    set(next) {
      data = next;
      plot?.setData(data);
    },
  };
}

/** @param {string} label @param {Colours} colours */
function lineOptions(label, colours) {
  const fill = colours.accent.replace("rgb(", "rgba(").replace(")", ", 0.14)");
  const line = { label, stroke: colours.accent, width: 1.5, fill, points: { show: false } };
  return { ...commonOptions(colours), series: [{}, line] };
}

/** @param {string} label @param {Colours} colours @param {() => Series} data */
function barOptions(label, colours, data) {
  const paths = uPlot.paths.bars?.({ size: [0.7, 12] });
  const { accent } = colours;
  const bars = { label, stroke: accent, width: 0, fill: accent, points: { show: false }, ...(paths && { paths }) };
  const common = commonOptions(colours);
  // 30 s on each side for half of the first and last bar; without data, the last hour.
  const x = {
    range: (/** @type {unknown} */ _, /** @type {number} */ min, /** @type {number} */ max) => {
      const now = Date.now() / 1000;
      const [from, to] = data()[0].length > 0 ? [min, max] : [now - 3_600, now];
      return /** @type {[number, number]} */ ([from - 30, to + 30]);
    },
  };
  return { ...common, scales: { ...common.scales, ...(paths && { x }) }, series: [{}, bars] };
}

/** @param {Colours} colours */
function commonOptions({ quiet, line }) {
  const axis = {
    stroke: quiet,
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif",
  };
  /** @type {uPlot.Axis.DynamicValues} */
  const timeLabels = (_plot, times, _axis, _space, step) =>
    times.map((at) => (step < 60 ? seconds : hours).format(at * 1000));
  /** @type {uPlot.Range.Function} */
  const fromZero = (_plot, _min, max) => [0, Math.max(1, max * 1.1)];
  return {
    legend: { show: false },
    cursor: { show: false },
    // The right padding holds half of the last time label.
    padding: /** @type {[number, number, number, number]} */ ([8, 28, 0, 0]),
    scales: { y: { range: fromZero } },
    axes: [
      { ...axis, space: 70, size: 30, values: timeLabels },
      { ...axis, size: 46, incrs: wholeSteps },
    ],
  };
}

/** @returns {Colours} */
const themeColours = () => ({
  accent: resolveColour("var(--accent)"),
  quiet: resolveColour("var(--quiet)"),
  line: resolveColour("var(--line)"),
});

/** Resolves a CSS colour to `rgb(…)`, which a canvas accepts. @param {string} value */
function resolveColour(value) {
  const probe = document.createElement("span");
  probe.style.color = value;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
