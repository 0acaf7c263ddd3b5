// @ts-check
import { el, fill, svg } from "./dom.js";
import { count, hourOfDay, timeOfDay, zone } from "./format.js";

/**
 * A chart over time, as SVG in the colours of the theme: its range and zone, the highest value, the average as a dashed line, and the value
 * under the pointer.
 *
 * @typedef {[at: number, value: number][]} Points milliseconds since 1970, oldest first
 * @typedef {{ element: HTMLElement, set(points: Points): void }} Chart
 */

const margin = { top: 18, right: 2, bottom: 20, left: 34 };

/**
 * @param {object} options
 * @param {string} options.label what is counted, for those who cannot see it
 * @param {string} options.unit of the tooltip: `apps a minute`
 * @param {string} options.empty shown before the first value
 * @param {number} [options.height] in pixels
 * @param {AbortSignal} options.signal ends its observer
 * @returns {Chart}
 */
export function timeChart({ label, unit, empty, height = 112, signal }) {
  const plot = svg("svg", { class: "plot", role: "img", height });
  const tip = el("span", { class: "tip", hidden: true });
  const note = el("p", { class: "empty" }, empty);
  const element = el("div", { class: "chart" }, plot, tip, note);
  /** @type {Points} */
  let points = [];

  function draw() {
    const hasPoints = points.length > 1 && points.some(([, value]) => value > 0);
    plot.toggleAttribute("hidden", !hasPoints);
    note.hidden = hasPoints;
    if (!hasPoints) return;
    const scale = scaleOf(points, { width: element.clientWidth, height });
    plot.setAttribute("width", String(element.clientWidth));
    plot.setAttribute("aria-label", summary(label, unit, points));
    fill(plot, ...shapes(points, scale));
  }

  /** @param {PointerEvent} event */
  function point(event) {
    const { x, width } = scaleOf(points, { width: element.clientWidth, height });
    const at = event.clientX - element.getBoundingClientRect().left;
    const nearest = points.reduce((best, next) =>
      Math.abs(x(next[0]) - at) < Math.abs(x(best[0]) - at) ? next : best,
    );
    const [time, value] = nearest;
    tip.textContent = `${timeOfDay(time)} ${zone()}: ${count(value)} ${unit}`;
    tip.hidden = false;
    // Beside the pointer, on the side that has room.
    const left = x(time);
    tip.style.left = left < width / 2 ? `${left + 8}px` : "auto";
    tip.style.right = left < width / 2 ? "auto" : `${width - left + 8}px`;
  }

  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerleave", () => (tip.hidden = true));
  const observer = new ResizeObserver(draw);
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect());
  return {
    element,
    set(next) {
      points = next;
      draw();
    },
  };
}

/** @param {Points} points */
const averageOf = (points) => points.reduce((sum, [, value]) => sum + value, 0) / Math.max(1, points.length);

/** @param {string} label @param {string} unit @param {Points} points */
function summary(label, unit, points) {
  const [first, last] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0];
  const highest = Math.max(...points.map(([, value]) => value));
  const range = `${hourOfDay(first)} to ${hourOfDay(last)} ${zone()}`;
  return `${label}, ${range}: ${count(Math.round(averageOf(points)))} ${unit} on average, ${count(highest)} at most`;
}

/** @param {Points} points @param {{ width: number, height: number }} size */
function scaleOf(points, { width, height }) {
  const [from, to] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0];
  const highest = Math.max(1, ...points.map(([, value]) => value));
  const { top, right, bottom, left } = margin;
  return {
    width,
    height,
    highest,
    x: (/** @type {number} */ at) => left + ((at - from) / Math.max(1, to - from)) * (width - left - right),
    y: (/** @type {number} */ value) => height - bottom - (value / highest) * (height - top - bottom),
  };
}

/** Ranges below this are labelled to the second. */
const shortRangeMs = 300_000;

/** @param {Points} points @param {ReturnType<typeof scaleOf>} scale */
function shapes(points, { width, height, highest, x, y }) {
  const [from, to] = [points[0]?.[0] ?? 0, points.at(-1)?.[0] ?? 0];
  const [left, right] = [x(from), x(to)];
  const line = points.map(([at, value]) => `${x(at).toFixed(1)},${y(value).toFixed(1)}`).join("L");
  const average = averageOf(points);
  const time = to - from < shortRangeMs ? timeOfDay : hourOfDay;
  /** @param {string} content @param {number} atX @param {number} atY @param {"start" | "end"} anchor */
  const text = (content, atX, atY, anchor) => svg("text", { x: atX, y: atY, "text-anchor": anchor }, content);
  return [
    svg("path", { class: "area", d: `M${left},${y(0)}L${line}L${right},${y(0)}Z` }),
    svg("path", { class: "line", d: `M${line}` }),
    svg("path", { class: "average", d: `M${left},${y(average)}H${right}` }),
    text(`average ${whole(average)}`, width - margin.right, 10, "end"),
    text(whole(highest), margin.left - 8, margin.top + 4, "end"),
    text("0", margin.left - 8, y(0) + 1, "end"),
    text(time(from), left, height - 4, "start"),
    text(`${time(to)} ${zone()}`, right, height - 4, "end"),
  ];
}

/** @param {number} value */
const whole = (value) => count(value < 10 ? value : Math.round(value));
