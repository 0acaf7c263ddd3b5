// @ts-check

import uPlot from "/dashboard/uplot/uPlot.esm.js";
import { byId } from "./dom.js";

/** Two charts over time, redrawn in the colours of the theme and the size of their place. */

const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
/** Apps are counted whole. */
const steps = [1, 10, 100, 1_000, 10_000, 100_000].flatMap((power) => [power, 2 * power, 5 * power]);

/** @param {string} id @param {string} label @param {boolean} isBars */
export function chart(id, label, isBars) {
  const place = byId(id);
  /** @type {[number[], number[]]} */
  let data = [[], []];
  /** @type {uPlot | null} */
  let plot = null;

  const size = () => ({ width: Math.max(200, place.clientWidth), height: Math.max(150, place.clientHeight) });

  function draw() {
    const colour = (/** @type {string} */ name) => resolved(`var(--${name})`);
    const [accent, quiet, line] = [colour("accent"), colour("quiet"), colour("line")];
    const axis = {
      stroke: quiet,
      grid: { stroke: line, width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    const timeAxis = {
      ...axis,
      space: 70,
      size: 30,
      values: (
        /** @type {unknown} */ _,
        /** @type {number[]} */ times,
        /** @type {unknown} */ __,
        /** @type {unknown} */ ___,
        /** @type {number} */ step,
      ) => times.map((at) => (step < 60 ? seconds : hours).format(at * 1000)),
    };
    const bars = isBars && uPlot.paths.bars?.({ size: [0.7, 12] });
    plot?.destroy();
    plot = new uPlot(
      {
        ...size(),
        legend: { show: false },
        cursor: { show: false },
        // On the right for half of the last time.
        padding: [8, 28, 0, 0],
        scales: {
          ...(bars && {
            // Room for the halves of the first and the last one; the last hour while there is none.
            x: {
              range: (/** @type {unknown} */ _, /** @type {number} */ min, /** @type {number} */ max) => [
                (data[0].length > 0 ? min : Date.now() / 1000 - 3_600) - 30,
                (data[0].length > 0 ? max : Date.now() / 1000) + 30,
              ],
            },
          }),
          y: {
            range: (/** @type {unknown} */ _, /** @type {number} */ _min, /** @type {number} */ max) => [
              0,
              Math.max(1, max * 1.1),
            ],
          },
        },
        axes: [timeAxis, { ...axis, size: 46, incrs: steps }],
        series: [
          {},
          {
            label,
            stroke: accent,
            width: isBars ? 0 : 1.5,
            fill: isBars ? accent : `${accent.replace("rgb(", "rgba(").replace(")", ", 0.14)")}`,
            points: { show: false },
            ...(bars && { paths: bars }),
          },
        ],
      },
      data,
      place,
    );
  }
  new ResizeObserver(() => plot?.setSize(size())).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  document.addEventListener("theme", draw);
  draw();

  return {
    /** @param {[number[], number[]]} next */
    set(next) {
      data = next;
      plot?.setData(data);
    },
  };
}

/** A colour of the style sheet as `rgb(…)`, which a canvas understands. @param {string} value */
function resolved(value) {
  const probe = document.createElement("span");
  probe.style.color = value;
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
