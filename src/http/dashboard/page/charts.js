// @ts-check

import uPlot from "/dashboard/uplot/uPlot.esm.js";
import { byId } from "./dom.js";

/** Two charts over time, redrawn in the colours of the theme and the width of their place. */

/** @param {string} id @param {string} label @param {boolean} isBars */
export function chart(id, label, isBars) {
  const place = byId(id);
  /** @type {[number[], number[]]} */
  let data = [[], []];
  /** @type {uPlot | null} */
  let plot = null;

  function draw() {
    const colour = (/** @type {string} */ name) => resolved(`var(--${name})`);
    const [accent, quiet, line] = [colour("accent"), colour("quiet"), colour("line")];
    const axis = {
      stroke: quiet,
      grid: { stroke: line, width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    const bars = isBars && uPlot.paths.bars?.({ size: [0.7, 12] });
    plot?.destroy();
    plot = new uPlot(
      {
        width: Math.max(200, place.clientWidth),
        height: 150,
        legend: { show: false },
        cursor: { show: false },
        scales: {
          y: {
            range: (/** @type {unknown} */ _, /** @type {number} */ _min, /** @type {number} */ max) => [
              0,
              Math.max(1, max * 1.1),
            ],
          },
        },
        axes: [axis, { ...axis, size: 46 }],
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
  new ResizeObserver(() => plot?.setSize({ width: Math.max(200, place.clientWidth), height: 150 })).observe(place);
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
