// @ts-check
import { timeChart } from "../chart.js";
import { el, panel } from "../dom.js";
import { latestMessage, onMessage } from "../live.js";

/** How many apps change: by the minute of the last hour, or by the hour of the last day. @param {AbortSignal} signal */
export function activityPanel(signal) {
  const options = { label: "Changed apps", empty: "The first changes appear here.", signal };
  const hour = timeChart({ ...options, unit: "apps a minute" });
  const day = timeChart({ ...options, unit: "apps an hour" });
  const title = "Changed apps";
  const choices = [
    { label: "by minute", chart: hour, button: choice("1 h", "the last hour, by minute") },
    { label: "by hour", chart: day, button: choice("24 h", "the last 24 hours, by hour") },
  ];
  const unit = el("span", { class: "quiet" });

  /** @param {(typeof choices)[number]} chosen */
  function choose(chosen) {
    for (const each of choices) {
      each.chart.element.hidden = each !== chosen;
      each.button.setAttribute("aria-pressed", String(each === chosen));
    }
    unit.textContent = chosen.label;
    draw();
  }

  // The current minute and hour are not over: shown, they would look like a fall.
  function draw() {
    hour.set((latestMessage("activity") ?? []).slice(0, -1).map(({ minute, apps }) => [Date.parse(minute), apps]));
    day.set((latestMessage("day")?.hours ?? []).slice(0, -1).map(({ hour: at, apps }) => [Date.parse(at), apps]));
  }

  for (const each of choices) each.button.addEventListener("click", () => choose(each));
  onMessage("activity", draw, signal);
  onMessage("day", draw, signal);
  const buttons = el("span", { class: "chips" }, ...choices.map(({ button }) => button));
  const element = panel(title, buttons, hour.element, day.element);
  element.querySelector("h2")?.append(" ", unit);
  choose(/** @type {(typeof choices)[number]} */ (choices[0]));
  return element;
}

/** @param {string} text @param {string} label */
const choice = (text, label) => el("button", { type: "button", class: "chip", title: label }, text);
