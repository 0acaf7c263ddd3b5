// @ts-check
import { el, fill, foldable } from "../dom.js";
import { clock, count, duration, percent, share, words } from "../format.js";
import { onMessage } from "../live.js";

/**
 * What runs besides: the collector, an import, a sweep, and the other workers on the same database.
 *
 * @typedef {import("../state.js").Status} Status
 * @typedef {{ name: string, text: string, part: number | null }} Work
 */

/** @param {AbortSignal} signal */
export function backgroundPanel(signal) {
  const list = el("ul", { class: "lines" });
  const element = foldable("In the background", null, list);
  onMessage(
    "status",
    (status) => {
      const works = [...ownWorks(status), ...otherWorkers(status)];
      element.hidden = works.length === 0;
      fill(list, ...works.map(workItem));
    },
    signal,
  );
  return element;
}

/** @param {Status} status @returns {Work[]} */
function ownWorks({ collector, library, monitor }) {
  return [
    ...(collector ? [collectorWork(collector)] : []),
    ...(library ? [libraryWork(library)] : []),
    ...(monitor?.sweeping ? [{ name: "Sweep", text: "compares every id with Steam", part: null }] : []),
  ];
}

/** @param {NonNullable<Status["collector"]>} collector @returns {Work} */
function collectorWork({ phase, done, total, rate_per_minute, eta_seconds, next_run_at, last_error, failed }) {
  const isBusy = !["idle", "waiting", "done"].includes(phase);
  const parts = [
    words(phase),
    isBusy && `${count(done)} of ${count(total)}`,
    isBusy && `${count(rate_per_minute)} a minute`,
    isBusy && eta_seconds !== null && `${duration(eta_seconds)} left`,
    failed > 0 && `${count(failed)} failed`,
    next_run_at && `next run at ${clock(next_run_at)}`,
    !isBusy && last_error && `last run: ${last_error}`,
  ];
  return { name: "Collector", text: parts.filter(Boolean).join(" · "), part: isBusy ? share(done, total) : null };
}

/** @param {NonNullable<Status["library"]>} library @returns {Work} */
function libraryWork({ phase, done, total }) {
  const text = phase === "done" ? "done" : `${words(phase)} · ${count(done)} of ${count(total)}`;
  return { name: "Library import", text, part: phase === "done" ? null : share(done, total) };
}

/** The reports of all workers contain this one's, too. @param {Status} status @returns {Work[]} */
function otherWorkers({ workers = [], started_at }) {
  return workers.flatMap(({ mode, snapshot, seen_seconds_ago }) => {
    const report = /** @type {Status} */ (snapshot);
    if (report.started_at === started_at) return [];
    const { bulk, monitor, collector, library } = report;
    const done = [
      bulk && `${words(bulk.phase)}, ${count(bulk.done)} of ${count(bulk.total)}, ${duration(bulk.eta_seconds)} left`,
      monitor && (monitor.leading ? "polls" : "fetches what is pending"),
      collector && `collector: ${words(collector.phase)}, ${count(collector.done)} of ${count(collector.total)}`,
      library && `${words(library.phase)}, ${count(library.done)} of ${count(library.total)}`,
    ].filter(Boolean);
    const text = `${done.join("; ") || "starting"} · seen ${duration(seen_seconds_ago)} ago`;
    return [{ name: `Worker: ${words(mode)}`, text, part: bulk?.share ?? null }];
  });
}

/** @param {Work} work */
function workItem({ name, text, part }) {
  const about = el("div", { class: "work" }, el("strong", {}, name), el("span", { class: "quiet" }, text));
  if (part === null) return el("li", {}, about);
  const filled = el("span", { class: "filled" });
  filled.style.width = `${part * 100}%`;
  const attributes = {
    class: "bar",
    role: "progressbar",
    "aria-label": name,
    "aria-valuenow": Math.round(part * 100),
    title: percent(part),
  };
  return el("li", {}, about, el("div", attributes, filled));
}
