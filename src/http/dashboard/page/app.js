// @ts-check
import { setNames, showChanges } from "./changes.js";
import { barChart, lineChart } from "./charts.js";
import { byId, el } from "./dom.js";
import { count } from "./format.js";
import { showStatus } from "./status.js";

/**
 * Entry point of the page: subscribes to the event stream and renders each event.
 *
 * @typedef {{
 *   status: Parameters<typeof showStatus>[0],
 *   throughput: [seconds: number, rate: number][],
 *   activity: import("../../../catalog/list-views.ts").ActivityMinute[],
 *   names: Parameters<typeof setNames>[0],
 *   changes: Parameters<typeof showChanges>[0],
 *   catalog: import("../../../catalog/list-views.ts").CatalogSummary,
 * }} Events
 */

const reloadDelayMs = 5_000;
/** Half an hour, as long as the service keeps them. */
const maxSamples = 900;

function subscribe() {
  const throughput = lineChart("throughput", "apps per second");
  const activity = barChart("activity", "apps per minute");
  /** @type {Events["throughput"]} */
  let samples = [];
  const source = new EventSource("/dashboard/stream");
  /** @type {<Name extends keyof Events>(name: Name, use: (data: Events[Name]) => void) => void} */
  const on = (name, use) => source.addEventListener(name, (event) => use(JSON.parse(event.data)));

  source.addEventListener("open", () => {
    byId("connection").textContent = "live";
    delete document.body.dataset.stale;
    // After a reconnect another process may answer, with its own samples.
    samples = [];
  });
  source.addEventListener("error", () => {
    byId("connection").textContent = "reconnecting…";
    document.body.dataset.stale = "";
    // A browser stops reconnecting after a reply that is no event stream (a proxy's error page); the page then reloads itself.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), reloadDelayMs);
  });
  on("status", showStatus);
  on("throughput", (next) => {
    samples = [...samples, ...next].slice(-maxSamples);
    throughput.set([samples.map(([at]) => at), samples.map(([, rate]) => rate)]);
  });
  on("activity", (minutes) => {
    activity.set([minutes.map(({ minute }) => Date.parse(minute) / 1000), minutes.map(({ apps }) => apps)]);
  });
  on("names", setNames);
  on("changes", showChanges);
  on("catalog", ({ by_type, deck, top_tags }) => {
    showBars("types", by_type);
    showBars(
      "deck",
      deck.map((entry) => ({ name: entry.category, count: entry.count })),
    );
    showBars("tags", top_tags);
  });
}

/** @param {string} id @param {{ name: string, count: number }[]} entries */
function showBars(id, entries) {
  const max = Math.max(1, ...entries.map((entry) => entry.count));
  const items = entries.slice(0, 10).map((entry) => {
    const meter = el("meter", { min: 0, max, value: entry.count, "aria-label": entry.name });
    return el("li", {}, el("span", {}, entry.name), el("span", {}, count(entry.count)), meter);
  });
  byId(id).replaceChildren(...items);
}

/** The theme follows the system until the button is used; the choice is kept in local storage. */
function setUpTheme() {
  const root = document.documentElement;
  const kept = localStorage.getItem("theme");
  if (kept) root.dataset.theme = kept;
  byId("theme").addEventListener("click", () => {
    const isDark =
      getComputedStyle(root).colorScheme === "dark" ||
      (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
    root.dataset.theme = isDark ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    document.dispatchEvent(new Event("theme"));
  });
}

setUpTheme();
subscribe();
