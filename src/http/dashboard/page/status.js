// @ts-check
import { byId, el, figures, show, storeLink } from "./dom.js";
import { ago, count, duration, percent, share, sizeWithGrowth, words } from "./format.js";

/**
 * The state of the worker: badge, figures, progress bars, failing apps and the other workers.
 *
 * @typedef {import("../../deps.ts").ServiceStatus} Status
 */

/** @param {Status} status */
export function showStatus(status) {
  const { health, mode, bulk, monitor, collector, library } = status;
  byId("health").textContent = health.status;
  byId("health").dataset.status = health.status;
  byId("mode").textContent = `${words(mode)}, up ${duration(status.uptime_seconds)}`;
  document.title = `${health.status}: Steam catalog`;
  byId("reasons").textContent = health.reasons.join(". ");
  show("reasons", health.reasons.length > 0);
  showOverview(status);

  showWork("bulk", bulk, bulk?.share, ({ swept_ids, sweep_end, rate_per_second, failed, unknown }) => [
    ...optional(share(swept_ids, sweep_end), (part) => ["Ids compared", percent(part)]),
    ["Apps per second", count(rate_per_second)],
    ["Failed", count(failed)],
    ["Unknown to Steam", count(unknown)],
  ]);
  showWork("collector", collector, share(collector?.done, collector?.total), ({ rate_per_minute, next_run_at }) => [
    ["Per minute", count(rate_per_minute)],
    ...optional(next_run_at, (time) => ["Next run", new Date(time).toLocaleTimeString()]),
  ]);
  showWork("library", library, share(library?.done, library?.total), () => []);
  showMonitor(monitor);
  showFailing(status.failing_apps);
  showWorkers(status.workers ?? []);
}

/** @param {Status} status */
function showOverview({ steam, database, catalog, apps_stored }) {
  figures("figures", [
    ["Steam", steam === null ? "not needed" : steam.connected ? "connected" : "disconnected"],
    ...optional(steam?.connected_since, (time) => ["Connected for", duration((Date.now() - Date.parse(time)) / 1000)]),
    ...optional(steam, ({ reconnect_attempts }) => ["Reconnects", count(reconnect_attempts)]),
    ["Database", `${database.driver}${database.reachable ? "" : ", unreachable"}`],
    ["Apps stored", count(apps_stored)],
    ...optional(catalog?.size, (size) => ["Size of the tables", sizeWithGrowth(size)]),
    ...optional(steam?.last_error, (error) => ["Last error of Steam", error]),
    ...optional(database.last_error, (error) => ["Last error of the database", error]),
  ]);
}

/** @param {Status["monitor"]} monitor */
function showMonitor(monitor) {
  show("monitor", monitor !== null);
  if (monitor === null) return;
  figures("monitor-figures", [
    ["Change number", count(monitor.last_change_number)],
    ["Lag", duration(monitor.lag_seconds ?? 0)],
    ["Pending", count(monitor.pending)],
    ["Failing", count(monitor.failing)],
    ["Last poll", ago(monitor.last_poll_at)],
    ["This worker", monitor.drain_only ? "drains only" : monitor.leading ? "polls (leader)" : "follows the leader"],
    ...optional(monitor.sweeping || null, () => ["Sweep", "running"]),
  ]);
}

/**
 * A kind of work with a known end: a progress bar and figures; `more` returns the figures that only this kind has.
 *
 * @template {{ phase: string, done: number, total: number | null, eta_seconds?: number | null }} Work
 * @param {string} id @param {Work | null} work @param {number | null | undefined} part @param {(work: Work) => [string, string][]} more
 */
function showWork(id, work, part, more) {
  show(id, work !== null);
  if (work === null) return;
  byId(`${id}-bar`).setAttribute("value", String(part ?? 0));
  figures(`${id}-figures`, [
    ["Phase", words(work.phase)],
    ["Done", count(work.done)],
    ["Total", count(work.total)],
    ["Time left", duration(work.eta_seconds)],
    ...more(work),
  ]);
}

/** @param {Status["failing_apps"]} apps */
function showFailing(apps) {
  show("failing", apps.length > 0);
  const items = apps.map(({ appid, name, attempts, error }) =>
    el("li", {}, storeLink(appid, name), ` ${appid}, ${attempts} attempts: ${error ?? "unknown"}`),
  );
  byId("failing-list").replaceChildren(...items);
}

/** @param {NonNullable<Status["workers"]>} workers */
function showWorkers(workers) {
  show("workers", workers.length > 1);
  byId("worker-list").replaceChildren(...workers.map(workerItem));
}

/** @param {NonNullable<Status["workers"]>[number]} worker */
function workerItem({ mode, snapshot, seen_seconds_ago }) {
  const { bulk, monitor, collector, library } = /** @type {Status} */ (snapshot);
  const name = words(mode);
  const tasks = [
    bulk && `${bulk.phase}, ${count(bulk.done)} of ${count(bulk.total)}, ${duration(bulk.eta_seconds)} left`,
    monitor &&
      `${monitor.leading ? "polls" : "drains"}, change ${count(monitor.last_change_number)}, ${count(monitor.pending)} pending`,
    collector && `collector ${words(collector.phase)}, ${count(collector.done)} of ${count(collector.total)}`,
    library && `${words(library.phase)}, ${count(library.done)} of ${count(library.total)}`,
  ].filter(Boolean);
  const work = collector ?? library;
  const part = bulk?.share ?? share(work?.done, work?.total);
  const bar = part === null ? [] : [el("progress", { value: part, "aria-label": name })];
  const text = `: ${tasks.join("; ") || "starting"}; seen ${duration(seen_seconds_ago)} ago`;
  return el("li", {}, el("strong", {}, name), text, ...bar);
}

/**
 * A figure that is shown only when it has a value.
 *
 * @template T
 * @param {T | null | undefined} value @param {(value: T) => [string, string]} toPair @returns {[string, string][]}
 */
const optional = (value, toPair) => (value === null || value === undefined ? [] : [toPair(value)]);
